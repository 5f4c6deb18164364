"""Maintenance of a DuckLake: compacts files, expires snapshots, deletes unreferenced files.

Each load adds small files, and marks rows as deleted in files that stay. Each step holds the write lock, since a load
whose rows are moved while it deletes them has to be tried again; between two steps, waiting writers get the lock.
"""

import time
from typing import TYPE_CHECKING

from runmart.ingest.warehouse.backend import NAME, Maintained

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

    from runmart.ingest.warehouse.write_lock import DuckLakeWriter

DELETED_SHARE = 0.2
"""A file with this share of deleted rows is rewritten."""

IN_USE_SECONDS = 3600.0
"""How long unreferenced files stay: a running query may read them."""

UNKNOWN_SECONDS = 86_400.0
"""The age at which files are removed that the catalog does not know: a load that was killed has left them."""


def maintain(writer: "DuckLakeWriter", keep_seconds: float) -> Maintained:
    """Keep a lake quick and small.

    Args:
        writer: A writer to the lake.
        keep_seconds: How long old snapshots stay queryable.

    Raises:
        LockedError: Another process writes for too long.
        duckdb.Error: The lake cannot be written to.
    """
    started = time.monotonic()
    rewritten = merged = created = 0
    for schema, table in _tables(writer.connection):
        of_table = f"'{NAME}', '{table}', schema => '{schema}'"
        rows = _call(writer, f"ducklake_rewrite_data_files({of_table}, delete_threshold => {DELETED_SHARE})")
        rewritten += sum(row[2] for row in rows)
        created += sum(row[3] for row in rows)
        rows = _call(writer, f"ducklake_merge_adjacent_files({of_table})")
        merged += sum(row[2] for row in rows)
        created += sum(row[3] for row in rows)
    expired, removed = _clean(writer, keep_seconds, IN_USE_SECONDS)
    return Maintained(rewritten, merged, created, expired, removed, time.monotonic() - started)


def purge(writer: "DuckLakeWriter") -> None:
    """Remove deleted rows for good: from files, and from the minima and maxima of texts in the catalog.

    A running query may fail, since its files are removed.

    Raises:
        LockedError: Another process writes for too long.
        duckdb.Error: The lake cannot be written to.
    """
    for schema, table in _tables(writer.connection):
        _call(writer, f"ducklake_rewrite_data_files('{NAME}', '{table}', schema => '{schema}', delete_threshold => 0)")
    _clean(writer, 0, 0)
    writer.with_write_lock(lambda: writer.execute_in_catalog(_RESET_STATISTICS))


def _tables(connection: "DuckDBPyConnection") -> "Iterator[tuple[str, str]]":
    """The schema and the name of each table whose name needs no quotes; ours do not."""
    yield from connection.execute(f"""
        select schema_name, table_name from duckdb_tables()
        where database_name = '{NAME}' and regexp_full_match(schema_name || table_name, '\\w+')
        order by all""").fetchall()


def _clean(writer: "DuckLakeWriter", keep_seconds: float, in_use_seconds: float) -> tuple[int, int]:
    """Expire old snapshots, and remove unreferenced files; returns the number of each."""
    expired = _call(writer, f"ducklake_expire_snapshots('{NAME}', older_than => {_ago(keep_seconds)})", "snapshot_id")
    removed = _call(writer, f"ducklake_cleanup_old_files('{NAME}', older_than => {_ago(in_use_seconds)})")
    unknown = _call(writer, f"ducklake_delete_orphaned_files('{NAME}', older_than => {_ago(UNKNOWN_SECONDS)})")
    return len(expired), len(removed) + len(unknown)


def _ago(seconds: float) -> str:
    return f"now() - to_microseconds({round(seconds * 1_000_000)})"


def _call(writer: "DuckLakeWriter", function: str, columns: str = "*") -> list[tuple[int, ...]]:
    """The rows of one of DuckLake's functions; not its instants, which would need another package."""
    query = f"select {columns} from {function}"
    return writer.write_exclusively(lambda: writer.connection.execute(query).fetchall())


_RESET_STATISTICS = """
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
"""DuckLake keeps the smallest and the greatest text of a column after the rows that held it were deleted."""
