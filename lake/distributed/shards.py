"""A shard in a temporary warehouse, into which a batch is merged: only rows that the batch touches are loaded."""

import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Self

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from runmart.ingest.sql_text import quoted
from runmart.ingest.warehouse.file_backend import FileWriter
from runmart.ingest.warehouse.migrations import create_tables
from runmart.lake.distributed import manifests
from runmart.lake.distributed.job import Job
from runmart.lake.parquet import schema
from runmart.lake.parquet.export import cast_columns, copy
from runmart.lake.parquet.manifest import File, Manifest, Partition, Written
from runmart.models import arrow
from runmart.models.columns import JSON, VARCHAR
from runmart.models.tables.all import ALL_TABLES, TABLES
from runmart.models.tables.bookkeeping import INPUTS, LOADS, REJECTS
from runmart.models.tables.steps import STEPS

_parquet: Any = pq.ParquetFile

MEMORY = "512MB"
BOOKKEEPING = (INPUTS, REJECTS)
"""Bookkeeping tables that a lake stores in files, one per shard."""

_MONTH = "strftime(created_at, '%Y-%m')"


class Key(NamedTuple):
    """The key column of some tables."""

    table: str
    """The table whose primary key it is."""
    column: str
    tables: tuple[str, ...]
    """The tables that have the column."""

    @property
    def ids(self) -> str:
        """The name of the table of ids of the batch."""
        return f"{self.table}_ids"

    @property
    def stored(self) -> str:
        """The name of the table of ids that the lake holds, with the index of their partition."""
        return f"{self.table}_stored"

    @property
    def changed(self) -> str:
        """A query of the ids of rows that the batch has inserted or replaced."""
        return f"select {self.column} from main.{self.table} where load_id > 0"


RUN = Key("runs", "run_id", tuple(table.name for table in TABLES))
STEP = Key("steps", "step_id", (STEPS.name,))


