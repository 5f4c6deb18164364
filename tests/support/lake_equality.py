"""Compares the rows of a DuckLake with those of a DuckDB file."""

from pathlib import Path
from typing import Any

import duckdb

from runmart.lake.view_file import write_view_file
from runmart.models.tables.all import ALL_TABLES


def rows(warehouse: Path, table: str) -> tuple[int, Any]:
    """The number of rows of a table, and a digest of them without `load_id`."""
    with duckdb.connect(warehouse, read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.sql(f"""
            select count(*), bit_xor(md5_number(cast(to_json(t) as varchar)))
            from (select * exclude (load_id) from {table}) as t""").fetchall()[0]


def assert_equal(lake: Path, warehouse: Path) -> None:
    """Assert that a lake holds the same rows as a file."""
    view_file = lake.with_suffix(".duckdb")
    write_view_file(str(lake), view_file)
    for table in ALL_TABLES:
        name = table.name if "load_id" in table.schema.names else f"(select *, 0 as load_id from {table.name})"
        assert rows(view_file, name) == rows(warehouse, name), name
    for table in ("inputs", "(select * exclude (reject_id) from runmart.rejects)"):
        name = table if table.startswith("(") else f"runmart.{table}"
        assert rows(view_file, name) == rows(warehouse, name), name
