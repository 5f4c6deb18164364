"""Conversion tasks, which can run in any process: tasks and results can be pickled.

A task holds the paths of small files, or the blocks of a large input, which the main process reads.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from runmart.ingest.errors import InputError
from runmart.ingest.parse.blocks import BLOCK_BYTES, Block, blocks
from runmart.ingest.sources.reader import Reader, open_file
from runmart.ingest.transform.admission import ADMIT_ALL, AdmissionFilter
from runmart.ingest.transform.convert import Converted, Converter
from runmart.models.observations import Origin

_BLANK = re.compile(rb"(?:\xef\xbb\xbf)?[\s,\]}]*")
"""A text of separators alone: a failed download, or the end of a text whose beginning is lost."""


class ReadToEnd(NamedTuple):
    """The end of an input: its size and digest, or why it could not be read to its end."""

    size: int
    """Bytes, as stored."""
    content_hash: str
    error: str | None = None
    """Why it could not be read on, whatever was read of it before; None if it was read to its end."""


class Done(NamedTuple):
    """The result of a task."""

    converted: Converted
    ends: list[ReadToEnd | None]
    """One per part; None for a block, and for a file that is too large when decompressed, of which nothing was used."""


class Task(NamedTuple):
    """Inputs to convert together."""

    parts: Sequence[tuple[Block | str, Origin]]
    """Blocks, or paths of small files to read."""
    admission: AdmissionFilter = ADMIT_ALL


_NOTHING = Block(b"")


class TaskRunner:
    """Runs tasks, one after another, and keeps the fields that earlier ones have adopted."""

    def __init__(self) -> None:
        self._converter = Converter()

    def run(self, task: Task) -> Done:
        """Read the files of a task, and convert all parts together."""
        parts = [_read(part) if isinstance(part, str) else (part, None) for part, _ in task.parts]
        converted = self._converter.convert(
            [(block, origin) for (block, _), (_, origin) in zip(parts, task.parts, strict=True)], task.admission
        )
        return Done(converted, [end for _, end in parts])


def _read(path: str) -> tuple[Block, ReadToEnd | None]:
    """The only block of a small file, and its end; an empty block and None if it has several."""
    block = _NOTHING
    try:
        reader = open_file(path)
        try:
            for number, found in enumerate(read_blocks(reader)):
                if number:
                    return _NOTHING, None
                block = found
        finally:
            reader.close()
    except InputError as error:
        return block, ReadToEnd(0, "", str(error))
    return block, ReadToEnd(reader.size, reader.content_hash)


def read_blocks(reader: Reader, size: int = BLOCK_BYTES) -> Iterator[Block]:
    """The blocks of an input, of about `size` bytes; where it cannot be read on, those of what was read before.

    Raises:
        InputError: After the last block, if not all could be read, or if all of them are blank.
    """
    failures: list[InputError] = []

    given = taken = 0

    def readable() -> Iterator[bytes]:
        nonlocal given
        try:
            for chunk in reader.chunks():
                given += len(chunk)
                yield chunk
        except InputError as error:
            failures.append(error)

    is_blank = True
    for block in blocks(readable(), size):
        taken += len(block.data)
        is_blank = is_blank and _BLANK.fullmatch(block.data) is not None
        yield block
    if taken != given:
        raise InputError(
            f"{given - taken:,} of its {given:,} bytes are unexplained: please report this, with the input"
        )
    if failures:
        raise failures[0] if is_blank else InputError(f"{failures[0]}; what was read before it was loaded")
    if is_blank:
        raise InputError("there is nothing but whitespace, commas and closing brackets in it: a failed download?")
