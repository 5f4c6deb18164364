"""Prune: deletes old runs, or redacts their content, and records a tombstone so that later loads skip them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from runmart.ingest.load.rejects import WITHHELD
from runmart.ingest.transform.admission import DROP_ALL, JSONS, TEXTS, redacted
from runmart.ingest.transform.redact_reasons import path_without_names, reason_without_content
from runmart.ingest.warehouse.backfill import sum_up_tools
from runmart.models.tables.all import ALL_TABLES
from runmart.models.tables.neighbours import REQUEST_FAILURES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from runmart.ingest.warehouse.writer import Writer

_CHUNK_ROWS = 200_000

_OLD = "coalesce(created_at, observed_at) < make_timestamptz({cut})"
_OF_OLD = "run_id in (select run_id from old_runs)"
_UNUSED_LOADS = """
    state <> 'running' and coalesce(finished_at, started_at) < make_timestamptz({cut}) and load_id not in (
    select load_id from main.runs union select load_id from main.steps union select load_id from main.request_failures
    union select load_id from main.webhook_events union select load_id from main.organization_usage
    union select load_id from runmart.rejects
    union select load_id from runmart.inputs union select load_id from runmart.content_rules)"""

_DELETED: dict[str, str] = {
    "main.usage": _OF_OLD,
    "main.tools": _OF_OLD,
    "main.errors": _OF_OLD,
    "main.steps": f"{_OF_OLD} or {_OLD}",
    "main.request_failures": f"{_OF_OLD} or coalesce(occurred_at, observed_at) < make_timestamptz({{cut}})",
    "main.webhook_events": f"{_OF_OLD} or {_OLD}",
    "main.runs": _OF_OLD,
    "runmart.given_up_runs": _OF_OLD,
    "runmart.unread_steps": _OF_OLD,
    "runmart.rejects": "observed_at < make_timestamptz({cut})",
    "runmart.threads": "coalesce(newest_created_at, checked_at) < make_timestamptz({cut})"
    " and checked_at < make_timestamptz({cut})",
    "runmart.inputs": "load_id in (select load_id from runmart.loads where command = 'pull'"
    " and finished_at < make_timestamptz({cut}))",
    "runmart.loads": _UNUSED_LOADS,
}
"""Condition of the rows to delete from each table, in this order. Inputs of `runmart ingest` stay, else these files
would be read again."""


class Pruned(NamedTuple):
    """Numbers of rows that a prune deletes."""

    runs: int
    """Runs deleted or redacted."""
    rows: dict[str, int]
    """Rows deleted from each table that loses any; empty when only content is redacted."""


def preview(connection: "DuckDBPyConnection", older_than: int, *, content_only: bool) -> Pruned:
    """The rows that a prune would delete; rows of `loads` that only the prune itself makes unused are not counted.

    Args:
        connection: A connection, which may be read-only.
        older_than: Runs created before this time are pruned, in microseconds since 1970; runs without a creation time
            by their observation time.
        content_only: Whether to redact only the content of these runs, and keep their rows.
    """
    if content_only:
        [(runs,)] = connection.execute(f"select count(*) from main.runs where {_old(_OLD, older_than)}").fetchall()
        return Pruned(runs, {})
    _find(connection, older_than)
    found: dict[str, int] = {}
    for table, condition in _DELETED.items():
        query = f"select count(*) from {table} where {_old(condition, older_than)}"
        [(count,)] = connection.execute(query).fetchall()
        found[table] = count
    return Pruned(found["main.runs"], {table: count for table, count in found.items() if count})


def prune(writer: "Writer", older_than: int, *, content_only: bool) -> Pruned:
    """Delete old runs with their child rows, or redact their content, in one transaction; see `preview`.

    Raises:
        duckdb.Error: The warehouse fails; nothing is changed.
    """
    return writer.with_write_lock(lambda: _prune(writer, older_than, content_only=content_only))


def _prune(writer: "Writer", older_than: int, *, content_only: bool) -> Pruned:
    connection = writer.connection
    with writer.transaction():
        found = _redact_old(connection, older_than) if content_only else _delete_old(connection, older_than)
        connection.execute(
            "insert into runmart.prunes values (now(), make_timestamptz(?), ?, ?, null)",
            [older_than, content_only, found.runs],
        )
    return found


def lift(writer: "Writer") -> int:
    """Lift all tombstones, so that pruned runs can be loaded again; returns the number of lifted ones."""
    update = "update runmart.prunes set lifted_at = now() where lifted_at is null"
    [(count,)] = writer.write_exclusively(lambda: writer.connection.execute(update).fetchall())
    return count


def _old(condition: str, older_than: int) -> str:
    return condition.format(cut=older_than)


def _find(connection: "DuckDBPyConnection", older_than: int) -> None:
    """Create the temporary table `old_runs`, the ids of the runs to prune."""
    connection.execute(f"""
        create or replace temp table old_runs as select run_id from main.runs where {_old(_OLD, older_than)}""")


def _delete_old(connection: "DuckDBPyConnection", older_than: int) -> Pruned:
    _find(connection, older_than)
    found: dict[str, int] = {}
    for table, condition in _DELETED.items():
        [(count,)] = connection.execute(f"delete from {table} where {_old(condition, older_than)}").fetchall()
        found[table] = count
    return Pruned(found["main.runs"], {table: count for table, count in found.items() if count})


def _redact_old(connection: "DuckDBPyConnection", older_than: int) -> Pruned:
    _find(connection, older_than)
    [(runs,)] = connection.execute("select count(*) from old_runs").fetchall()
    for table in (*ALL_TABLES, REQUEST_FAILURES):
        _redact_in(connection, table.name, _old(_DELETED.get(f"main.{table.name}", _OF_OLD), older_than))
    sum_up_tools(connection, _OF_OLD)
    old_rejects = _old("observed_at < make_timestamptz({cut})", older_than)
    connection.execute(f"""
        update runmart.rejects set raw = null, raw_encoding = '{WITHHELD}'
        where raw is not null and {old_rejects}""")
    for column, shown in (("reason", reason_without_content), ("json_path", path_without_names)):
        query = f"select distinct {column} from runmart.rejects where {column} is not null and {old_rejects}"
        for (text,) in connection.execute(query).fetchall():
            if shown(text) != text:
                update = f"update runmart.rejects set {column} = ? where {column} = ? and {old_rejects}"
                connection.execute(update, [shown(text), text])
    return Pruned(runs, {})


def _redact_in(connection: "DuckDBPyConnection", table: str, is_old: str) -> None:
    """Redact the content of old rows of one table, in chunks of rows; the condition says which are old."""
    columns = [column for of, column in (*TEXTS, *JSONS) if of == table]
    if not columns:
        return
    is_there = " or ".join(f"{column} is not null" for column in columns)
    texts = ", ".join(f"cast({column} as varchar) as {column}" for column in columns)
    for first in _starts(connection, table):
        rows = connection.sql(f"""
            select rowid as row_id, {texts} from main.{table}
            where rowid between {first} and {first + _CHUNK_ROWS - 1} and ({is_old}) and ({is_there})""")
        for batch in rows.to_arrow_table().combine_chunks().to_batches():
            connection.register("hidden_rows", redacted(table, batch, DROP_ALL))
            values = ", ".join(f"{column} = hidden_rows.{column}" for column in columns)
            connection.execute(f"""
                update main.{table} set {values} from hidden_rows where {table}.rowid = hidden_rows.row_id""")
            connection.unregister("hidden_rows")


def _starts(connection: "DuckDBPyConnection", table: str) -> Iterator[int]:
    [(last,)] = connection.execute(f"select coalesce(max(rowid), -1) from main.{table}").fetchall()
    yield from range(0, last + 1, _CHUNK_ROWS)
