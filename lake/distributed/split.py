"""Split stage: one machine reads a large input, and many machines convert its splits."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from runmart.ingest.errors import InputError
from runmart.ingest.parse.blocks import Block
from runmart.ingest.sources.reader import open_input
from runmart.ingest.workers.tasks import ReadToEnd, read_blocks
from runmart.lake.distributed import job as jobs
from runmart.lake.distributed.discover import openable
from runmart.lake.distributed.job import Found, Job

UNSPLIT_BYTES = 16 << 20
"""Inputs of at most this size, as stored, are not split; those of unknown size are."""

SPLIT_BYTES = 16 << 20

_BLOCKS = msgspec.msgpack.Decoder(list[Block])
_ENDS = msgspec.msgpack.Decoder(ReadToEnd)


def splits(job: Job, batches: Iterable[Any]) -> Iterator[Any]:
    """The inputs as rows, one per input, or one per split of a large input."""
    for found in jobs.found(batches):
        if found.is_known:
            continue
        if found.part < 0 and (found.size is None or found.size > UNSPLIT_BYTES):
            for split in _splits(job, found):
                yield jobs.rows([split])
        else:
            yield jobs.rows([found])


def _splits(job: Job, found: Found) -> Iterator[Found]:
    number, some, size = 0, list[Block](), 0
    try:
        reader = open_input(openable(job, found))
        try:
            for block in read_blocks(reader):
                some.append(block)
                size += len(block.data)
                if size >= SPLIT_BYTES:
                    yield found._replace(split=number, data=msgspec.msgpack.encode(some))
                    number, some, size = number + 1, [], 0
        finally:
            reader.close()
        end = ReadToEnd(reader.size, reader.content_hash)
    except InputError as error:
        end = ReadToEnd(0, "", str(error))
    if some:
        yield found._replace(split=number, data=msgspec.msgpack.encode(some))
        number += 1
    yield found._replace(split=number, data=msgspec.msgpack.encode(end), is_end=True)


def blocks_of(found: Found) -> list[Block]:
    """The blocks of text of a split."""
    return _BLOCKS.decode(found.data or b"\x90")


def end_of(found: Found) -> ReadToEnd:
    """The result of reading an input that was split."""
    return _ENDS.decode(found.data or b"")
