"""Incremental export of a warehouse: writes the partitions that have changed since the last export."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from runmart.ingest.digest import file_digest, short_digest
from runmart.ingest.errors import WarehouseError
from runmart.ingest.load import policies
from runmart.ingest.sql_text import quoted
from runmart.ingest.version import VERSION
from runmart.ingest.warehouse.migrations import schema_version
from runmart.lake.parquet import schema
from runmart.lake.parquet.manifest import (
    FORMAT,
    MANIFEST,
    MANIFEST_ASIDE,
    ExportError,
    File,
    Manifest,
    Partition,
    Written,
    held,
    put_in_place,
    read_manifest,
    whole,
    write_manifest,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MEMORY = "512MB"
_ASIDE = ".data.parquet.part"
"""The file that is being written, outside of the tables' folders: after a crash readers must not find it there."""

_MONTH = "strftime(created_at, '%Y-%m')"
_CHILDREN = ("usage", "tools", "errors")
_ALSO = {"runs": ["source"], "steps": ["source"]}
"""Columns of the warehouse that files lack, and that are needed to select the rows of a partition."""

_OLDEST_SCHEMA = 6
"""The first schema version with all tables of an export."""

_PRUNED_AT = """(
    select coalesce(max(epoch_us(pruned_at)), 0) from runmart.prunes
    where content_only and (month is null or older_than > cast(month || '-01' as timestamptz)))"""
"""The time of the last prune of content in a month; the session's time zone is UTC."""

Progress = Callable[[Partition], None]


class Outcome(NamedTuple):
    """Result of an export, in numbers of partitions."""

    written: int
    unchanged: int
    removed: int
    rows: dict[str, int]
    """Of each table, in all partitions."""
    bytes: int
    """Of all files."""


def export(
    connection: "DuckDBPyConnection",
    folder: Path,
    *,
    full: bool = False,
    progress: Progress = lambda _partition: None,
) -> Outcome:
    """Bring an export up to date with a warehouse.

    Args:
        connection: A connection from `open_for_reading`.
        folder: The folder of the export, which need not exist.
        full: Write all partitions, changed or not.
        progress: Called after each partition that was written.

    Raises:
        ExportError: The folder holds something else, or cannot be written to.
        WarehouseError: The warehouse has an older schema than any export.
    """
    connection.execute(f"set memory_limit = '{_MEMORY}'")
    try:
        _manifest(connection, folder)
        folder.mkdir(parents=True, exist_ok=True)
        with held(folder, for_writing=True):
            manifest = _manifest(connection, folder)  # read again under the lock
            return _update_partitions(connection, folder, manifest, full=full, progress=progress)
    except OSError as error:
        raise ExportError(f"{folder}: {error.strerror or error}; run the command again once that is fixed") from None
    except duckdb.IOException as error:
        raise ExportError(f"{folder}: {str(error).splitlines()[0]}; run the command again once that is fixed") from None


def _update_partitions(
    connection: "DuckDBPyConnection", folder: Path, manifest: Manifest, *, full: bool, progress: Progress
) -> Outcome:
    """Write the partitions that have changed, and record each in the manifest once it is written."""
    sources = _sources(connection)
    digests = _digests(connection)
    is_only_source = len({partition.source for partition in digests}) == 1
    known = {one.partition: one for one in manifest.partitions}
    changed = [one for one in digests if full or one not in known or known[one].digest != digests[one]]
    gone = [one for one in known if one not in digests]
    for partition in changed:  # after a crash the next export writes or removes these again
        known[partition] = Written(partition, "", known[partition].files if partition in known else {})
    manifest.stamp(VERSION)
    manifest.is_complete, manifest.partitions = False, [known[one] for one in sorted(known, key=_order)]
    write_manifest(folder, manifest)
    for partition in changed:
        known[partition].files = _write(connection, folder, partition, sources, is_only_source=is_only_source)
        known[partition].digest = digests[partition]
        write_manifest(folder, manifest)
        progress(partition)
    for partition in gone:
        _remove(folder, partition)
    manifest.partitions = [one for one in manifest.partitions if one.partition in digests]
    manifest.tables = {
        table: _write_whole(connection, folder, table, sources[table]) for table in schema.PLAIN if table in sources
    }
    manifest.is_complete = True
    write_manifest(folder, manifest)
    (folder / _ASIDE).unlink(missing_ok=True)  # a table without rows was the last
    rows = dict.fromkeys((*schema.PARTITIONED, *schema.PLAIN), 0)
    for table, file in manifest.files():
        rows[table] += file.rows
    size = sum(file.bytes for _, file in manifest.files())
    return Outcome(len(changed), len(digests) - len(changed), len(gone), rows, size)


def _order(partition: Partition) -> tuple[str, str]:
    return partition.source, partition.month or ""


def _manifest(connection: "DuckDBPyConnection", folder: Path) -> Manifest:
    """The present manifest, after checking that the folder holds an export of this warehouse, or nothing."""
    [(warehouse,)] = connection.execute(
        "select cast(min(applied_at) as varchar) from runmart.schema_version"
    ).fetchall()
    manifest = read_manifest(folder)
    if manifest is None:
        if folder.exists() and not (folder.is_dir() and {path.name for path in folder.iterdir()} <= {MANIFEST_ASIDE}):
            raise ExportError(f"{folder}: it holds something that is no export (no {MANIFEST}); choose an empty folder")
        return Manifest(FORMAT, VERSION, warehouse, is_complete=False, partitions=[], tables={})
    if manifest.lake is not None:
        raise ExportError(f"{folder}: it is a lake; choose another folder, and load that into the lake")
    if manifest.warehouse != warehouse:
        raise ExportError(
            f"{folder}: it is the export of another warehouse, made {manifest.warehouse}; choose another folder"
        )
    return manifest