class Shard:
    """A shard of a lake's snapshot before a batch, in a temporary warehouse that is filled on demand."""

    def __init__(self, job: Job, manifest: Manifest, number: int) -> None:
        """Create the warehouse, with the loads only."""
        self.number = number
        self.job = job
        self.storage = job.storage()
        self.lake = manifests.metadata_of(manifest)
        self.written: list[Written] = [one for one in manifest.partitions if one.shard == number]
        self._folder = TemporaryDirectory(prefix="runmart-")
        self.folder = Path(self._folder.name)
        config: dict[str, Any] = {"memory_limit": MEMORY, "threads": 1, "preserve_insertion_order": False}
        self.connection = duckdb.connect(self.folder / "shard.duckdb", config=config)
        self.connection.execute("set timezone = 'UTC'")
        self.writer = FileWriter(self.connection)
        with self.writer.transaction():  # else each table would be written to the disk by itself
            create_tables(self.connection, has_comments=False)
        self._fill_loads()

    def __enter__(self) -> Self:
        """The warehouse is deleted on exit."""
        return self

    def __exit__(self, *_: object) -> None:
        """Delete the warehouse."""
        self.connection.close()
        self._folder.cleanup()

    def _fill_loads(self) -> None:
        self._insert(f"runmart.{LOADS.name}", manifests.loads(self.lake))

    def _insert(self, table: str, rows: Any) -> None:
        self.connection.register("filling", rows)
        self.connection.execute(f"insert into {table} by name select * from filling")
        self.connection.unregister("filling")

    def fill(self, table: str) -> int:
        """Insert the rows of a bookkeeping table of this shard; returns their number."""
        file = self.lake.bookkeeping.get(table, {}).get(self.number)
        if file is None:
            return 0
        self.connection.execute(
            f"insert into runmart.{table} by name from {schema.relation(table, file.schema, self._source(file))}"
        )
        return file.rows

    def fill_rows(self, key: Key) -> None:
        """Insert the stored rows that have ids of the batch, and record their partitions."""
        connection = self.connection
        connection.execute(f"create table {key.stored} (id varchar, partition integer)")
        for at, one in enumerate(self.written):
            if key.table not in one.files:
                continue
            reader = _parquet(self.storage.open(one.files[key.table].path))
            stream = pa.RecordBatchReader.from_batches(
                pa.schema([(key.column, VARCHAR)]), _plain(reader.iter_batches(columns=[key.column]))
            )
            connection.register("stored_ids", stream)
            [(count,)] = connection.execute(f"""
                insert into {key.stored} select {key.column}, {at} from stored_ids
                where {key.column} in (select id from {key.ids})""").fetchall()
            connection.unregister("stored_ids")
            if count:
                self._fill_from(one, key, f"select id from {key.stored} where partition = {at}")

    def _fill_from(self, one: Written, key: Key, ids: str) -> None:
        for table in ALL_TABLES:
            if table.name not in key.tables or table.name not in one.files:
                continue
            stored = schema.columns(table.name)
            values = {
                column.name: f"cast({column.name} as json)" if column.type == JSON else column.name
                for column in table.columns
                if column.name in stored
            }
            if table.name == key.table:
                values |= {"source": quoted(one.partition.source), "load_id": "0"}
            self.connection.execute(f"""
                insert into main.{table.name} ({", ".join(values)})
                select {", ".join(values.values())} from {self._stored(one, table.name)}
                where {key.column} in ({ids})""")

    def changed(self, key: Key) -> list[Partition]:
        """The partitions that lost or gained rows."""
        found = self.connection.execute(f"""
            select distinct coalesce(source, ''), {_MONTH} from main.{key.table} where load_id > 0""").fetchall()
        left = self.connection.execute(
            f"select distinct partition from {key.stored} where id in ({key.changed})"
        ).fetchall()
        partitions = {Partition(source, month) for source, month in found}
        return sorted(partitions | {self.written[int(at)].partition for (at,) in left}, key=_order)

    def at(self, partition: Partition) -> Written:
        """The files of a partition of this shard."""
        empty = Written(partition, "", {}, self.number)
        return next((one for one in self.written if one.partition == partition), empty)

    def write(self, old: Written, key: Key, table: str) -> File | None:
        """Rewrite a table of a partition; returns None when no row is left."""
        names = ", ".join(schema.columns(table))
        parts = [
            f"select {cast_columns(table)} from main.{table} where {key.column} in ({self._new(old.partition, key)})"
        ]
        if table in old.files:
            parts.append(f"select {names} from {self._stored(old, table)} where {key.column} not in ({key.changed})")
        return self._put(" union all ".join(parts), old.partition.path(table, self._name()))

    @staticmethod
    def _new(partition: Partition, key: Key) -> str:
        month = "is null" if partition.month is None else f"= '{partition.month}'"
        return f"{key.changed} and coalesce(source, '') = {quoted(partition.source)} and {_MONTH} {month}"

    def has_changed(self, table: str, count: int) -> bool:
        """Whether the batch has changed a bookkeeping table, which had `count` rows before."""
        [(left, new)] = self.connection.execute(
            f"select count(*), count(*) filter (load_id = {self.job.batch}) from runmart.{table}"
        ).fetchall()
        return new > 0 or left != count

    def write_bookkeeping(self, table: str) -> File | None:
        """Rewrite a bookkeeping file of this shard; returns None when no row is left."""
        query = f"select {', '.join(schema.columns(table))} from runmart.{table} order by all"
        if table == REJECTS.name:  # ids that differ from those of other shards
            query = f"""
                select * replace (case when load_id < {self.job.batch} then reject_id else (
                    (select coalesce(max(reject_id), 0) from runmart.rejects where load_id < {self.job.batch})
                        // {self.job.shards} + row_number() over (partition by load_id order by reject_id)
                    ) * {self.job.shards} + {self.number} end as reject_id)
                from runmart.rejects order by all"""
        return self._put(query, f"{table}/{self._name()}.parquet")

    def _name(self) -> str:
        """A unique file name, different in each attempt and on each machine."""
        return f"{self.number:05d}-{self.job.batch:06d}-{uuid.uuid4().hex[:12]}"

    def _put(self, query: str, name: str) -> File | None:
        path = self.folder / "out.parquet"
        file = copy(self.connection, query, path, name)
        if not file.rows:
            return None
        self.storage.put(path, name)
        return file

    def _stored(self, one: Written, table: str) -> str:
        """A subquery of all columns of a table of a partition, with defaults for those that its file lacks."""
        file = one.files[table]

        def siblings() -> dict[str, str]:
            return {name: self._source(other) for name, other in one.files.items()}

        return schema.relation(table, file.schema, self._source(file), siblings)

    def _source(self, file: File) -> str:
        path = self.storage.local(file.path, self.folder / "stored")
        return f"read_parquet({quoted(str(path))}, hive_partitioning = false)"


def _order(partition: Partition) -> tuple[str, str]:
    return partition.source, partition.month or ""


def _plain(batches: Iterable[Any]) -> Iterator[Any]:
    for batch in batches:
        yield arrow.record_batch([batch.column(0).cast(VARCHAR)], batch.schema.names)
