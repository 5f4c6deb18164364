"""Helpers of the tests of lakes: their rows and files, and the same data loaded into a warehouse."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from runmart.ingest.load.loader import Load
from runmart.ingest.pipeline import ingest
from runmart.ingest.warehouse.connection import open_for_writing
from runmart.lake import view_file
from runmart.lake.parquet.manifest import File, LakeMetadata, Manifest, read_manifest
from runmart.models.tables.all import ALL_TABLES
from runmart.models.tables.bookkeeping import INPUTS, REJECTS
from runmart.queries import install

Rows = dict[str, list[tuple[Any, ...]]]

TABLES: dict[str, tuple[str, ...]] = {
    **{table.name: tuple(column.name for column in table.columns) for table in ALL_TABLES},
    **{f"runmart.{table.name}": tuple(note.name for note in table.columns) for table in (INPUTS, REJECTS)},
}
"""The tables that are compared, and their columns."""

_OWN = {"load_id", "reject_id"}
"""Columns of generated numbers, which are not compared."""


def rows(warehouse: Path) -> Rows:
    """All rows of a warehouse or view file as texts, without ids and times of loads."""
    with duckdb.connect(warehouse, read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        return {table: _rows(connection, table, columns) for table, columns in TABLES.items()}


def _rows(connection: duckdb.DuckDBPyConnection, table: str, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
    texts = ", ".join(f"cast({name} as varchar) as {name}" for name in columns if name not in _OWN)
    return connection.execute(f"select {texts} from {table} order by all").fetchall()


def tables(found: Rows) -> Rows:
    """The tables of runs and steps, without the bookkeeping tables."""
    return {name: rows for name, rows in found.items() if not name.startswith("runmart.")}


def lake_rows(lake: Path) -> Rows:
    """All rows of a lake, read through a view file without the views, which take most of the time to create."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(view_file, "install", _nothing)
        return rows(opened(lake))


def _nothing(_: object) -> None:
    pass


def opened(lake: Path) -> Path:
    """A view file of a lake, beside it."""
    file = lake.with_name(f"{lake.name}.duckdb")
    view_file.write_view_file(str(lake), file)
    return file


def alone(warehouse: Path, *sources: Path, has_views: bool = False, **options: Any) -> Load:
    """The same load by one process into a warehouse."""
    given: dict[str, Any] = {"source": "default", "workers": 0, **options}
    with open_for_writing(warehouse, 0) as writer:
        if has_views:
            install(writer)
        return ingest(writer, [str(path) for path in sources], **given)


def manifest(lake: Path) -> tuple[Manifest, LakeMetadata]:
    """The manifest of a lake, and its lake-only part."""
    found = read_manifest(lake)
    assert found is not None
    assert found.lake is not None
    return found, found.lake


def named(lake: Path) -> dict[str, File]:
    """The files that the manifest of a lake names."""
    found, of_lake = manifest(lake)
    files = [file for _, file in found.files()]
    files += [file for table in of_lake.bookkeeping.values() for file in table.values()]
    return {file.path: file for file in files}


def present(lake: Path) -> dict[str, int]:
    """All files in the folder except the manifest, with their modification times."""
    files = (path for path in lake.rglob("*") if path.is_file() and path.name != "runmart-export.json")
    return {str(path.relative_to(lake)): path.stat().st_mtime_ns for path in files}


def unreferenced_files(lake: Path) -> set[str]:
    """Files on disk that are neither in the manifest nor kept for readers of the previous batch."""
    return present(lake).keys() - named(lake).keys() - set(manifest(lake)[1].replaced)


def counts(load: Mapping[str, Any] | Load) -> dict[str, Any]:
    """The counts and the state of a load."""
    names = ("inputs", "inputs_unchanged", "pages", "observations", "new_runs", "updated_runs", "unchanged", "rejected")
    names += ("steps", "pruned")
    if isinstance(load, Load):
        of_load = {name: getattr(load.totals, name) for name in names}
        return {**of_load, "skipped": load.totals.skipped.total(), "state": load.state}
    return {name: load[name] for name in (*names, "skipped", "state")}
