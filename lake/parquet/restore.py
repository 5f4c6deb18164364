"""Import of an export or a lake into a warehouse, by the merge that every load uses."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from runmart.ingest.decode.result import BlockCounts
from runmart.ingest.digest import file_digest
from runmart.ingest.load.buffer import ReadInput
from runmart.ingest.load.loader import Load
from runmart.ingest.pipeline import loading
from runmart.ingest.sql_text import quoted
from runmart.ingest.transform.convert import Converted, admit
from runmart.lake.parquet import schema
from runmart.lake.parquet.manifest import (
    MANIFEST,
    ExportError,
    File,
    Manifest,
    Partition,
    Written,
    held,
    read_manifest,
)
from runmart.models import arrow
from runmart.models.batches import OBSERVATION, Batches
from runmart.models.columns import BIGINT, JSON, VARCHAR, Table
from runmart.models.tables.all import TABLES
from runmart.models.tables.neighbours import NEIGHBOURS
from runmart.models.tables.runs import RUNS
from runmart.models.tables.steps import STEPS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from runmart.ingest.warehouse.writer import Writer
    from runmart.models.redaction_policy import RedactionPolicy

_CHUNK_RUNS = 30_000
"""Runs per chunk: half of a merged batch; with a whole one an import takes 150 MB more and is no quicker."""

_MEMORY = "128MB"

_KEYS = {
    "prices": ("provider", "model", "tool", "valid_from"),
    "model_aliases": ("source", "model"),
    "deployments": ("deployment", "side", "match_kind", "match_value"),
}


_BESIDE_RUNS = {table.name: table for table in NEIGHBOURS}


def restore(writer: "Writer", folder: Path, content: "RedactionPolicy | None" = None) -> Load:
    """Load an export or a lake: what was observed, and missing prices, aliases and deployments.

    Args:
        writer: A writer from `open_for_writing`.
        folder: The export.
        content: The redaction policy; see `Load`.

    Raises:
        ExportError: It is no export, damaged, or of a newer runmart; nothing is loaded.
        WarehouseError: Content is to be hashed, and the key is missing or not the warehouse's.
        duckdb.Error: The warehouse failed; the current batch is rolled back.
    """
    if read_manifest(folder) is None:
        raise ExportError(f"{folder}: it is no export of runmart: there is no {MANIFEST}")
    with held(folder, for_writing=False), duckdb.connect() as reader:
        reader.execute(f"set timezone = 'UTC'; set memory_limit = '{_MEMORY}'")
        manifest = _checked(reader, folder)
        with loading(writer, "import", "", content) as load:
            for one in manifest.partitions:
                _load(reader, folder, one, load)
            for table, file in manifest.tables.items():
                if table in _BESIDE_RUNS:
                    _load_beside(reader, folder, _BESIDE_RUNS[table], file, load)
                else:
                    writer.write_exclusively(partial(_add_missing, writer.connection, folder, table, file))
    return load


def _checked(reader: "DuckDBPyConnection", folder: Path) -> Manifest:
    """The manifest, after all of its files were checked."""
    manifest = read_manifest(folder)
    if manifest is None or not manifest.is_complete:
        raise ExportError(
            f"{folder}: the export was cut short; run it again, or, to load what there is, "
            f"set is_complete to true in {MANIFEST}"
        )
    for table, file in manifest.files():
        check(reader, folder / file.path, table, file)
    return manifest


def check(reader: "DuckDBPyConnection", path: Path, table: str, file: File) -> None:
    """Check that a file is the one that was written, and has the columns of its schema version.

    Raises:
        ExportError: It is missing or damaged, lacks a column, or has one that this runmart does not know.
    """
    try:
        is_same = path.stat().st_size == file.bytes and file_digest(path, file.sha256) == file.sha256
    except FileNotFoundError:
        raise ExportError(f"{path} is missing; export it again, or restore the file") from None
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror or error}") from None
    if not is_same:
        raise ExportError(f"{path} is damaged, or was changed after the export; export it again, or restore it")
    found = set(reader.read_parquet(str(path), hive_partitioning=False).columns)
    if missing := set(schema.columns_at(table, file.schema)) - found:
        raise ExportError(f"{path}: it lacks the columns {', '.join(sorted(missing))}; export it again, or restore it")
    if unknown := found - set(schema.columns(table)):
        raise ExportError(
            f"{path}: a newer runmart wrote it, with columns that this one does not know "
            f"({', '.join(sorted(unknown))}): upgrade runmart"
        )


def _load(reader: "DuckDBPyConnection", folder: Path, one: Written, load: Load) -> None:
    for found in converted(reader, folder, one, load.load_id):
        load.add(found if load.admission.is_open else admit(found, load.admission), [("", 0)])  # nothing was rejected
    if "runs" in one.files:
        path = folder / one.files["runs"].path
        modified_at = path.stat().st_mtime_ns // 1000
        runs = one.files["runs"]
        load.finish_input(ReadInput(str(path.resolve()), runs.bytes, runs.sha256, modified_at, runs.rows, 0))


def _load_beside(reader: "DuckDBPyConnection", folder: Path, table: Table[Any], file: File, load: Load) -> None:
    """Load the rows of a table beside runs, as of this load: their own loads are those of another warehouse."""
    source = schema.relation(table.name, file.schema, _source(folder / file.path))
    others = ", ".join(column.name for column in table.columns if column.name != "load_id")
    names = ", ".join(column.name for column in table.columns)
    query = f"select {names} from (select {others}, cast({load.load_id} as bigint) as load_id from {source})"
    for some in reader.sql(query).to_arrow_reader(_CHUNK_RUNS):
        found = Converted([], [[]], [BlockCounts(0, 0, 0)], Counter(), 0, None, 0, {table.name: some})
        load.add(found if load.admission.is_open else admit(found, load.admission), [("", 0)])


def converted(reader: "DuckDBPyConnection", folder: Path, one: Written, load_id: int) -> Iterator[Converted]:
    """The rows of a partition in the form in which conversion gives them: runs in chunks, then steps.

    Args:
        reader: Any connection, whose time zone is UTC.
        folder: The folder to which the paths of files are relative.
        one: The partition.
        load_id: The `load_id` of the rows.
    """
    for batches in _batches(reader, folder, one, load_id):
        count = batches.runs.num_rows
        yield Converted([batches], [[]], [BlockCounts(count, 0, count)], Counter(), 0, None)
    if "steps" in one.files:
        for steps in _steps(reader, _relation(folder, one, "steps"), one.partition, load_id):
            yield Converted([], [[]], [BlockCounts(0, 0, steps.num_rows)], Counter(), 0, steps)


def _relation(folder: Path, one: Written, table: str, options: str = "", *also: str) -> str:
    """A subquery of all columns of a table of a partition, with defaults for those that its file lacks."""
    file = one.files[table]

    def siblings() -> dict[str, str]:
        return {name: _source(folder / other.path) for name, other in one.files.items()}

    return schema.relation(table, file.schema, _source(folder / file.path, options), siblings, also=also)


def _source(path: Path, options: str = "") -> str:
    return f"read_parquet({quoted(path)}, hive_partitioning = false{options})"


def _batches(reader: "DuckDBPyConnection", folder: Path, one: Written, load_id: int) -> Iterator[Batches]:
    """The rows of a partition, in chunks of runs."""
    if "runs" not in one.files:
        return
    numbered = _relation(folder, one, "runs", ", file_row_number = true", "file_row_number")
    for first in range(0, one.files["runs"].rows, _CHUNK_RUNS):
        reader.execute(f"""
            create or replace temp table chunk as
            select file_row_number - {first} as {OBSERVATION}, * from {numbered} as runs
            where file_row_number >= {first} and file_row_number < {first + _CHUNK_RUNS}""")
        found: dict[str, pa.RecordBatch] = {}
        for table in TABLES:
            query = f"select * from chunk order by {OBSERVATION}"
            is_there = table.name in one.files
            if is_there and table is not RUNS:
                query = f"""
                    select chunk.{OBSERVATION}, rows.*
                    from {_relation(folder, one, table.name)} as rows
                    join chunk on chunk.run_id = rows.run_id order by 1"""
            found[table.name] = _batch(
                table, reader.sql(query).to_arrow_table() if is_there else None, one.partition, load_id
            )
        yield Batches(**found)


def _steps(reader: "DuckDBPyConnection", steps: str, partition: Partition, load_id: int) -> Iterator[pa.RecordBatch]:
    for some in reader.sql(f"from {steps}").to_arrow_reader(_CHUNK_RUNS):
        yield _batch(STEPS, pa.Table.from_batches([some]), partition, load_id, is_numbered=False)


def _batch(
    table: Table[Any], found: Any, partition: Partition, load_id: int, *, is_numbered: bool = True
) -> pa.RecordBatch:
    """A record batch of a table in the form in which flattening gives it; empty when `found` is None."""
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


def _add_missing(connection: "DuckDBPyConnection", folder: Path, table: str, file: File) -> None:
    """Insert the rows of a table whose keys are not in the warehouse."""
    columns = ", ".join(schema.columns(table))
    same = " and ".join(f"old.{name} is not distinct from new.{name}" for name in _KEYS[table])
    connection.execute(f"""
        insert into main.{table} ({columns})
        select {columns} from {schema.relation(table, file.schema, _source(folder / file.path))} as new
        where not exists (select 1 from main.{table} as old where {same})""")
