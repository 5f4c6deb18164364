"""Convert: blocks in, Arrow record batches out. What a worker does; no I/O, no clock, no database."""

import gc
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import pyarrow as pa

from runmart.ingest.blocks import Block
from runmart.ingest.decode import Decoder
from runmart.ingest.decoded import Counts
from runmart.ingest.flatten import Batches, flatten
from runmart.models.observations import Origin, Reject
from runmart.models.steps import batch


class Converted(NamedTuple):
    """What some blocks held."""

    batches: list[Batches]
    rejects: list[list[Reject]]
    """Of each block."""
    counts: list[Counts]
    """Of each block."""
    skipped: Counter[str]
    """Objects that are no runs, by kind."""
    pages: int
    steps: pa.RecordBatch | None
    """Steps of runs; None when there are none."""


class Converter:
    """Converts blocks; remembers what makes it faster, see `Decoder`."""

    def __init__(self) -> None:
        self._decoder = Decoder()

    def convert(self, blocks: Sequence[tuple[Block, Origin]]) -> Converted:
        """The rows that the runs in `blocks` make; positions are those in the block."""
        with _no_garbage_collection():
            decoded = self._decoder.decode(blocks)
            batches = [flatten(observations) for observations in decoded.observations]
            steps = batch(decoded.steps) if decoded.steps else None
        return Converted(batches, decoded.rejects, decoded.counts, decoded.skipped, decoded.pages, steps)


@contextmanager
def _no_garbage_collection() -> Generator[None]:
    """Nothing here makes cycles; the collector would only look at each record again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
