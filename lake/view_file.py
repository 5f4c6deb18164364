"""Windows: a small DuckDB file whose tables are views over a lake, for the shell, the dashboards and the checks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from runmart.ingest.errors import WarehouseError
from runmart.ingest.warehouse.connection import STORAGE_VERSION, viewed_lake
from runmart.ingest.warehouse.migrations import migrate
from runmart.ingest.warehouse.write_lock import transaction
from runmart.lake.batch import manifests
from runmart.lake.batch.shards import BOOKS, quoted
from runmart.lake.batch.storage import Storage
from runmart.lake.parquet.manifest import ExportError, File, Manifest
from runmart.models.columns import Table
from runmart.models.tables.all import ALL_TABLES
from runmart.models.tables.bookkeeping import Book
from runmart.models.tables.prices import MODEL_ALIASES, PRICES
from runmart.queries import install

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_KEPT = (PRICES, MODEL_ALIASES)


def open_window(lake: str, warehouse: Path) -> Manifest:
    """Make a window on a lake as it is now, or bring one up to date; its prices and aliases are kept.

    Args:
        lake: The lake: a folder.
        warehouse: The DuckDB file.

    Raises:
        ExportError: There is no lake, or it is elsewhere than in a folder.
        WarehouseError: The file is something else than a window, or cannot be written.
    """
    storage = Storage(lake)
    manifest = manifests.read(storage)
    if manifest is None:
        raise ExportError(f"{storage.address}: there is no lake; make one with: runmart lake load {lake} PAGES")
    if storage.path is None:
        raise ExportError(f"{storage.address}: a window looks into a folder of this machine; mount or copy the lake")
    aside = warehouse.with_name(f".{warehouse.name}.part")
    try:
        kept = _kept(warehouse)
        aside.unlink(missing_ok=True)
        with duckdb.connect(aside, config={"storage_compatibility_version": STORAGE_VERSION}) as connection:
            connection.execute("set timezone = 'UTC'")
            migrate(connection)
            with transaction(connection):
                _fill(connection, storage, manifest)
                for table, rows in kept.items():
                    connection.execute(f"delete from {table}")
                    _insert(connection, table, rows)
            install(connection)
        aside.replace(warehouse)
        warehouse.with_name(f"{warehouse.name}.wal").unlink(missing_ok=True)  # of the old file, from a shell that died
    except (duckdb.Error, OSError) as error:
        raise WarehouseError(f"{warehouse}: {str(error).splitlines()[0]}") from None
    finally:
        aside.unlink(missing_ok=True)
    return manifest


def _kept(warehouse: Path) -> dict[str, Any]:
    """What a window has of its own."""
    if not warehouse.exists():
        return {}
    with duckdb.connect(warehouse, read_only=True) as connection:
        if viewed_lake(connection) is None:
            raise WarehouseError(f"{warehouse}: it is no window on a lake; choose another file")
        return {f"main.{book.name}": connection.sql(f"from main.{book.name}").to_arrow_table() for book in _KEPT}


def _fill(connection: "DuckDBPyConnection", storage: Storage, manifest: Manifest) -> None:
    lake = manifests.lake_of(manifest)
    for table in ALL_TABLES:
        files = [one.files[table.name] for one in manifest.partitions if table.name in one.files]
        own = {column.name: _value(column.name, column.duckdb_type) for column in table.columns}
        _show(connection, f"main.{table.name}", table, _selected(storage, own, files))
    for book in BOOKS:
        same = {column.name: column.name for column in book.columns}
        files = list(lake.books.get(book.name, {}).values())
        _show(connection, f"runmart.{book.name}", book, _selected(storage, same, files))
    _insert(connection, "runmart.loads", manifests.loads(lake))
    connection.execute("create table runmart.window (lake varchar, batch bigint)")
    connection.execute("comment on table runmart.window is 'The lake that this file shows, and its last batch'")
    connection.execute("insert into runmart.window values (?, ?)", [storage.address, len(lake.loads)])


def _value(name: str, kind: str) -> str:
    """A column of a table, as the lake's files have it."""
    if name == "load_id":  # the files do not say
        return f"cast(null as {kind})"
    return "coalesce(source, '')" if name == "source" else f"cast({name} as {kind})"


def _selected(storage: Storage, columns: Mapping[str, str], files: Sequence[File]) -> str | None:
    """What reads the columns of files; None when there is no file."""
    if not files:
        return None
    selected = ", ".join(f"{value} as {name}" for name, value in columns.items())
    paths = ", ".join(quoted(f"{storage.path}/{file.path}") for file in files)
    options = "hive_partitioning = false"
    if "=" in files[0].path:
        options = "hive_partitioning = true, hive_types = {'source': varchar, 'month': varchar}"
    return f"select {selected} from read_parquet([{paths}], {options})"


def _show(connection: "DuckDBPyConnection", name: str, table: Table[Any] | Book, query: str | None) -> None:
    """Put a view in the place of a table; a table without rows stays."""
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
