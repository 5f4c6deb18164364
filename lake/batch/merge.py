"""Merge: what a batch brought for a shard goes into it, and the files that this changes are written anew."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from runmart.ingest.decode.result import Counts
from runmart.ingest.load.loader import Load, ReadInput
from runmart.ingest.transform.convert import Converted
from runmart.lake.batch.convert import End, Piece, Sums
from runmart.lake.batch.job import Job
from runmart.lake.batch.shards import BOOKS, RUN, STEP, Key, Shard
from runmart.lake.batch.shuffle import WHOLE, Parcel, opened, opened_steps, parcels
from runmart.lake.parquet.manifest import File, Partition, Written
from runmart.models import arrow
from runmart.models.batches import POSITION, shift, shift_rows
from runmart.models.columns import BINARY
from runmart.models.observations import Origin, Reject

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TYPES = {"data": BINARY}

_REJECTS = msgspec.msgpack.Decoder(list[Reject])
_PIECE = msgspec.msgpack.Decoder(Piece)
_END = msgspec.msgpack.Decoder(End)
_SUMS = msgspec.msgpack.Decoder(Sums)


class Merged(msgspec.Struct):
    """What a batch did to a shard."""

    shard: int
    written: list[Written]
    """The partitions that have changed; those without files are empty now."""
    books: dict[str, File | None]
    """Those that have changed."""
    new_runs: int
    updated_runs: int
    unchanged: int
    rejected: int
    inputs: int
    sums: Sums


class Spool:
    """The parcels of one shard, on this machine's disk until all have come."""

    def __init__(self, file: IO[bytes]) -> None:
        """Nothing has come yet."""
        self._file = file
        self._places: list[tuple[Parcel, int]] = []
        self._pieces: dict[str, dict[int, Piece]] = {}
        self._ends: dict[tuple[str, int, str], tuple[Parcel, End]] = {}
        self.sums = Sums()

    def take(self, parcel: Parcel) -> None:
        """Keep a parcel."""
        if parcel.kind == "piece":
            self._pieces.setdefault(parcel.address, {})[parcel.piece] = _PIECE.decode(parcel.data)
        elif parcel.kind == "input":
            end = _END.decode(parcel.data)
            self._ends[parcel.address, end.size, end.content_hash] = parcel, end
        elif parcel.kind == "sums":
            self.sums = self.sums.plus(_SUMS.decode(parcel.data))
        else:
            self._places.append((parcel._replace(data=b""), self._file.tell()))
            self._file.write(parcel.data)

    def parcels(self, kind: str) -> Iterator[Parcel]:
        """The parcels of a kind, again."""
        for number, (parcel, start) in enumerate(self._places):
            if parcel.kind == kind:
                end = self._places[number + 1][1] if number + 1 < len(self._places) else self._size
                self._file.seek(start)
                yield parcel._replace(data=self._file.read(end - start))

    def close(self) -> None:
        """Nothing more comes."""
        self._size = self._file.tell()

    def before(self, parcel: Parcel) -> int:
        """How many items of its input come before those of a parcel."""
        pieces = self._pieces.get(parcel.address, {}) if parcel.piece != WHOLE else {}
        return sum(piece.items for number, piece in pieces.items() if number < parcel.piece)

    def inputs(self, job: Job) -> Iterator[ReadInput | tuple[str, Reject]]:
        """The inputs that were read, and a reject for each that could not be."""
        for parcel, end in self._ends.values():
            pieces = self._pieces.get(parcel.address, {}).values() if end.is_cut else ()
            if end.error is not None:
                observed_at = end.modified_at if job.observed_at is None else job.observed_at
                origin = Origin(job.source, observed_at, job.batch)
                yield parcel.address, Reject(origin, self.before(parcel), 1, end.error, "$", b"")
            else:
                observations = end.observations + sum(piece.observations for piece in pieces)
                rejected = end.rejected + sum(piece.rejected for piece in pieces)
                yield ReadInput(parcel.address, end.size, end.content_hash, end.modified_at, observations, rejected)


def merged(job: Job, batches: Iterable[Any]) -> Iterator[Any]:
    """What the parcels of some shards, all of each, do to them; the files are written when a row comes out."""
    with TemporaryDirectory(prefix="runmart-") as folder, ExitStack() as files:
        spools: dict[int, Spool] = {}
        for parcel in parcels(batches):
            if parcel.shard not in spools:
                path = Path(folder) / f"{parcel.shard}.parcels"
                spools[parcel.shard] = Spool(files.enter_context(path.open("w+b")))
            spools[parcel.shard].take(parcel)
        manifest = job.before()
        for number, spool in sorted(spools.items()):
            spool.close()
            with Shard(job, manifest, number) as shard:
                done = msgspec.json.encode(_merged(shard, spool))
            yield arrow.rows([(done,)], TYPES)


def _merged(shard: Shard, spool: Spool) -> Merged:
    job, connection = shard.job, shard.connection
    known = {book.name: shard.fill(book.name) for book in BOOKS}
    _note_ids(connection, RUN, _ids(spool, "observations", _run_ids))
    _note_ids(connection, STEP, _ids(spool, "steps", _step_ids))
    for key in (RUN, STEP):
        shard.fill_rows(key)
    load = Load(connection, "lake load", job.source)
    _load(spool, load, job)
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
        {book: shard.write_book(book) for book, count in known.items() if shard.has_changed(book, count)},
        totals.new_runs,
        totals.updated_runs,
        totals.unchanged,
        totals.rejected,
        totals.inputs,
        spool.sums,
    )


def _run_ids(data: bytes) -> Any:
    runs: Any = opened(data).runs
    return runs.column("run_id")


def _step_ids(data: bytes) -> Any:
    return opened_steps(data).column("step_id")


def _ids(spool: Spool, kind: str, of: Callable[[bytes], Any]) -> Iterator[Any]:
    for some in (kind, f"restored {kind}"):
        for parcel in spool.parcels(some):
            yield of(parcel.data)


def _note_ids(connection: "DuckDBPyConnection", key: Key, ids: Iterable[Any]) -> None:
    """Make the table of the ids that a batch brought."""
    stream = pa.RecordBatchReader.from_batches(
        pa.schema([("id", pa.string())]), (arrow.record_batch([some.cast(pa.string())], ["id"]) for some in ids)
    )
    connection.register("incoming_ids", stream)
    connection.execute(f"create table {key.ids} as select distinct id from incoming_ids")
    connection.unregister("incoming_ids")


def _load(spool: Spool, load: Load, job: Job) -> None:
    for prefix in ("", "restored "):
        for parcel in spool.parcels(f"{prefix}observations"):
            batches = shift(opened(parcel.data), spool.before(parcel), POSITION)
            count = batches.runs.num_rows
            load.add(Converted([batches], [[]], [Counts(count, 0, count)], Counter(), 0, None), [("", 0)])
        for parcel in spool.parcels(f"{prefix}steps"):
            steps = shift_rows(opened_steps(parcel.data), spool.before(parcel), POSITION)
            load.add(Converted([], [[]], [Counts(0, 0, 0)], Counter(), 0, steps), [("", 0)])
        load.commit()  # the columns of an export have other types, and cannot be in one batch with these
    for parcel in spool.parcels("rejects"):
        rejects = _REJECTS.decode(parcel.data)
        held = Converted([], [rejects], [Counts(0, len(rejects), 0)], Counter(), 0, None)
        load.add(held, [(parcel.address, spool.before(parcel))])
    for found in spool.inputs(job):
        if isinstance(found, ReadInput):
            load.finish_input(found)
        else:
            load.reject(*found)
