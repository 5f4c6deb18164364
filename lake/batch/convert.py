"""Observe: inputs, and pieces of them, become parcels for the shards; by the code that loads them into a warehouse."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import msgspec

from runmart.ingest.load.loader import ReadInput, Totals
from runmart.ingest.pipeline import Reading
from runmart.ingest.transform.convert import Converted, Converter, admit
from runmart.ingest.workers.pool import Workers
from runmart.lake.batch import job as jobs
from runmart.lake.batch import shuffle
from runmart.lake.batch.discover import export_of, openable
from runmart.lake.batch.job import Found, Job
from runmart.lake.batch.shuffle import WHOLE, ShuffleBlock, shard_of
from runmart.lake.batch.split import blocks_of, end_of
from runmart.lake.batch.storage import Storage
from runmart.lake.parquet.manifest import ExportError
from runmart.lake.parquet.restore import check, converted
from runmart.models.batches import POSITION, Batches, shift, shift_rows
from runmart.models.observations import Origin, Reject

_OBSERVATIONS = 60_000
_BYTES = 64 << 20
"""So much is cut at a time: the more, the larger the parcels."""

_RESTORE_MEMORY = "128MB"


class Piece(msgspec.Struct, array_like=True):
    """What a piece of an input held: where the rows of the next one begin."""

    items: int
    observations: int
    rejected: int


class End(msgspec.Struct, array_like=True):
    """An input that was read: to its end, or as far as it could be."""

    modified_at: int
    size: int
    content_hash: str
    error: str | None = None
    observations: int = 0
    rejected: int = 0
    is_cut: bool = False
    """Whether its pieces say how many there were."""


class Sums(msgspec.Struct, array_like=True):
    """What was read, as far as it cannot be told of a shard."""

    pages: int = 0
    observations: int = 0
    steps: int = 0
    pruned: int = 0
    skipped: int = 0

    def plus(self, other: "Sums") -> "Sums":
        """Both together."""
        mine, others = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return Sums(*(one + two for one, two in zip(mine, others, strict=True)))


class Collector:
    """Takes what inputs held, as a load does, and makes parcels of it."""

    def __init__(self, job: Job) -> None:
        """Nothing was taken yet."""
        self.load_id = job.batch
        self.admission = job.admission
        self.totals = Totals()
        self._job = job
        self._batches: list[Batches] = []
        self._steps: list[Any] = []
        self._rejects: list[tuple[str, Reject]] = []
        self._waiting = self._bytes = 0
        self._parcels: list[ShuffleBlock] = []

    def add(self, found: Converted, inputs: Sequence[tuple[str, int]]) -> None:
        """As `Load.add`."""
        self.collect(found, inputs)
        if self._waiting >= _OBSERVATIONS or self._bytes >= _BYTES:
            self.cut()

    def collect(self, found: Converted, inputs: Sequence[tuple[str, int]]) -> None:
        """Take what is to be cut by the caller."""
        self._rejects += [
            (address, reject._replace(position=reject.position + before))
            for (address, before), rejects in zip(inputs, found.rejects, strict=True)
            for reject in rejects
        ]
        before = max((before for _, before in inputs), default=0)
        self._batches += [shift(batches, before, POSITION) for batches in found.batches]
        if found.steps is not None:
            self._steps.append(shift_rows(found.steps, before, POSITION))
            self.totals.steps += found.steps.num_rows
            self._bytes += found.steps.nbytes
        observations = sum(counts.observations for counts in found.counts)
        self._waiting += observations
        self._bytes += sum(batch.nbytes for batches in found.batches for batch in batches)
        self.totals.pages += found.pages
        self.totals.observations += observations
        self.totals.pruned += found.pruned
        self.totals.skipped.update(found.skipped)

    def reject(self, address: str, reject: Reject) -> None:
        """As `Load.reject`."""
        self._rejects.append((address, reject))

    def finish_input(self, read: ReadInput) -> None:
        """As `Load.finish_input`."""
        end = End(read.modified_at, read.size, read.content_hash, None, read.observations, read.rejected)
        self.tell(read.address, "input", end)

    def tell(self, address: str, kind: str, what: object, piece: int = WHOLE) -> None:
        """Tell the owner of an input something of it."""
        owner = shard_of(address, self._job.shards)
        self._parcels.append(ShuffleBlock(owner, kind, address, piece, msgspec.msgpack.encode(what)))

    def cut(self, prefix: str = "", address: str = "", piece: int = WHOLE) -> None:
        """Make parcels of the rows that were taken."""
        shards = self._job.shards
        if any(batch.runs.num_rows for batch in self._batches):
            for shard, data in shuffle.cut(self._batches, shards):
                self._parcels.append(ShuffleBlock(shard, f"{prefix}observations", address, piece, data))
        if any(steps.num_rows for steps in self._steps):
            for shard, data in shuffle.cut_steps(self._steps, shards):
                self._parcels.append(ShuffleBlock(shard, f"{prefix}steps", address, piece, data))
        for of, rejects in _by_address(self._rejects).items():
            self.tell(of, "rejects", rejects, piece)
        self._batches, self._steps, self._rejects, self._waiting, self._bytes = [], [], [], 0, 0

    def convert(self, found: Found, converter: Converter) -> None:
        """Take a piece of an input, whose rows are numbered from 0 in it."""
        if found.is_end:
            end = end_of(found)
            what = End(found.modified_at, end.size, end.content_hash, end.error, is_cut=True)
            self.tell(found.address, "input", what, found.piece)
            return
        origin, position, observations, rejected = self._origin(found), 0, 0, 0
        for block in blocks_of(found):
            held = converter.convert([(block, origin)], self.admission)
            self.collect(held, [(found.address, position)])
            [counts] = held.counts
            position += counts.items
            observations += counts.observations
            rejected += counts.rejected
        self.cut("", found.address, found.piece)
        told = msgspec.msgpack.encode(Piece(position, observations, rejected))
        for shard in range(self._job.shards):
            self._parcels.append(ShuffleBlock(shard, "piece", found.address, found.piece, told))

    def _origin(self, found: Found) -> Origin:
        observed_at = found.modified_at if self._job.observed_at is None else self._job.observed_at
        return Origin(self._job.source, observed_at, self.load_id)

    def take(self) -> Iterator[Any]:
        """The parcels that are ready, as rows, one by one: they may be large."""
        for shuffle_block in self._parcels:
            yield shuffle.rows([shuffle_block])
        self._parcels = []

    def finish(self) -> None:
        """Make parcels of what is left, and tell what cannot be told of one shard."""
        self.cut()
        totals = self.totals
        what = Sums(totals.pages, totals.observations, totals.steps, totals.pruned, totals.skipped.total())
        self._parcels.append(ShuffleBlock(0, "sums", "", WHOLE, msgspec.msgpack.encode(what)))


def observed(job: Job, batches: Iterable[Any]) -> Iterator[Any]:
    """The parcels that inputs, pieces of inputs and partitions of exports make."""
    whole, cut, converter = Collector(job), Collector(job), Converter()
    with Workers(0) as workers:
        reading = Reading(whole, job.source, job.observed_at, workers)
        for found in jobs.found(batches):
            if found.piece >= 0:
                cut.convert(found, converter)
            elif found.part >= 0:
                yield from _restored(job, found, cut)
            else:
                reading.read(openable(job, found))
            yield from (*whole.take(), *cut.take())
        reading.finish()
    for collector in (whole, cut):
        collector.finish()
        yield from collector.take()


def _restored(job: Job, found: Found, collector: Collector) -> Iterator[Any]:
    """A partition of an export."""
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
            collector.cut("restored ")
            yield from collector.take()
    if "runs" in one.files:
        runs = one.files["runs"]
        collector.finish_input(ReadInput(found.address, runs.bytes, runs.sha256, found.modified_at, runs.rows, 0))


def _by_address(rejects: Sequence[tuple[str, Reject]]) -> dict[str, list[Reject]]:
    groups: dict[str, list[Reject]] = {}
    for address, reject in rejects:
        groups.setdefault(address, []).append(reject)
    return groups
