"""Schemas of files: which columns files of each schema version have, and SQL that reads them with all columns.

The schema version of a file is the number of the last migration that added a column to files when it was written. Files
are never rewritten for a migration: a column that they lack reads as the default which that migration declares, a typed
null in most cases.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from runmart.ingest.warehouse import migrations
from runmart.ingest.warehouse.migrations import AddedColumn
from runmart.models.columns import JSON, Table, duckdb_type
from runmart.models.tables.all import ALL_TABLES, OTHER_TABLES
from runmart.models.tables.bookkeeping import INPUTS, LOADS, REJECTS

PARTITIONED = tuple(table.name for table in ALL_TABLES)
"""Tables that lie in partitions."""

PLAIN = tuple(table.name for table in OTHER_TABLES)
"""Tables that an export writes whole, into one file each."""

STORED: dict[str, Table[Any]] = {table.name: table for table in (*ALL_TABLES, *OTHER_TABLES, INPUTS, REJECTS)}
"""All tables that are stored in files, by name."""
_NOT_STORED = {"source", "load_id"}
"""Columns that partitions do not store: the path holds the source, and only a warehouse knows its loads."""


def current() -> int:
    """The schema version of files that are written now."""
    stored = {*STORED, LOADS.name}
    return max(
        migration.version
        for migration in migrations.MIGRATIONS
        if not stored.isdisjoint(column.table for column in migration.adds)
    )


def columns(table: str) -> dict[str, str]:
    """The columns of files that are written now, in order, with their DuckDB types; JSON is stored as text."""
    hidden = _NOT_STORED if table in PARTITIONED else set[str]()
    return {
        column.name: "VARCHAR" if column.type == JSON else duckdb_type(column.type)
        for column in STORED[table].columns
        if column.name not in hidden
    }


def added_since(table: str, schema: int) -> Iterator[tuple[AddedColumn, ...]]:
    """The columns that files of a schema version lack, grouped by migration, in order."""
    for migration in migrations.MIGRATIONS:
        if migration.version > schema and (
            added := tuple(column for column in migration.adds if column.table == table)
        ):
            yield added


def columns_at(table: str, schema: int) -> list[str]:
    """The names of the columns of files of a schema version."""
    absent = {column.name for added in added_since(table, schema) for column in added}
    return [name for name in columns(table) if name not in absent]


def relation(
    table: str,
    schema: int,
    source: str,
    siblings: Callable[[], Mapping[str, str]] | None = None,
    *,
    also: Sequence[str] = (),
) -> str:
    """A subquery with all columns of a table over files of a schema version.

    Args:
        table: The table.
        schema: The schema version of the files.
        source: What to select from: a `read_parquet` of the files.
        siblings: Gives the same for each table of the partition, from which defaults may be computed; None where the
            connection has tables of these names.
        also: Other columns of `source` to include.
    """
    types = columns(table)
    query = f"select {', '.join((*also, *columns_at(table, schema)))} from {source}"
    for added in added_since(table, schema):
        values = ", ".join(f"cast({column.default} as {types[column.name]}) as {column.name}" for column in added)
        query = f"select {table}.*, {values} from ({query}) as {table}"
    is_computed = any(column.default != "null" for added in added_since(table, schema) for column in added)
    if is_computed and siblings is not None:
        query = f"with {_siblings(siblings())} {query}"
    return f"({query})"


def _siblings(sources: Mapping[str, str]) -> str:
    """Common table expressions of the partitioned tables; empty where a partition has no file of one."""
    return ", ".join(
        f"{table} as (select * from {sources[table]})" if table in sources else f"{table} as ({_empty(table)})"
        for table in PARTITIONED
    )


def _empty(table: str) -> str:
    values = ", ".join(f"cast(null as {kind}) as {name}" for name, kind in columns(table).items())
    return f"select {values} where false"
