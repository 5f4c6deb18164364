"""Cut: large inputs into pieces, that many machines convert what one of them reads."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from runmart.ingest.errors import InputError
from runmart.ingest.parse.blocks import Block, blocks
from runmart.ingest.sources.reader import open_input
from runmart.ingest.workers.tasks import ReadToEnd, not_blank
from runmart.lake.batch import job as jobs
from runmart.lake.batch.discover import openable
from runmart.lake.batch.job import Found, Job

CUT_BYTES = 16 << 20
"""An input that is larger, as stored, is cut; so is one whose size is not known."""

PIECE_BYTES = 16 << 20

_BLOCKS = msgspec.msgpack.Decoder(list[Block])
_ENDS = msgspec.msgpack.Decoder(ReadToEnd)


def pieces(job: Job, batches: Iterable[Any]) -> Iterator[Any]:
    """The inputs, large ones in pieces; a row each."""
    for found in jobs.found(batches):
        if found.is_known:
            continue
        if found.part < 0 and (found.size is None or found.size > CUT_BYTES):
            for piece in _pieces(job, found):
                yield jobs.rows([piece])
        else:
            yield jobs.rows([found])


def _pieces(job: Job, found: Found) -> Iterator[Found]:
    number, some, size = 0, list[Block](), 0
    try:
        reader = open_input(openable(job, found))
        try:
            for block in not_blank(blocks(reader.chunks())):
                some.append(block)
                size += len(block.data)
                if size >= PIECE_BYTES:
                    yield found._replace(piece=number, data=msgspec.msgpack.encode(some))
                    number, some, size = number + 1, [], 0
        finally:
            reader.close()
        end = ReadToEnd(reader.size, reader.content_hash)
    except InputError as error:
        end = ReadToEnd(0, "", str(error))
    if some:
        yield found._replace(piece=number, data=msgspec.msgpack.encode(some))
        number += 1
    yield found._replace(piece=number, data=msgspec.msgpack.encode(end), is_end=True)


def blocks_of(found: Found) -> list[Block]:
    """What a piece holds."""
    return _BLOCKS.decode(found.data or b"\x90")


def end_of(found: Found) -> ReadToEnd:
    """How an input ended that was cut."""
    return _ENDS.decode(found.data or b"")
