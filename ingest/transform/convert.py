"""Convert: blocks in, Arrow record batches out. What a worker does; no I/O, no clock, no database."""

import gc
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import pyarrow as pa

from runmart.ingest.decode.decoder import Decoder
from runmart.ingest.decode.result import Counts
from runmart.ingest.parse.blocks import Block
from runmart.ingest.transform.admission import ADMIT_ALL, AdmissionFilter
from runmart.ingest.transform.flatten import flatten
from runmart.models.batches import Batches
from runmart.models.observations import Origin, Reject
from runmart.models.tables.steps import batch


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
    pruned: int = 0
    """Observations that stay out, of runs that were pruned."""


class Converter:
    """Converts blocks; remembers what makes it faster, see `Decoder`."""

    def __init__(self) -> None:
        self._decoder = Decoder()

    def convert(self, blocks: Sequence[tuple[Block, Origin]], admission: AdmissionFilter = ADMIT_ALL) -> Converted:
        """The rows of the runs in `blocks`, as far as `admission` lets them in; positions are those in the block."""
        with _no_garbage_collection():
            decoded = self._decoder.decode(blocks)
            batches = [flatten(observations) for observations in decoded.observations]
            steps = batch(decoded.steps) if decoded.steps else None
        found = Converted(batches, decoded.rejects, decoded.counts, decoded.skipped, decoded.pages, steps)
        return found if admission.is_open else admit(found, admission)


def admit(found: Converted, admission: AdmissionFilter) -> Converted:
    """What of it passes the door."""
    batches = [admission.batches(batch) for batch in found.batches]
    return found._replace(
        batches=batches,
        rejects=[[admission.reject(reject) for reject in rejects] for rejects in found.rejects],
        steps=None if found.steps is None else admission.steps(found.steps),
        pruned=sum(batch.runs.num_rows for batch in found.batches) - sum(batch.runs.num_rows for batch in batches),
    )


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
