"""Helpers of the tests of views: insert rows, read and compare rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import duckdb
import pytest

from runmart.ingest.warehouse.backfill import sum_up_tools
from runmart.models.tables.all import ALL_TABLES, OTHER_TABLES
from runmart.models.tables.bookkeeping import LOADS, REJECTS, SOURCES

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows by table; a column that a row leaves out is null."""

Fill = Callable[[Rows], duckdb.DuckDBPyConnection]


def insert(connection: duckdb.DuckDBPyConnection, tables: Rows) -> None:
    """Insert rows, with instants in Unix seconds; runs get the columns that are computed from their tools."""
    books = {"loads": LOADS, "rejects": REJECTS, "sources": SOURCES}
    named = {table.name: table for table in (*ALL_TABLES, *OTHER_TABLES)}
    connection.execute("begin")  # each commit waits for the disk
    for name, table in {**named, **books}.items():
        rows = tables.get(table.name, [])
        if not rows:
            continue
        types = {column.name: column.duckdb_type for column in table.columns}
        names = sorted({column for row in rows for column in row})
        values = ", ".join("to_timestamp(?)" if types[one].startswith("TIMESTAMP") else "?" for one in names)
        connection.executemany(
            f"insert into {'runmart.' if name in books else ''}{name} ({', '.join(names)}) values ({values})",
            [[row.get(one) for one in names] for row in rows],
        )
    connection.execute("update main.runs set tool_count = 0")
    sum_up_tools(connection, "true")
    connection.execute("commit")


def records(connection: duckdb.DuckDBPyConnection, view: str, key: str) -> list[dict[str, Any]]:
    """The rows of a view as Python values, by key with null last; instants are Unix seconds."""
    columns = connection.sql(f"describe {view}").fetchall()
    values = [_selected(name, kind) for name, kind, *_ in columns]
    rows = connection.sql(f"select {', '.join(values)} from {view} order by {key} nulls last").fetchall()
    return [dict(zip([column[0] for column in columns], row, strict=True)) for row in rows]


def _selected(name: str, kind: str) -> str:
    """A column in the form in which it is compared: instants as seconds, days and hours as text."""
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"epoch_us({name}) / 1000000"
    return f"cast({name} as varchar)" if kind in {"DATE", "TIMESTAMP"} else name


def assert_rows(found: Sequence[Mapping[str, Any]], expected: Sequence[Mapping[str, Any]]) -> None:
    """Compare rows value by value, floats to nine digits."""
    assert len(found) == len(expected)
    for row, wanted in zip(found, expected, strict=True):
        different = {
            name: (row[name], value)
            for name, value in wanted.items()
            if row[name] != (pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value)
        }
        assert not different, f"column: (found, expected): {different}"
