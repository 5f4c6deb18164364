"""Work: what any process can do. A small input is read where it is converted, the parts of a large one come along.

What it takes and gives can be pickled.
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
    """How the reading of an input ended."""

    size: int
    """Bytes, as stored."""
    content_hash: str
    error: str | None = None
    """Why it could not be read."""


class Done(NamedTuple):
    """What came of a task."""

    converted: Converted
    ends: list[ReadToEnd | None]
    """Of each input; None for a block, and for a file that is too large when decompressed: nothing of it was used."""


class Task(NamedTuple):
    """Something to be converted."""

    parts: Sequence[tuple[Block | str, Origin]]
    """Blocks, or the paths of small files that are to be read."""
    admission: AdmissionFilter = ADMIT_ALL


_NOTHING = Block(b"")


class TaskRunner:
    """Does one task after another."""

    def __init__(self) -> None:
        self._converter = Converter()

    def do(self, task: Task) -> Done:
        """Read what is to be read, and convert it."""
        parts = [_read(part) if isinstance(part, str) else (part, None) for part, _ in task.parts]
        converted = self._converter.convert(
            [(block, origin) for (block, _), (_, origin) in zip(parts, task.parts, strict=True)], task.admission
        )
        return Done(converted, [end for _, end in parts])


def _read(path: str) -> tuple[Block, ReadToEnd | None]:
    """The only block of a small file, and how its reading ended."""
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
    """The blocks of an input.

    Raises:
        InputError: There is nothing in them; after the last.
    """
    is_blank = True
    for block in found:
        is_blank = is_blank and (not block.data or block.data.isspace())
        yield block
    if is_blank:
        raise InputError("there is nothing but whitespace in it: a failed download?")