def _digests(connection: "DuckDBPyConnection") -> dict[Partition, str]:
    """A digest of the rows of each partition. It changes with each load of a run, and when content is pruned.

    It includes the names of columns, so that all partitions are written again after an upgrade that adds one.
    """
    parts: dict[Partition, list[str]] = {}
    pruned_at = _PRUNED_AT if policies.has_policies(connection) else "0"
    for table, key in (("runs", "run_id"), ("steps", "step_id")):
        rows = connection.execute(f"""
            select
                coalesce(source, ''),
                {_MONTH} as month,
                count(*),
                cast(bit_xor(hash({key}, load_id, observed_at, observed_position)) as varchar),
                {pruned_at}
            from main.{table} group by all order by all""").fetchall()
        for source, month, *what in rows:
            parts.setdefault(Partition(source, month), []).append(f"{table} {' '.join(map(str, what))}")
    [(engine,)] = connection.execute("select version()").fetchall()
    columns = _columns_digest()
    return {partition: f"{', '.join(what)}; {engine}; {columns}" for partition, what in parts.items()}


def _sources(connection: "DuckDBPyConnection") -> dict[str, str]:
    """The source of each table: itself, or a subquery that adds the missing columns of an older schema.

    Raises:
        WarehouseError: The warehouse has an older schema than any export.
    """
    version = schema_version(connection)
    if version < _OLDEST_SCHEMA:
        raise WarehouseError(
            f"it has schema version {version}, exports need {_OLDEST_SCHEMA}: bring it up to date first, "
            "with any command that writes to it, such as runmart ingest"
        )
    return {
        table: f"{schema.relation(table, version, f'main.{table}', also=_ALSO.get(table, ()))} as {table}"
        if any(schema.added_since(table, version))
        else f"main.{table}"
        for table in (*schema.PARTITIONED, *_there(connection))
    }


def _there(connection: "DuckDBPyConnection") -> list[str]:
    """The tables to write whole that the warehouse has; one of an older schema lacks some."""
    found = connection.execute("""
        select distinct table_name from duckdb_columns()
        where database_name = current_database() and schema_name = 'main'""").fetchall()
    return [table for table in schema.PLAIN if (table,) in found]


def _columns_digest() -> str:
    columns = {table: tuple(schema.columns(table)) for table in schema.PARTITIONED}
    return short_digest(repr(columns).encode(), 16)


def _write(
    connection: "DuckDBPyConnection",
    folder: Path,
    partition: Partition,
    sources: Mapping[str, str],
    *,
    is_only_source: bool,
) -> dict[str, File]:
    """Write the files of a partition; returns the file of each table that has rows."""
    files: dict[str, File] = {}
    for table in schema.PARTITIONED:
        condition = _condition(table, partition, is_only_source=is_only_source)
        path = folder / (name := partition.path(table))
        file = _copy(connection, f"select {cast_columns(table)} from {sources[table]} where {condition}", folder, name)
        if file.rows:
            path.parent.mkdir(parents=True, exist_ok=True)
            put_in_place(folder / _ASIDE, path)
            files[table] = file
        elif path.parent.exists():
            path.unlink(missing_ok=True)
            _remove_empty(path.parent, folder)
    return files


def cast_columns(table: str) -> str:
    """The columns of a table in SQL; JSON as text, which every reader supports."""
    return ", ".join(f"cast({name} as {kind}) as {name}" for name, kind in schema.columns(table).items())


def _condition(table: str, partition: Partition, *, is_only_source: bool) -> str:
    """The condition in SQL of the rows of a table that are in a partition."""
    created = "run_created_at" if table in _CHILDREN else "created_at"
    of_month = f"{created} is null"
    if partition.month:
        start = f"timestamptz '{partition.month}-01 00:00:00+00'"
        of_month = f"{created} >= {start} and {created} < {start} + interval 1 month"
    if is_only_source:
        return of_month
    of_source = f"coalesce(source, '') = {quoted(partition.source)}"
    if table in _CHILDREN:
        of_runs = _condition("runs", partition, is_only_source=False)
        return f"{of_month} and run_id in (select run_id from main.runs where {of_runs})"
    return f"{of_month} and {of_source}"


def _write_whole(connection: "DuckDBPyConnection", folder: Path, table: str, source: str) -> File:
    path = folder / whole(table)
    path.parent.mkdir(exist_ok=True)
    query = f"select {', '.join(schema.columns(table))} from {source} order by all"
    file = _copy(connection, query, folder, whole(table))
    put_in_place(folder / _ASIDE, path)
    return file


def _copy(connection: "DuckDBPyConnection", query: str, folder: Path, name: str) -> File:
    """Write the rows of a query into the temporary file `_ASIDE`."""
    return copy(connection, query, folder / _ASIDE, name)


def copy(connection: "DuckDBPyConnection", query: str, path: Path, name: str) -> File:
    """Write the rows of a query into a Parquet file; returns its manifest entry, under the path `name`."""
    [(count,)] = connection.execute(
        f"copy ({query}) to {quoted(str(path))} (format parquet, compression zstd, use_tmp_file false)"
    ).fetchall()
    return File(name, count, path.stat().st_size, file_digest(path), schema.current())


def _remove(folder: Path, partition: Partition) -> None:
    """Remove the files of a partition that has no rows any more."""
    for table in schema.PARTITIONED:
        path = folder / partition.path(table)
        shutil.rmtree(path.parent, ignore_errors=True)
        _remove_empty(path.parent.parent, folder)


def _remove_empty(path: Path, folder: Path) -> None:
    """Remove a folder, and then its parents up to `folder`, while they are empty."""
    while path != folder and path.exists() and not any(path.iterdir()):
        path.rmdir()
        path = path.parent
