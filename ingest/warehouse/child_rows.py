"""The rows of runs in the tables beside `runs`, found by the creation time that they share with their run."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def of_runs(connection: "DuckDBPyConnection", runs: str) -> str:
    """A condition that holds for all child rows of runs, and lets DuckDB skip rows of other times.

    Args:
        connection: Within the caller's transaction.
        runs: SQL of a relation with the `created_at` of the runs.
    """
    earliest, latest, unknown = connection.execute(f"""
        select cast(min(created_at) as varchar), cast(max(created_at) as varchar), count(*) - count(created_at)
        from {runs}""").fetchall()[0]
    within = f"run_created_at between '{earliest}' and '{latest}'" if earliest else "false"
    return f"({within} or run_created_at is null)" if unknown else f"({within})"
