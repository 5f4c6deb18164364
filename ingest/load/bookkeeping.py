"""Books: rows get into the bookkeeping tables, within the transaction that the caller has open."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from runmart.models import arrow
from runmart.models.tables.bookkeeping import Book

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def replace(connection: "DuckDBPyConnection", book: Book, rows: list[tuple[Any, ...]], by: tuple[str, ...]) -> None:
    """Delete the rows of a bookkeeping table that are the same `by` some columns as new ones, and insert these."""
    if not rows:
        return
    with _registered(connection, book, rows):
        same = " and ".join(f"old.{name} = new_rows.{name}" for name in by)
        connection.execute(f"delete from runmart.{book.name} as old using new_rows where {same}")
        connection.execute(f"insert into runmart.{book.name} by name select * from new_rows")


@contextmanager
def _registered(connection: "DuckDBPyConnection", book: Book, rows: list[tuple[Any, ...]]) -> Generator[None]:
    """The table `new_rows` while it is needed."""
    columns = zip(book.columns, zip(*rows, strict=True), strict=True)
    arrays = [arrow.array(values, note.type) for note, values in columns]
    batch = arrow.record_batch(arrays, [note.name for note in book.columns])
    connection.register("new_rows", pa.Table.from_batches([batch]))
    try:
        yield
    finally:
        connection.unregister("new_rows")


def append(
    connection: "DuckDBPyConnection",
    book: Book,
    rows: list[tuple[Any, ...]],
    distinct_by: tuple[str, ...] = (),
) -> None:
    """Insert rows into a bookkeeping table, but those already there by `distinct_by`."""
    condition = "true"
    if distinct_by:
        same = " and ".join(f"old.{name} is not distinct from new.{name}" for name in distinct_by)
        condition = f"not exists (select 1 from runmart.{book.name} as old where {same})"
    with _registered(connection, book, rows):
        connection.execute(f"insert into runmart.{book.name} by name select * from new_rows as new where {condition}")
