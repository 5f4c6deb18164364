"""Conversion stage: decodes and flattens inputs and splits with the code of `ingest` into shuffle blocks per shard."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import msgspec

from runmart.ingest.load.buffer import ReadInput
from runmart.ingest.load.packs import placed
from runmart.ingest.load.totals import Totals
from runmart.ingest.pipeline import InputPipeline
from runmart.ingest.transform.convert import Converted, Converter, admit
from runmart.ingest.workers.pool import Workers
from runmart.lake.distributed import job as jobs
from runmart.lake.distributed import shuffle
from runmart.lake.distributed.discover import export_of, openable
from runmart.lake.distributed.job import Found, Job
from runmart.lake.distributed.lake_storage import Storage
from runmart.lake.distributed.shuffle import WHOLE, ShuffleBlock, shard_of
from runmart.lake.distributed.split import blocks_of, end_of
from runmart.lake.parquet.manifest import ExportError
from runmart.lake.parquet.restore import check, converted
from runmart.models.batches import POSITION, Batches, shift, shift_row_positions
from runmart.models.observations import Origin, Reject

_OBSERVATIONS = 60_000
_BYTES = 64 << 20
"""Bytes of rows that are partitioned at a time; larger values make larger shuffle blocks."""

_RESTORE_MEMORY = "128MB"


class SplitCounts(msgspec.Struct, array_like=True):
    """Counts of one split, from which positions in later splits are computed."""

    items: int
    observations: int
    rejected: int


class End(msgspec.Struct, array_like=True):
    """The result of reading an input, to its end or to an error."""

    modified_at: int
    size: int
    content_hash: str
    error: str | None = None
    observations: int = 0
    rejected: int = 0
    is_split: bool = False
    """Whether the counts are those of its splits."""


class Sums(msgspec.Struct, array_like=True):
    """Counts of a task that belong to no single shard."""

    pages: int = 0
    observations: int = 0
    steps: int = 0
    pruned: int = 0
    skipped: int = 0

    def plus(self, other: "Sums") -> "Sums":
        """The sum of both."""
        mine, others = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return Sums(*(one + two for one, two in zip(mine, others, strict=True)))


class Collector:
    """Collects converted rows instead of a `Load`, and partitions them into shuffle blocks."""

    def __init__(self, job: Job) -> None:
        """Empty."""
        self.load_id = job.batch
        self.admission = job.admission
        self.totals = Totals()
        self._job = job
        self._batches: list[Batches] = []
        self._steps: list[Any] = []
        self._rejects: list[tuple[str, Reject]] = []
        self._waiting = self._bytes = 0
        self._blocks: list[ShuffleBlock] = []

    def add(self, found: Converted, inputs: Sequence[tuple[str, int]]) -> None:
        """As `Load.add`."""
        self.collect(found, inputs)
        if self._waiting >= _OBSERVATIONS or self._bytes >= _BYTES:
            self.flush()

    def collect(self, found: Converted, inputs: Sequence[tuple[str, int]]) -> None:
        """Collect rows; the caller flushes them."""
        for (address, before), rejects in zip(inputs, found.rejects, strict=True):
            self._rejects += [(address, placed(reject, before)) for reject in rejects]
            self._bytes += sum(len(reject.raw) for reject in rejects)
        before = max((before for _, before in inputs), default=0)
        self._batches += [shift(batches, before, POSITION) for batches in found.batches]
        if found.steps is not None:
            self._steps.append(shift_row_positions(found.steps, before, POSITION))
            self.totals.steps += found.steps.num_rows
            self._bytes += found.steps.nbytes
        observations = sum(counts.observations for counts in found.counts)
        self._waiting += observations
        self._bytes += sum(batch.nbytes for batches in found.batches for batch in batches)
        self.totals.pages += found.pages
        self.totals.observations += observations
        self.totals.pruned += found.pruned
        self.totals.skipped.update(found.skipped)
        self.totals.skipped.update({name: rows.num_rows for name, rows in found.neighbours.items()})

    def reject(self, address: str, reject: Reject) -> None:
        """As `Load.reject`."""
        self._rejects.append((address, reject))

    def finish_input(self, read: ReadInput) -> None:
        """As `Load.finish_input`."""
        end = End(read.modified_at, read.size, read.content_hash, None, read.observations, read.rejected)
        self._notify_owner(read.address, "input", end)

    def _notify_owner(self, address: str, kind: str, what: object, split: int = WHOLE) -> None:
        """Add a block for the shard that owns an input."""
        owner = shard_of(address, self._job.shards)
        self._blocks.append(ShuffleBlock(owner, kind, address, split, msgspec.msgpack.encode(what)))

    def flush(self, prefix: str = "", address: str = "", split: int = WHOLE) -> None:
        """Partition the collected rows into shuffle blocks."""
        shards = self._job.shards
        if any(batch.runs.num_rows for batch in self._batches):
            for shard, data in shuffle.by_shard(self._batches, shards):
                self._blocks.append(ShuffleBlock(shard, f"{prefix}observations", address, split, data))
        if any(steps.num_rows for steps in self._steps):
            for shard, data in shuffle.steps_by_shard(self._steps, shards):
                self._blocks.append(ShuffleBlock(shard, f"{prefix}steps", address, split, data))
        for of, rejects in _by_address(self._rejects).items():
            self._notify_owner(of, "rejects", rejects, split)
        self._batches, self._steps, self._rejects, self._waiting, self._bytes = [], [], [], 0, 0

    def convert(self, found: Found, converter: Converter) -> None:
        """Convert a split; positions of its rows are relative to it."""
        if found.is_end:
            end = end_of(found)
            what = End(found.modified_at, end.size, end.content_hash, end.error, is_split=True)
            self._notify_owner(found.address, "input", what, found.split)
            return
        origin, position, observations, rejected = self._origin(found), 0, 0, 0
        for block in blocks_of(found):
            held = converter.convert([(block, origin)], self.admission)
            self.collect(held, [(found.address, position)])
            [counts] = held.counts
            position += counts.items
            observations += counts.observations
            rejected += counts.rejected
        self.flush("", found.address, found.split)
        counts = msgspec.msgpack.encode(SplitCounts(position, observations, rejected))
        for shard in range(self._job.shards):
            self._blocks.append(ShuffleBlock(shard, "split", found.address, found.split, counts))

    def _origin(self, found: Found) -> Origin:
        observed_at = found.modified_at if self._job.observed_at is None else self._job.observed_at
        return Origin(self._job.source, observed_at, self.load_id)

    def take(self) -> Iterator[Any]:
        """Take the shuffle blocks so far, each as a record batch of one row, since they may be large."""
        for shuffle_block in self._blocks:
            yield shuffle.rows([shuffle_block])
        self._blocks = []

    def finish(self) -> None:
        """Flush, and add the counts that belong to no shard."""
        self.flush()
        totals = self.totals
        what = Sums(totals.pages, totals.observations, totals.steps, totals.pruned, totals.skipped.total())
        self._blocks.append(ShuffleBlock(0, "sums", "", WHOLE, msgspec.msgpack.encode(what)))


def observed(job: Job, batches: Iterable[Any]) -> Iterator[Any]:
    """The shuffle blocks of inputs, splits of inputs and partitions of exports."""
    whole, parts, converter = Collector(job), Collector(job), Converter()
    with Workers(0) as workers:
        reading = InputPipeline(whole, job.source, job.observed_at, workers)
        for found in jobs.found(batches):
            if found.split >= 0:
                parts.convert(found, converter)
            elif found.part >= 0:
                yield from _restored(job, found, parts)
            else:
                reading.read(openable(job, found))
            yield from (*whole.take(), *parts.take())
        reading.finish()
    for collector in (whole, parts):
        collector.finish()
        yield from collector.take()


def _restored(job: Job, found: Found, collector: Collector) -> Iterator[Any]:
    """The shuffle blocks of a partition of an export."""
    source = job.sources[found.source]
    export = export_of(source)
    if export is None or found.part >= len(export.partitions):
        raise ExportError(f"{found.address}: the export was written anew meanwhile; run it again")
    one, storage = export.partitions[found.part], Storage(source)
    with TemporaryDirectory(prefix="runmart-") as name, duckdb.connect() as reader:
        folder = Path(name)
        reader.execute(f"set timezone = 'UTC'; set memory_limit = '{_RESTORE_MEMORY}'")
        root = folder if storage.path is None else storage.path
        for table, file in one.files.items():
            check(reader, storage.local(file.path, folder), table, file)
        for some in converted(reader, root, one, job.batch):
            collector.collect(some if job.admission.is_open else admit(some, job.admission), [("", 0)])
            collector.flush("restored ")
            yield from collector.take()
    if "runs" in one.files:
        runs = one.files["runs"]
        collector.finish_input(ReadInput(found.address, runs.bytes, runs.sha256, found.modified_at, runs.rows, 0))


def _by_address(rejects: Sequence[tuple[str, Reject]]) -> dict[str, list[Reject]]:
    groups: dict[str, list[Reject]] = {}
    for address, reject in rejects:
        groups.setdefault(address, []).append(reject)
    return groups
