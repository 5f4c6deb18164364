"""Upkeep: a DuckLake's files are merged, and what no snapshot needs any more is removed.

Each load adds small files, and marks rows as deleted in files that stay. Nobody writes meanwhile, since a load whose
rows are moved while it deletes them has to be done again; between two steps, those who wait have their turn.
"""

import time
from typing import TYPE_CHECKING, NamedTuple

from runmart.ingest.warehouse.ducklake import NAME
from runmart.ingest.warehouse.write_lock import catalog, in_turn, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

KEEP_SECONDS = 7 * 86_400.0
"""So long what a lake held at a time can be asked for."""

DELETED_SHARE = 0.2
"""A file of which so many rows are deleted is written anew."""

IN_USE_SECONDS = 3600.0
"""So long files stay that no snapshot needs: a query that is going on may read them."""

UNKNOWN_SECONDS = 86_400.0
"""So old are files that the catalog does not know before they are removed: a load that was killed has left them."""


class Optimized(NamedTuple):
    """What was done."""

    rewritten: int
    """Files that were written anew, since many of their rows were deleted."""
    merged: int
    """Files that were merged."""
    created: int
    """Files that took their place."""
    expired: int
    """Snapshots that can no longer be asked for."""
    removed: int
    """Files that were removed."""
    seconds: float


def maintain(connection: "DuckDBPyConnection", keep_seconds: float = KEEP_SECONDS) -> Optimized:
    """Keep a lake quick and small.

    Args:
        connection: A connection from `open_for_writing`.
        keep_seconds: What the lake held so long ago can still be asked for.

    Raises:
        LockedError: Somebody else writes for too long.
        duckdb.Error: The lake cannot be written to.
    """
    started = time.monotonic()
    rewritten = merged = created = 0
    for schema, table in _tables(connection):
        of_table = f"'{NAME}', '{table}', schema => '{schema}'"
        rows = _call(connection, f"ducklake_rewrite_data_files({of_table}, delete_threshold => {DELETED_SHARE})")
        rewritten += sum(row[2] for row in rows)
        created += sum(row[3] for row in rows)
        rows = _call(connection, f"ducklake_merge_adjacent_files({of_table})")
        merged += sum(row[2] for row in rows)
        created += sum(row[3] for row in rows)
    expired, removed = _clean(connection, keep_seconds, IN_USE_SECONDS)
    return Optimized(rewritten, merged, created, expired, removed, time.monotonic() - started)


def purge(connection: "DuckDBPyConnection") -> None:
    """Let nothing remain of what was deleted: neither in files nor, as the smallest or greatest text, in the catalog.

    A query that is going on meanwhile may fail, for want of a file.

    Raises:
        LockedError: Somebody else writes for too long.
        duckdb.Error: The lake cannot be written to.
    """
    for schema, table in _tables(connection):
        _call(
            connection, f"ducklake_rewrite_data_files('{NAME}', '{table}', schema => '{schema}', delete_threshold => 0)"
        )
    _clean(connection, 0, 0)
    in_turn(connection, lambda: catalog(connection, _FORGET))


def _tables(connection: "DuckDBPyConnection") -> "Iterator[tuple[str, str]]":
    """The schema and the name of each table that is ours, so that they need no quotes."""
    yield from connection.execute(f"""
        select schema_name, table_name from duckdb_tables()
        where database_name = '{NAME}' and regexp_full_match(schema_name || table_name, '\\w+')
        order by all""").fetchall()


def _clean(connection: "DuckDBPyConnection", keep_seconds: float, in_use_seconds: float) -> tuple[int, int]:
    """Forget old snapshots, and remove the files that only they need; gives how many of each."""
    expired = _call(
        connection, f"ducklake_expire_snapshots('{NAME}', older_than => {_ago(keep_seconds)})", "snapshot_id"
    )
    removed = _call(connection, f"ducklake_cleanup_old_files('{NAME}', older_than => {_ago(in_use_seconds)})")
    unknown = _call(connection, f"ducklake_delete_orphaned_files('{NAME}', older_than => {_ago(UNKNOWN_SECONDS)})")
    return len(expired), len(removed) + len(unknown)


def _ago(seconds: float) -> str:
    return f"now() - to_microseconds({round(seconds * 1_000_000)})"


def _call(connection: "DuckDBPyConnection", function: str, columns: str = "*") -> list[tuple[int, ...]]:
    """Call one of DuckLake's functions in a turn; instants in its answer would need another package."""

    def call() -> list[tuple[int, ...]]:
        with transaction(connection):
            return connection.execute(f"select {columns} from {function}").fetchall()

    return in_turn(connection, call)


_FORGET = """
    with found as (
        select columns.table_id, columns.column_id,
            min(files.min_value collate "C") as lowest, max(files.max_value collate "C") as highest
        from ducklake_column as columns
        left join (
            select stats.* from ducklake_file_column_stats as stats
            join ducklake_data_file as file using (data_file_id)
            where file.end_snapshot is null
        ) as files on files.table_id = columns.table_id and files.column_id = columns.column_id
        where columns.column_type in ('varchar', 'json') and columns.end_snapshot is null
        group by columns.table_id, columns.column_id
    )
    update ducklake_table_column_stats as stats
    set min_value = found.lowest, max_value = found.highest
    from found where found.table_id = stats.table_id and found.column_id = stats.column_id"""
"""DuckLake keeps the smallest and the greatest text of a column when the rows that had it are gone."""
