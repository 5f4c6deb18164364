"""Merge stage: merges the shuffle blocks of a shard into it, and rewrites the partitions that change."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import msgspec
import pyarrow as pa

from runmart.ingest.decode.result import BlockCounts
from runmart.ingest.load.buffer import ReadInput
from runmart.ingest.load.loader import Load
from runmart.ingest.transform.convert import Converted
from runmart.lake.distributed.convert import End, SplitCounts, Sums
from runmart.lake.distributed.job import Job
from runmart.lake.distributed.shards import BOOKKEEPING, RUN, STEP, Key, Shard
from runmart.lake.distributed.shuffle import WHOLE, ShuffleBlock, opened, opened_steps, shuffle_blocks
from runmart.lake.parquet.manifest import File, Partition, Written
from runmart.models import arrow
from runmart.models.batches import POSITION, shift, shift_row_positions
from runmart.models.columns import BINARY
from runmart.models.observations import Origin, Reject

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TYPES = {"data": BINARY}

_REJECTS = msgspec.msgpack.Decoder(list[Reject])
_SPLIT = msgspec.msgpack.Decoder(SplitCounts)
_END = msgspec.msgpack.Decoder(End)
_SUMS = msgspec.msgpack.Decoder(Sums)


class Merged(msgspec.Struct):
    """The result of merging a batch into a shard."""

    shard: int
    written: list[Written]
    """The partitions that have changed; one without files is empty now."""
    bookkeeping: dict[str, File | None]
    """The bookkeeping files that have changed, by table; None where no row is left."""
    new_runs: int
    updated_runs: int
    unchanged: int
    rejected: int
    inputs: int
    sums: Sums


class _Place(NamedTuple):
    """Where the data of a shuffle block lies in the file of its shard."""

    shuffle_block: ShuffleBlock
    """The block without its data."""
    start: int
    size: int
    position: int
    """The position of its first reject in the input or split; 0 for other blocks."""


class ShardInput:
    """The shuffle blocks of one shard, spilled to a local file until all have arrived."""

    def __init__(self, file: IO[bytes]) -> None:
        """Empty."""
        self._file = file
        self._places: list[_Place] = []
        self._splits: dict[str, dict[int, SplitCounts]] = {}
        self._ends: dict[tuple[str, int, str], tuple[ShuffleBlock, End]] = {}
        self.sums = Sums()

    def take(self, shuffle_block: ShuffleBlock) -> None:
        """Add a shuffle block."""
        if shuffle_block.kind == "split":
            self._splits.setdefault(shuffle_block.address, {})[shuffle_block.split] = _SPLIT.decode(shuffle_block.data)
        elif shuffle_block.kind == "input":
            end = _END.decode(shuffle_block.data)
            self._ends[shuffle_block.address, end.size, end.content_hash] = shuffle_block, end
        elif shuffle_block.kind == "sums":
            self.sums = self.sums.plus(_SUMS.decode(shuffle_block.data))
        else:
            data = shuffle_block.data
            position = _REJECTS.decode(data)[0].position if shuffle_block.kind == "rejects" else 0
            self._places.append(_Place(shuffle_block._replace(data=b""), self._file.tell(), len(data), position))
            self._file.write(data)

    def shuffle_blocks(self, kind: str) -> Iterator[ShuffleBlock]:
        """The blocks of a kind, read back from the file."""
        for place in self._places:
            if place.shuffle_block.kind == kind:
                yield self._read(place)

    def rejects(self) -> Iterator[ShuffleBlock]:
        """The blocks of rejects, in the order of their inputs, and of the places in each."""
        places = [place for place in self._places if place.shuffle_block.kind == "rejects"]
        places.sort(key=lambda place: (place.shuffle_block.address, place.shuffle_block.split, place.position))
        yield from map(self._read, places)

    def _read(self, place: _Place) -> ShuffleBlock:
        self._file.seek(place.start)
        return place.shuffle_block._replace(data=self._file.read(place.size))

    def before(self, shuffle_block: ShuffleBlock) -> int:
        """The number of items of the input in the splits before that of a block."""
        splits = self._splits.get(shuffle_block.address, {}) if shuffle_block.split != WHOLE else {}
        return sum(split.items for number, split in splits.items() if number < shuffle_block.split)

    def inputs(self, job: Job) -> Iterator[ReadInput | tuple[str, Reject]]:
        """Each input that was read, or a reject for one that could not be."""
        for shuffle_block, end in self._ends.values():
            splits = self._splits.get(shuffle_block.address, {}).values() if end.is_split else ()
            if end.error is not None:
                observed_at = end.modified_at if job.observed_at is None else job.observed_at
                origin = Origin(job.source, observed_at, job.batch)
                yield shuffle_block.address, Reject(origin, self.before(shuffle_block), 1, end.error, "$", b"")
            else:
                observations = end.observations + sum(split.observations for split in splits)
                rejected = end.rejected + sum(split.rejected for split in splits)
                yield ReadInput(
                    shuffle_block.address, end.size, end.content_hash, end.modified_at, observations, rejected
                )


def merged(job: Job, batches: Iterable[Any]) -> Iterator[Any]:
    """Merge shuffle blocks into their shards: a `Merged` as a row for each shard, once its files are written.

    All blocks of a shard must be among `batches`.
    """
    with TemporaryDirectory(prefix="runmart-") as folder, ExitStack() as files:
        shard_inputs: dict[int, ShardInput] = {}
        for shuffle_block in shuffle_blocks(batches):
            if shuffle_block.shard not in shard_inputs:
                path = Path(folder) / f"{shuffle_block.shard}.blocks"
                shard_inputs[shuffle_block.shard] = ShardInput(files.enter_context(path.open("w+b")))
            shard_inputs[shuffle_block.shard].take(shuffle_block)
        manifest = job.before()
        for number, shard_input in sorted(shard_inputs.items()):
            with Shard(job, manifest, number) as shard:
                done = msgspec.json.encode(_merged(shard, shard_input))
            yield arrow.rows([(done,)], TYPES)


def _merged(shard: Shard, shard_input: ShardInput) -> Merged:
    job, connection = shard.job, shard.connection
    known = {table.name: shard.fill(table.name) for table in BOOKKEEPING}
    _note_ids(connection, RUN, _ids(shard_input, "observations", _run_ids))
    _note_ids(connection, STEP, _ids(shard_input, "steps", _step_ids))
    for key in (RUN, STEP):
        shard.fill_rows(key)
    load = Load(shard.writer, "lake load", job.source)
    _load(shard_input, load, job)
    load.commit("done")
    written: dict[Partition, Written] = {}
    for key in (RUN, STEP):
        for partition in shard.changed(key):
            old = written.get(partition) or shard.at(partition)
            files = {table: file for table, file in old.files.items() if table not in key.tables}
            for table in key.tables:
                if file := shard.write(old, key, table):
                    files[table] = file
            written[partition] = Written(partition, "", files, shard.number)
    totals = load.totals
    return Merged(
        shard.number,
        list(written.values()),
        {table: shard.write_bookkeeping(table) for table, count in known.items() if shard.has_changed(table, count)},
        totals.new_runs,
        totals.updated_runs,
        totals.unchanged,
        totals.rejected,
        totals.inputs,
        shard_input.sums,
    )


def _run_ids(data: bytes) -> Any:
    runs: Any = opened(data).runs
    return runs.column("run_id")


def _step_ids(data: bytes) -> Any:
    return opened_steps(data).column("step_id")


def _ids(shard_input: ShardInput, kind: str, of: Callable[[bytes], Any]) -> Iterator[Any]:
    for some in (kind, f"restored {kind}"):
        for shuffle_block in shard_input.shuffle_blocks(some):
            yield of(shuffle_block.data)


def _note_ids(connection: "DuckDBPyConnection", key: Key, ids: Iterable[Any]) -> None:
    """Create the table of the ids of a batch."""
    stream = pa.RecordBatchReader.from_batches(
        pa.schema([("id", pa.string())]), (arrow.record_batch([some.cast(pa.string())], ["id"]) for some in ids)
    )
    connection.register("incoming_ids", stream)
    connection.execute(f"create table {key.ids} as select distinct id from incoming_ids")
    connection.unregister("incoming_ids")


def _load(shard_input: ShardInput, load: Load, job: Job) -> None:
    for prefix in ("", "restored "):
        for shuffle_block in shard_input.shuffle_blocks(f"{prefix}observations"):
            batches = shift(opened(shuffle_block.data), shard_input.before(shuffle_block), POSITION)
            count = batches.runs.num_rows
            load.add(Converted([batches], [[]], [BlockCounts(count, 0, count)], Counter(), 0, None), [("", 0)])
        for shuffle_block in shard_input.shuffle_blocks(f"{prefix}steps"):
            steps = shift_row_positions(opened_steps(shuffle_block.data), shard_input.before(shuffle_block), POSITION)
            load.add(Converted([], [[]], [BlockCounts(0, 0, 0)], Counter(), 0, steps), [("", 0)])
        load.commit()  # the columns of an export have other types, and cannot be in one batch with these
    for address, of_input in groupby(shard_input.rejects(), lambda shuffle_block: shuffle_block.address):
        for shuffle_block in of_input:
            rejects = _REJECTS.decode(shuffle_block.data)
            counts = BlockCounts(0, sum(reject.count for reject in rejects), 0)
            held = Converted([], [rejects], [counts], Counter(), 0, None)
            load.add(held, [(address, shard_input.before(shuffle_block))])
        load.finish_rejects(address)
    for found in shard_input.inputs(job):
        if isinstance(found, ReadInput):
            load.finish_input(found)
        else:
            load.reject(*found)
