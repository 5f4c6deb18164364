"""Fixtures: a warehouse whose rows are inserted directly into the tables."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from runmart.ingest.warehouse.file_backend import FileWriter
from runmart.ingest.warehouse.file_copy import STORAGE_VERSION
from runmart.ingest.warehouse.migrations import create_tables
from runmart.queries import install
from tests.support.rows import Fill, Rows, insert


@pytest.fixture(scope="session", name="empty")
def _empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with the views, to be copied, since creating one takes longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "runs.duckdb"
    with duckdb.connect(path, config={"storage_compatibility_version": STORAGE_VERSION}) as connection:
        connection.execute("set timezone = 'UTC'")
        create_tables(connection)
        install(FileWriter(connection))
    return path


@pytest.fixture
def filled(empty: Path, warehouse: Path) -> Iterator[Fill]:
    """Makes a warehouse with the views over given rows."""
    shutil.copy(empty, warehouse)
    with duckdb.connect(warehouse, config={"storage_compatibility_version": STORAGE_VERSION}) as connection:
        connection.execute("set timezone = 'UTC'")

        def fill(tables: Rows) -> duckdb.DuckDBPyConnection:
            insert(connection, tables)
            return connection

        yield fill
