"""Writes rows of the bookkeeping tables, within the transaction that the caller has open."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from runmart.models import arrow
from runmart.models.columns import Table
from runmart.models.tables.bookkeeping import SCHEMA

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Row = tuple[Any, ...]
"""A value for each column of the table, in its order."""


def replace_rows(connection: "DuckDBPyConnection", table: Table[Any], rows: list[Row], key: tuple[str, ...]) -> None:
    """Insert rows; stored rows with the same values in the columns `key` are deleted first."""
    if not rows:
        return
    with _registered(connection, table, rows):
        is_same = " and ".join(f"old.{name} = new_rows.{name}" for name in key)
        connection.execute(f"delete from {SCHEMA}.{table.name} as old using new_rows where {is_same}")
        connection.execute(f"insert into {SCHEMA}.{table.name} by name select * from new_rows")


def delete_rows(
    connection: "DuckDBPyConnection", table: Table[Any], rows: list[Row], key: tuple[str, ...], until: str
) -> None:
    """Delete the stored rows with the same values in the columns `key`, and no later ones in the column `until`."""
    if not rows:
        return
    with _registered(connection, table, rows):
        is_same = " and ".join(f"old.{name} = new_rows.{name}" for name in key)
        connection.execute(f"""
            delete from {SCHEMA}.{table.name} as old using new_rows
            where {is_same} and old.{until} <= new_rows.{until}""")


def append_rows(
    connection: "DuckDBPyConnection", table: Table[Any], rows: list[Row], distinct_by: tuple[str, ...] = ()
) -> None:
    """Insert rows; with `distinct_by`, only those whose values in these columns are not stored yet."""
    if not rows:
        return
    condition = "true"
    if distinct_by:
        is_same = " and ".join(f"old.{name} is not distinct from new.{name}" for name in distinct_by)
        condition = f"not exists (select 1 from {SCHEMA}.{table.name} as old where {is_same})"
    with _registered(connection, table, rows):
        connection.execute(f"insert into {SCHEMA}.{table.name} by name select * from new_rows as new where {condition}")


@contextmanager
def _registered(connection: "DuckDBPyConnection", table: Table[Any], rows: list[Row]) -> Generator[None]:
    """The rows as the table `new_rows`."""
    columns = zip(table.columns, zip(*rows, strict=True), strict=True)
    arrays = [arrow.array(values, column.type) for column, values in columns]
    batch = arrow.record_batch(arrays, [column.name for column in table.columns])
    connection.register("new_rows", pa.Table.from_batches([batch]))
    try:
        yield
    finally:
        connection.unregister("new_rows")
