"""Backfill of the columns of `runs` that are computed from the table `tools`."""

from typing import TYPE_CHECKING

from runmart.models.tables.tools import DIGEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

SUMS = ("tool_count", "tools_digest")

_CHUNK_ROWS = 122_880
"""The rows of one of DuckDB's row groups."""


def add_tool_sums(connection: "DuckDBPyConnection", old: str, new: str) -> None:
    """Copy the runs of a table without the computed columns to one that has them."""
    columns = ", ".join(name for name, *_ in connection.execute(f"describe {old}").fetchall() if name not in SUMS)
    for rows in _chunks(connection, old):
        connection.execute(f"""
            insert into {new} ({columns}, tool_count, tools_digest)
            select {columns}, coalesce(found.tool_count, 0), found.tools_digest
            from {old} as old left join ({_sums(connection, old, rows)}) as found using (run_id)
            where {rows}
            order by old.rowid""")


def sum_up_tools(connection: "DuckDBPyConnection", of_runs: str) -> None:
    """Set the computed columns of the runs that meet a condition and have tools."""
    for rows in _chunks(connection, "main.runs"):
        these = f"{rows} and {of_runs}"
        connection.execute(f"""
            update main.runs set tool_count = found.tool_count, tools_digest = found.tools_digest
            from ({_sums(connection, "main.runs", these)}) as found where found.run_id = runs.run_id and {rows}""")


def _chunks(connection: "DuckDBPyConnection", table: str) -> "Iterator[str]":
    """Conditions that divide a table, since computing the columns of all its runs would need much memory.

    Row ids have gaps: those of rows that are not committed yet are far beyond all others.
    """
    for (chunk,) in connection.execute(
        f"select distinct rowid // {_CHUNK_ROWS} as chunk from {table} order by chunk"
    ).fetchall():
        yield f"rowid between {chunk * _CHUNK_ROWS} and {(chunk + 1) * _CHUNK_ROWS - 1}"


def _sums(connection: "DuckDBPyConnection", table: str, these: str) -> str:
    """A query of the computed columns of the runs that meet a condition and have tools."""
    [(earliest, latest)] = connection.execute(f"""
        select cast(min(created_at) as varchar), cast(max(created_at) as varchar)
        from {table} where {these}""").fetchall()
    within = f"run_created_at between '{earliest}' and '{latest}' or" if earliest else ""
    return f"""
        select run_id, count(*) as tool_count, {DIGEST} as tools_digest
        from main.tools
        where ({within} run_created_at is null) and run_id in (select run_id from {table} where {these})
        group by run_id"""
