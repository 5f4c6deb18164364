"""Conversion tasks, which can run in any process: tasks and results can be pickled.

A task holds the paths of small files, or the blocks of a large input, which the main process reads.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from runmart.ingest.errors import InputError
from runmart.ingest.parse.blocks import BLOCK_BYTES, Block, blocks
from runmart.ingest.sources.reader import open_file
from runmart.ingest.transform.admission import ADMIT_ALL, AdmissionFilter
from runmart.ingest.transform.convert import Converted, Converter
from runmart.models.observations import Origin


class ReadToEnd(NamedTuple):
    """The end of an input: its size and digest, or why it could not be read."""

    size: int
    """Bytes, as stored."""
    content_hash: str
    error: str | None = None
    """Why it could not be read; None if it could."""


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
    try:
        reader = open_file(path)
        try:
            found = not_blank(blocks(reader.chunks(), BLOCK_BYTES))
            block = next(found, _NOTHING)
            if next(found, None) is not None:
                return _NOTHING, None
        finally:
            reader.close()
    except InputError as error:
        return _NOTHING, ReadToEnd(0, "", str(error))
    return block, ReadToEnd(reader.size, reader.content_hash)


def not_blank(found: Iterator[Block]) -> Iterator[Block]:
    """The same blocks, of one input.

    Raises:
        InputError: After the last block, if all of them are blank.
    """
    is_blank = True
    for block in found:
        is_blank = is_blank and (not block.data or block.data.isspace())
        yield block
    if is_blank:
        raise InputError("there is nothing but whitespace in it: a failed download?")
