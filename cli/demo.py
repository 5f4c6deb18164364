"""`runmart demo`: a sample of real pages, loaded and answered."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from runmart.cli.options import Options
from runmart.cli.output import hint, progress, say, say_json, say_table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DEFAULT_WAREHOUSE = Path("demo.duckdb")

_ANSWERS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "How slow? Seconds from start to end of completed runs",
        "latency_by_model",
        ("model", "runs", "run_seconds_p50", "run_seconds_p95", "run_seconds_max"),
    ),
    (
        "How often does it fail? Of the runs that ended",
        "failure_rates_by_model",
        ("model", "terminal_runs", "completed", "expired", "incomplete", "failure_rate"),
    ),
    (
        "How many tokens?",
        "token_usage_by_model",
        ("model", "runs_with_usage", "prompt_tokens", "completion_tokens", "total_tokens"),
    ),
)
_ORDER = {
    "latency_by_model": "runs",
    "failure_rates_by_model": "terminal_runs",
    "token_usage_by_model": "total_tokens",
}


def demo(
    *,
    warehouse: Annotated[Path, Parameter(name=["--warehouse", "-w"])] = DEFAULT_WAREHOUSE,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Load a sample of real pages into a warehouse of its own and print what they answer.

    Args:
        warehouse: The DuckDB file; RUNMART_WAREHOUSE is not looked at, so that the sample never mixes with real runs.
        json: Print one JSON document instead of tables.
    """
    from runmart.demo import PAGES
    from runmart.ingest.pipeline import ingest

    options = Options(warehouse=warehouse, json=json)
    with options.writing() as connection, progress() as show:
        load = ingest(connection, [str(PAGES)], source="demo", command="demo", progress=show)
        runs = connection.execute("select count(*) from runs").fetchall()[0][0]
        answers = {view: _rows(connection, view, columns) for _, view, columns in _ANSWERS}
    if json:
        say_json({"warehouse": str(warehouse), "runs": runs, "answers": answers})
        return 0
    totals = load.totals
    say(
        f"{warehouse}: {runs:,} real runs, {totals.observations:,} observations of them in {totals.inputs:,} new files\n"
    )
    for title, view, columns in _ANSWERS:
        say_table(f"{title} ({view})", columns, [[row[name] for name in columns] for row in answers[view]])
    hint(f"Go on: duckdb -readonly {warehouse}, or: runmart views --warehouse {warehouse}")
    return 0


def _rows(connection: "DuckDBPyConnection", view: str, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    query = f"select {', '.join(columns)} from {view} where {_ORDER[view]} > 0 order by {_ORDER[view]} desc, model"
    return [dict(zip(columns, row, strict=True)) for row in connection.execute(query).fetchall()]
