"""A warehouse without a loader: rows go straight into the four tables."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from rows import Fill, Rows, insert

from runmart.ingest.schema import create_tables
from runmart.ingest.warehouse import STORAGE_VERSION
from runmart.queries import install


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """Where the warehouse of the test is."""
    return tmp_path / "runs.duckdb"


@pytest.fixture
def filled(warehouse: Path) -> Iterator[Fill]:
    """Makes a warehouse with the views over some rows."""
    with duckdb.connect(warehouse, config={"storage_compatibility_version": STORAGE_VERSION}) as connection:
        connection.execute("set timezone = 'UTC'")

        def fill(tables: Rows) -> duckdb.DuckDBPyConnection:
            create_tables(connection)
            install(connection)
            insert(connection, tables)
            return connection

        yield fill
