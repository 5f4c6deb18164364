"""`runmart status`: a summary of the warehouse."""

from typing import TYPE_CHECKING, Any

from runmart.cli.options import DEFAULT, Options
from runmart.cli.output import echo, echo_json, say_table
from runmart.ingest.load import policies
from runmart.ingest.load.rejects import count_items
from runmart.ingest.warehouse.migrations import schema_version
from runmart.models.statuses import TERMINAL_STATUSES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LOADS = {
    "load_id": "load",
    "started_at": "started",
    "state": "state",
    "new_runs": "new",
    "updated_runs": "updated",
    "rejected": "rejected",
    "seconds": "s",
}
"""The shown columns of a load, with their headings."""


def status(*, options: Options = DEFAULT) -> int:
    """Show a summary of the warehouse: runs, time range, last loads, rejects, and which DuckDB versions can open it."""
    with options.reading() as connection:
        facts = _facts(connection, options)
    if options.json:
        echo_json(facts)
        return 0
    echo(f"{facts['warehouse']}: {facts['runs']:,} runs, {facts['open_runs']:,} of them open, {facts['bytes']:,} bytes")
    echo(f"created between  {facts['oldest_run_at'] or '-'} and {facts['newest_run_at'] or '-'} (UTC)")
    echo(f"file             storage {facts['storage_version']}, for {facts['readable_by']}; schema {facts['schema']}")
    echo(f"rejects          {facts['rejects']:,}" + ("; see: runmart rejects" if facts["rejects"] else ""))
    if policy := ", ".join(f"{name} {rule}" for name, rule in sorted(facts["content"].items()) if rule != "keep"):
        echo(f"content          {policy}")
    echo("")
    if facts["runs"]:
        say_table("Runs by status", ("status", "runs"), [(row["status"], row["runs"]) for row in facts["statuses"]])
    say_table("Last loads (UTC)", list(_LOADS.values()), [[row[name] for name in _LOADS] for row in facts["loads"]])
    return 0


def _facts(connection: "DuckDBPyConnection", options: Options) -> dict[str, Any]:
    ended = ", ".join(f"'{name}'" for name in TERMINAL_STATUSES)
    runs = _rows(
        connection,
        f"""
        select
            count(*) as runs,
            count(*) filter (where status not in ({ended})) as open_runs,
            strftime(min(created_at), '%Y-%m-%d %H:%M:%S') as oldest_run_at,
            strftime(max(created_at), '%Y-%m-%d %H:%M:%S') as newest_run_at
        from runs""",
    )[0]
    storage = options.warehouse.storage_version(connection)
    return {
        "warehouse": str(options.warehouse),
        "bytes": options.warehouse.size(connection),
        "storage_version": storage,
        "readable_by": options.warehouse.readable_by(storage),
        "schema": schema_version(connection),
        **runs,
        "statuses": _rows(
            connection, "select status, count(*) as runs from runs group by status order by runs desc, status"
        ),
        "content": policies.stored(connection),
        "rejects": count_items(connection),
        "loads": _rows(
            connection,
            """
            select
                load_id, command, source, strftime(started_at, '%Y-%m-%d %H:%M') as started_at, state, seconds,
                inputs, inputs_unchanged, pages, observations, new_runs, updated_runs, unchanged, rejected, skipped
            from runmart.loads order by load_id desc limit 5""",
        ),
    }


def _rows(connection: "DuckDBPyConnection", query: str) -> list[dict[str, Any]]:
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
