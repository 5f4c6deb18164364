"""Read: what an export holds goes into a warehouse, by the merge that every load goes through."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from runmart.exports.layout import COLUMNS, MANIFEST, PLAIN, ExportError, Manifest, Partition, read_manifest
from runmart.ingest.convert import Converted, let_in
from runmart.ingest.decoded import Counts
from runmart.ingest.flatten import OBSERVATION, Batches
from runmart.ingest.load import Load, ReadInput
from runmart.ingest.pipeline import loading
from runmart.models import arrow
from runmart.models.columns import BIGINT, JSON, VARCHAR, Table
from runmart.models.steps import STEPS
from runmart.models.tables import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from runmart.models.content import Content

_CHUNK_RUNS = 50_000

_KEYS = {"prices": ("provider", "model", "valid_from"), "model_aliases": ("source", "model")}


def restore(connection: "DuckDBPyConnection", folder: Path, content: "Content | None" = None) -> Load:
    """Load an export: runs and steps as they were observed, and the prices and aliases that are not there.

    Args:
        connection: A connection from `open_for_writing`.
        folder: The export.
        content: What becomes of the content of runs; see `Load`.

    Raises:
        ExportError: It is none, or damaged; nothing is loaded.
        WarehouseError: Content is to be hashed, and the key is missing, or not the warehouse's.
        duckdb.Error: The warehouse fails; the batch at hand is rolled back.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise ExportError(f"{folder}: it is no export of runmart: there is no {MANIFEST}")
    with duckdb.connect(config={"memory_limit": "512MB"}) as reader:
        reader.execute("set timezone = 'UTC'")
        _check(reader, folder, manifest)
        with loading(connection, "import", "", content) as load:
            for one in manifest.partitions:
                _load(reader, folder, one.partition, one.rows, load)
            for table in PLAIN:
                _add_missing(connection, folder / table / "data.parquet", table)
    return load


def _check(reader: "DuckDBPyConnection", folder: Path, manifest: Manifest) -> None:
    """See that each file is there, is whole, and has its columns and rows."""
    expected = {
        one.partition.path(table): (table, rows) for one in manifest.partitions for table, rows in one.rows.items()
    }
    for name, (table, rows) in expected.items():
        path = folder / name
        if not path.exists():
            raise ExportError(f"{path} is missing; export it again, or restore the file")
        try:
            relation = reader.read_parquet(str(path), hive_partitioning=False)
            [(found,)] = relation.count("*").fetchall()
        except duckdb.Error as error:
            raise ExportError(f"{path} is damaged: {str(error).splitlines()[0]}") from None
        missing = set(COLUMNS[table]) - set(relation.columns)
        if missing or found != rows:
            what = f"the columns {', '.join(sorted(missing))}" if missing else f"{rows - found} of {rows} rows"
            raise ExportError(f"{path}: it lacks {what}; was it changed after the export?")


def _load(reader: "DuckDBPyConnection", folder: Path, partition: Partition, rows: dict[str, int], load: Load) -> None:
    path = folder / partition.path("runs")
    for batches in _batches(reader, folder, partition, rows, load.load_id):
        count = batches.runs.num_rows
        _add(load, Converted([batches], [[]], [Counts(count, 0, count)], Counter(), 0, None), path)
    if "steps" in rows:
        for steps in _steps(reader, folder, partition, load.load_id):
            _add(load, Converted([], [[]], [Counts(0, 0, steps.num_rows)], Counter(), 0, steps), path)
    if "runs" in rows:
        found = path.stat()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        load.finish_input(
            ReadInput(str(path.resolve()), found.st_size, digest, found.st_mtime_ns // 1000, rows["runs"], 0)
        )


def _add(load: Load, found: Converted, path: Path) -> None:
    load.add(found if load.door.is_open else let_in(found, load.door), [(str(path), 0)])


def _batches(
    reader: "DuckDBPyConnection", folder: Path, partition: Partition, rows: dict[str, int], load_id: int
) -> Iterator[Batches]:
    """The rows of a partition, some runs after another."""
    for first in range(0, rows.get("runs", 0), _CHUNK_RUNS):
        reader.execute(f"""
            create or replace temp table chunk as
            select file_row_number - {first} as {OBSERVATION}, *
            from read_parquet({_quoted(folder / partition.path("runs"))}, hive_partitioning = false,
                file_row_number = true)
            where file_row_number >= {first} and file_row_number < {first + _CHUNK_RUNS}""")
        found: dict[str, pa.RecordBatch] = {}
        for table in TABLES:
            query = f"select * from chunk order by {OBSERVATION}"
            if table.name != "runs":
                file = _quoted(folder / partition.path(table.name))
                query = f"""
                    select chunk.{OBSERVATION}, rows.*
                    from read_parquet({file}, hive_partitioning = false) as rows
                    join chunk on chunk.run_id = rows.run_id order by 1"""
            is_there = table.name in rows
            found[table.name] = _batch(
                table, reader.sql(query).to_arrow_table() if is_there else None, partition, load_id
            )
        yield Batches(**found)


def _steps(reader: "DuckDBPyConnection", folder: Path, partition: Partition, load_id: int) -> Iterator[pa.RecordBatch]:
    relation = reader.sql(
        f"select * from read_parquet({_quoted(folder / partition.path('steps'))}, hive_partitioning = false)"
    )
    for some in relation.to_arrow_reader(_CHUNK_RUNS):
        yield _batch(STEPS, pa.Table.from_batches([some]), partition, load_id, is_numbered=False)


def _batch(
    table: Table[Any], found: Any, partition: Partition, load_id: int, *, is_numbered: bool = True
) -> pa.RecordBatch:
    """Rows of a table as flattening makes them; none of a table that is None."""
    count = 0 if found is None else found.num_rows
    columns: list[Any] = []
    names = [OBSERVATION] if is_numbered else []
    if is_numbered:
        columns.append(arrow.array([], BIGINT) if found is None else _whole(found.column(OBSERVATION)).cast(BIGINT))
    for column in table.columns:
        names.append(column.name)
        kind = VARCHAR if column.type == JSON else column.type
        if column.name == "source":
            columns.append(arrow.repeat(partition.source, count, kind))
        elif column.name == "load_id":
            columns.append(arrow.repeat(load_id, count, kind))
        else:
            columns.append(arrow.array([], kind) if found is None else _whole(found.column(column.name)).cast(kind))
    return arrow.record_batch(columns, names)


def _whole(column: Any) -> Any:
    return column.combine_chunks()


def _add_missing(connection: "DuckDBPyConnection", path: Path, table: str) -> None:
    """Add the rows of a table that the warehouse does not have."""
    if not path.exists():
        return
    same = " and ".join(f"old.{name} = new.{name}" for name in _KEYS[table])
    connection.execute(f"""
        insert into main.{table}
        select * from read_parquet({_quoted(path)}) as new
        where not exists (select 1 from main.{table} as old where {same})""")


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
