"""The views over time, and the distribution of durations, in plain Python."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.support.recomputed_costs import Row, Tables, grouped_by, moment, run_costs

FAILURES = ("failed", "expired", "incomplete")
ENDS = ("completed", "cancelled", *FAILURES)
EDGES = (
    *(0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80),
    *(100, 120, 150, 200, 250, 300, 400, 500, 600, 900, 1200, 1800, 3600),
)

Percentile = Callable[[Sequence[float], float], float | None]


def over_time(tables: Tables, facts: Sequence[Row], percentile: Percentile) -> dict[str, list[Row]]:
    """Expected rows of the views of runs, usage and errors by day, also by model and assistant."""
    found: dict[str, list[Row]] = {}
    for suffix, keys in (("", ()), ("_by_model", ("model",)), ("_by_assistant", ("assistant_id",))):

        def key(row: Row, keys: tuple[str, ...] = keys) -> tuple[Any, ...]:
            return (_day(row), *(row[one] for one in keys))

        found[f"runs_over_time{suffix}"] = grouped_by(
            facts, key, ("period", *keys), lambda some: _runs(some, percentile)
        )
        found[f"usage_over_time{suffix}"] = grouped_by(run_costs(tables), key, ("period", *keys), _usage)
    failures = [row for row in facts if row["is_failure"]]
    found["errors_over_time"] = grouped_by(
        failures,
        lambda row: (_day(row), row["status"], _code(row)),
        ("period", "status", "code"),
        lambda some: {"runs": len(some)},
    )
    found["duration_histogram"] = _histogram(facts)
    return found


def _day(row: Row) -> str | None:
    return moment(row["created_at"], "%Y-%m-%d 00:00:00")


def _code(row: Row) -> str | None:
    return row["incomplete_reason"] if row["error_code"] is None else row["error_code"]


def _runs(rows: list[Row], percentile: Percentile) -> Row:
    ended = sum(row["status"] in ENDS for row in rows)
    failed = sum(row["status"] in FAILURES for row in rows)
    found: Row = {"runs": len(rows), "terminal_runs": ended, "failure_rate": failed / ended if ended else None}
    found |= {end: sum(row["status"] == end for row in rows) for end in ENDS}
    completed = [row for row in rows if row["status"] == "completed"]
    for name, shares in (("queue_seconds", (50, 95)), ("run_seconds", (50, 90, 95, 99))):
        values = [row[name] for row in completed if row[name] is not None]
        found |= {f"{name}_p{share}": percentile(values, share / 100) for share in shares}
    return found


def _usage(rows: list[Row]) -> Row:
    found: Row = {"runs": len(rows)}
    for name in ("prompt_tokens", "cached_prompt_tokens", "completion_tokens", "total_tokens"):
        known = [row[name] for row in rows if row[name] is not None]
        found[name] = sum(known) if known else None
    cached, prompt = found["cached_prompt_tokens"], found["prompt_tokens"]
    found["cached_share"] = cached / prompt if cached is not None and prompt else None
    priced = [row for row in rows if row["cost"] is not None]
    found["unpriced_runs"] = len(rows) - len(priced)
    currencies = {row["currency"] for row in priced}
    cost = sum(row["cost"] for row in priced) if len(currencies) == 1 else None
    per_run = None if cost is None else cost / len(priced)
    return {**found, "currency": currencies.pop() if cost is not None else None, "cost": cost, "cost_per_run": per_run}


def _histogram(facts: Sequence[Row]) -> list[Row]:
    rows: list[Row] = []
    for duration in ("queue_seconds", "run_seconds", "total_seconds"):
        values = [row[duration] for row in facts if row["status"] == "completed" and row[duration] is not None]
        for least, end in zip(EDGES, (*EDGES[1:], None), strict=True):
            count = sum(least <= value and (end is None or value < end) for value in values)
            if count:
                row: dict[str, Any] = {"duration": duration, "from_seconds": float(least)}
                row |= {"to_seconds": None if end is None else float(end)}
                rows.append({**row, "runs": count, "share": count / len(values)})
    return rows
