"""Convert: blocks in, Arrow record batches out, redacted and filtered. No I/O, no clock, no database."""

import gc
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pyarrow as pa

from runmart.ingest.decode.decoder import Decoder, ParsedBlock
from runmart.ingest.decode.result import BlockCounts, Decoded
from runmart.ingest.parse.blocks import Block
from runmart.ingest.transform.admission import ADMIT_ALL, AdmissionFilter
from runmart.ingest.transform.flatten import flatten
from runmart.models import arrow
from runmart.models.batches import Batches
from runmart.models.observations import Origin, Reject
from runmart.models.tables import neighbours
from runmart.models.tables.steps import batch, item_batch


class Converted(NamedTuple):
    """The contents of several blocks, as the rows of tables."""

    batches: list[Batches]
    rejects: list[list[Reject]]
    """Of each block."""
    counts: list[BlockCounts]
    """Of each block."""
    skipped: Counter[str]
    """Objects that are no records, by kind."""
    pages: int
    steps: pa.RecordBatch | None
    """Steps of runs, and items in the outputs of responses; None when the blocks hold none."""
    pruned: int = 0
    """Observations that were left out because their runs were pruned."""
    neighbours: Mapping[str, pa.RecordBatch] = {}
    """Rows of the tables beside runs, by table; only those that have any."""


class Converter:
    """Converts blocks; its `Decoder` remembers what makes it faster."""

    def __init__(self) -> None:
        self._decoder = Decoder()

    def convert(self, blocks: Sequence[tuple[Block, Origin]], admission: AdmissionFilter = ADMIT_ALL) -> Converted:
        """The rows of `blocks` that pass the admission filter; positions are those in the block."""
        return self.convert_parsed((self._decoder.parse(block, origin) for block, origin in blocks), admission)

    def convert_parsed(self, parsed: Iterable[ParsedBlock], admission: AdmissionFilter = ADMIT_ALL) -> Converted:
        """The same of blocks that were parsed before; each is used once."""
        with _no_garbage_collection():
            decoded = self._decoder.observe(parsed)
            batches = [flatten(observations) for observations in decoded.observations]
            steps = _steps(decoded)
            beside = neighbours.batches(decoded.neighbours)
        found = Converted(batches, decoded.rejects, decoded.counts, decoded.skipped, decoded.pages, steps, 0, beside)
        return found if admission.is_open else admit(found, admission)


def admit(found: Converted, admission: AdmissionFilter) -> Converted:
    """The rows and rejects that pass the admission filter, redacted."""
    batches = [admission.batches(batch) for batch in found.batches]
    return found._replace(
        batches=batches,
        rejects=[[admission.reject(reject) for reject in rejects] for rejects in found.rejects],
        steps=None if found.steps is None else admission.steps(found.steps),
        neighbours=admission.neighbours(found.neighbours),
        pruned=sum(batch.runs.num_rows for batch in found.batches) - sum(batch.runs.num_rows for batch in batches),
    )


def _steps(decoded: Decoded) -> pa.RecordBatch | None:
    """Steps of runs, and items in the outputs of responses."""
    found: list[Any] = [batch(decoded.steps)] if decoded.steps else []
    found += [items for one in decoded.observations if (items := item_batch(one)) is not None]
    if not found:
        return None
    columns = [arrow.concatenated(parts) for parts in zip(*(one.columns for one in found), strict=True)]
    return arrow.record_batch(columns, found[0].schema.names)


@contextmanager
def _no_garbage_collection() -> Generator[None]:
    """Suspend the garbage collector: decoding makes no cycles, and it would visit each record again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
