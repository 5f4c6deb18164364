"""`runmart demo`: load sample pages and print a summary."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from runmart.cli.options import Options
from runmart.cli.output import echo, echo_json, progress, say_table, warn
from runmart.ingest.warehouse.file_backend import DuckDBFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DEFAULT_WAREHOUSE = Path("demo.duckdb")

_SUMMARIES: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    (
        "Run time of completed runs, in seconds",
        "latency_by_model",
        "runs",
        {"runs": "runs", "run_seconds_p50": "p50", "run_seconds_p95": "p95", "run_seconds_max": "max"},
    ),
    (
        "Failure rate of ended runs",
        "failure_rates_by_model",
        "terminal_runs",
        {"terminal_runs": "ended", "expired": "expired", "incomplete": "incomplete", "failure_rate": "failure rate"},
    ),
    (
        "Tokens",
        "token_usage_by_model",
        "total_tokens",
        {
            "runs_with_usage": "runs",
            "prompt_tokens": "prompt",
            "completion_tokens": "completion",
            "total_tokens": "total",
        },
    ),
)
"""Title, view, the column to order by, and the shown columns with their headings."""


def demo(
    *,
    warehouse: Annotated[Path, Parameter(name=["--warehouse", "-w"])] = DEFAULT_WAREHOUSE,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Load sample pages into a separate warehouse, and print latency, failure rates and token usage.

    Args:
        warehouse: DuckDB file; $RUNMART_WAREHOUSE is ignored, so that the sample never mixes with other runs.
        json: Print one JSON document instead of tables.
    """
    from runmart.cli.demo.sample import PAGES
    from runmart.ingest.pipeline import ingest

    options = Options(warehouse=DuckDBFile(warehouse), json=json)
    with options.writing() as writer, progress() as show:
        connection = writer.connection
        load = ingest(writer, [str(PAGES)], source="demo", command="demo", progress=show)
        runs = connection.execute("select count(*) from runs").fetchall()[0][0]
        answers = {view: _rows(connection, view, order, columns) for _, view, order, columns in _SUMMARIES}
    if json:
        echo_json({"warehouse": str(warehouse), "runs": runs, "answers": answers})
        return 0
    seen = f"{load.totals.observations:,} observations in {load.totals.inputs:,} new files"
    echo(f"{warehouse}: {runs:,} runs, {seen}\n")
    for title, view, _, columns in _SUMMARIES:
        say_table(f"{title} ({view})", ["model", *columns.values()], [list(row.values()) for row in answers[view]])
    warn(f"Next: duckdb -readonly {warehouse}, or: runmart views --warehouse {warehouse}")
    return 0


def _rows(connection: "DuckDBPyConnection", view: str, order: str, columns: dict[str, str]) -> list[dict[str, Any]]:
    names = ["model", *columns]
    query = f"select {', '.join(names)} from {view} where {order} > 0 order by {order} desc, model"
    return [dict(zip(names, row, strict=True)) for row in connection.execute(query).fetchall()]
