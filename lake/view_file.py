"""Lake view file: a small DuckDB file whose tables are views over a lake, for the shell, the dashboards and checks."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from runmart.ingest.errors import WarehouseError
from runmart.ingest.sql_text import quoted
from runmart.ingest.warehouse.file_backend import FileWriter, viewed_lake
from runmart.ingest.warehouse.file_copy import STORAGE_VERSION
from runmart.ingest.warehouse.migrations import migrate
from runmart.lake.distributed import manifests
from runmart.lake.distributed.lake_storage import Storage
from runmart.lake.distributed.shards import BOOKKEEPING
from runmart.lake.parquet import schema
from runmart.lake.parquet.manifest import ExportError, File, Manifest
from runmart.models.columns import Table
from runmart.models.tables.all import ALL_TABLES, OTHER_TABLES
from runmart.queries import install

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def write_view_file(lake: str, warehouse: Path) -> Manifest:
    """Create the view file of a lake, or bring one up to date; its prices and aliases are kept.

    Args:
        lake: The lake's folder.
        warehouse: The DuckDB file.

    Returns:
        The manifest of the lake.

    Raises:
        ExportError: There is no lake, it is not in a folder of this machine, or a newer runmart wrote it.
        WarehouseError: The file exists and is no lake view file, or it cannot be written.
    """
    storage = Storage(lake)
    manifest = manifests.read(storage)
    if manifest is None:
        raise ExportError(f"{storage.address}: there is no lake; make one with: runmart lake load {lake} PAGES")
    if storage.path is None:
        raise ExportError(f"{storage.address}: a lake view file reads a folder of this machine; mount or copy the lake")
    aside = warehouse.with_name(f".{warehouse.name}.part")
    try:
        kept = _kept(warehouse)
        aside.unlink(missing_ok=True)
        with duckdb.connect(aside, config={"storage_compatibility_version": STORAGE_VERSION}) as connection:
            connection.execute("set timezone = 'UTC'")
            writer = FileWriter(connection)
            migrate(writer)
            with writer.transaction():
                _fill(connection, storage, manifest)
                for table, rows in kept.items():
                    connection.execute(f"delete from {table}")
                    _insert(connection, table, rows)
            install(writer)
        aside.replace(warehouse)
        warehouse.with_name(f"{warehouse.name}.wal").unlink(missing_ok=True)  # of the old file, from a shell that died
    except (duckdb.Error, OSError) as error:
        raise WarehouseError(f"{warehouse}: {str(error).splitlines()[0]}") from None
    finally:
        aside.unlink(missing_ok=True)
    return manifest


def _kept(warehouse: Path) -> dict[str, Any]:
    """The tables that a view file holds itself."""
    if not warehouse.exists():
        return {}
    with duckdb.connect(warehouse, read_only=True) as connection:
        if viewed_lake(connection) is None:
            raise WarehouseError(f"{warehouse}: it is no lake view file; choose another file")
        return {
            f"main.{table.name}": connection.sql(f"from main.{table.name}").to_arrow_table() for table in OTHER_TABLES
        }


def _fill(connection: "DuckDBPyConnection", storage: Storage, manifest: Manifest) -> None:
    lake = manifests.metadata_of(manifest)
    for table in reversed(ALL_TABLES):  # defaults of runs are computed from the others
        files = [one.files[table.name] for one in manifest.partitions if table.name in one.files]
        _show(connection, f"main.{table.name}", table, _selected(storage, table, files))
    for table in BOOKKEEPING:
        stored = lake.bookkeeping.get(table.name, {}).values()
        _show(connection, f"runmart.{table.name}", table, _selected(storage, table, stored))
    _insert(connection, "runmart.loads", manifests.loads(lake))
    connection.execute("create table runmart.window (lake varchar, batch bigint)")
    connection.execute("comment on table runmart.window is 'The lake that this file shows, and its last batch'")
    connection.execute("insert into runmart.window values (?, ?)", [storage.address, len(lake.loads)])


def _selected(storage: Storage, table: Table[Any], files: Collection[File]) -> str | None:
    """A query of the columns of a table over files of any schema versions; None without files."""
    queries = [
        _of_schema(storage, table, version, [file for file in files if file.schema == version])
        for version in sorted({file.schema for file in files})
    ]
    return " union all ".join(queries) or None


def _of_schema(storage: Storage, table: Table[Any], version: int, files: Sequence[File]) -> str:
    paths = ", ".join(quoted(f"{storage.path}/{file.path}") for file in files)
    values = {column.name: f"cast({column.name} as {column.duckdb_type})" for column in table.columns}
    options, also = "hive_partitioning = false", list[str]()
    if table.name in schema.PARTITIONED:
        options, also = "hive_partitioning = true, hive_types = {'source': varchar, 'month': varchar}", ["source"]
        values |= {"source": "coalesce(source, '')", "load_id": "cast(null as bigint)"}
    rows = schema.relation(table.name, version, f"read_parquet([{paths}], {options})", also=also)
    selected = ", ".join(f"{values[column.name]} as {column.name}" for column in table.columns)
    return f"select {selected} from {rows} as {table.name}"


def _show(connection: "DuckDBPyConnection", name: str, table: Table[Any], query: str | None) -> None:
    """Replace a table by a view; without a query the empty table stays."""
    if query is None:
        return
    columns = table.columns
    connection.execute(f"drop table {name}; create view {name} as {query}")
    comments = [f"comment on view {name} is {quoted(f'{table.purpose} Grain: {table.grain}.')}"]
    comments += [f"comment on column {name}.{column.name} is {quoted(column.meaning)}" for column in columns]
    connection.execute(";".join(comments))


def _insert(connection: "DuckDBPyConnection", table: str, rows: Any) -> None:
    connection.register("new_rows", rows)
    connection.execute(f"insert into {table} by name select * from new_rows")
    connection.unregister("new_rows")
