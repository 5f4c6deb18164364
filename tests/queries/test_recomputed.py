"""Each view over random rows equals the same numbers computed in plain Python."""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import duckdb
import pytest

from runmart.queries import views
from tests.support import recomputed_activity as activity
from tests.support import recomputed_content as content
from tests.support import recomputed_migration as migration
from tests.support.random_tables import GROWING, TERMINAL, Row, random_tables
from tests.support.recomputed_costs import costs, grouped_by, model_prices, moment, run_costs, tool_prices
from tests.support.recomputed_periods import over_time
from tests.support.recomputed_reconciliation import cost_reconciliation
from tests.support.recomputed_turns import turn_runs, turns
from tests.support.rows import Fill, assert_rows, records

TIMES = (
    *("run_id", "source", "object", "thread_id", "assistant_id", "model", "status", "is_terminal", "is_failure"),
    *("created_at", "started_at", "finished_at", "queue_seconds", "run_seconds", "total_seconds"),
    *("duration_source", "resolution_seconds"),
)
SETTINGS = ("assistant_version", "temperature", "top_p", "max_completion_tokens", "metadata")
FAILURES = ("failed", "expired", "incomplete")


def run_facts(tables: dict[str, list[Row]]) -> list[Row]:
    """Expected rows of the view `run_facts`."""
    usage = {row["run_id"]: row for row in tables["usage"]}
    codes = {(row["run_id"], row["kind"]): row["code"] for row in tables["errors"]}
    facts: list[Row] = []
    for run in tables["runs"]:
        own = {"completed": "completed_at", "failed": "failed_at", "cancelled": "cancelled_at", "expired": "expires_at"}
        finished_at = run.get(own.get(run["status"], ""))
        if finished_at is None:
            ends = [run[name] for name in ("completed_at", "failed_at", "cancelled_at") if run[name] is not None]
            finished_at = max(ends, default=None)
        tokens = usage.get(run["run_id"], {})
        prompt, cached = tokens.get("prompt_tokens"), tokens.get("cached_prompt_tokens")
        facts.append(
            {
                **{
                    name: run[name]
                    for name in ("run_id", "source", "object", "thread_id", "assistant_id", "model", "status")
                },
                "is_terminal": run["status"] in TERMINAL,
                "is_failure": run["status"] in FAILURES,
                **{name: None if run[name] is None else float(run[name]) for name in ("created_at", "started_at")},
                "finished_at": None if finished_at is None else float(finished_at),
                **durations(run, finished_at),
                "prompt_tokens": prompt,
                "cached_prompt_tokens": cached,
                "uncached_prompt_tokens": None if prompt is None else prompt - (cached or 0),
                **{name: tokens.get(name) for name in ("completion_tokens", "reasoning_tokens", "total_tokens")},
                "error_code": codes.get((run["run_id"], "last_error")),
                "incomplete_reason": codes.get((run["run_id"], "incomplete_details")),
                "tool_count": sum(tool["run_id"] == run["run_id"] for tool in tables["tools"]),
            }
        )
    return facts


def durations(run: Row, finished_at: float | None) -> Row:
    """The durations of a run, or of a response, which has one only; who measured them, and how exactly."""
    found: Row = {
        "queue_seconds": seconds(run["created_at"], run["started_at"]),
        "run_seconds": seconds(run["created_at" if run["object"] == "response" else "started_at"], finished_at),
        "total_seconds": seconds(run["created_at"], finished_at),
    }
    if run["duration_seconds"] is not None:
        found |= dict.fromkeys(("run_seconds", "total_seconds"), run["duration_seconds"])
    is_timed = found["run_seconds"] is not None or found["total_seconds"] is not None
    source = (run["latency_source"] or "record") if is_timed else None
    resolutions: Row = {"record": 1.0, "collector_seconds": 1.0, "collector": 0.001, "header": 0.001}
    return {**found, "duration_source": source, "resolution_seconds": resolutions.get(source or "")}


def seconds(started: float | None, ended: float | None) -> float | None:
    """A duration in whole microseconds, as seconds; None when an end is missing or it is negative."""
    if started is None or ended is None or ended < started:
        return None
    return (round(ended * 1e6) - round(started * 1e6)) / 1e6


def percentile(values: Sequence[float], share: float) -> float | None:
    """The continuous percentile: linear between the two nearest ranks."""
    if not values:
        return None
    ordered, rank = sorted(values), (len(values) - 1) * share
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


def present(rows: Iterable[Row], name: str) -> list[Any]:
    """The values of a column that are not null."""
    return [row[name] for row in rows if row[name] is not None]


def total(values: Sequence[int]) -> int | None:
    """The sum of the values that are not null; None without any."""
    return sum(values) if values else None


def grouped(facts: list[Row], key: str, summary: Callable[[list[Row]], Row | None]) -> list[Row]:
    """One row per value of `key`, with null last."""
    rows: list[Row] = []
    for value in sorted({row[key] for row in facts}, key=lambda value: (value is None, value)):
        found = summary([row for row in facts if row[key] == value])
        if found is not None:
            rows.append({key: value, **found})
    return rows


def latency(rows: list[Row]) -> Row | None:
    """Percentiles of the completed runs."""
    completed = [row for row in rows if row["status"] == "completed"]
    if not completed:
        return None
    summary: Row = {"runs": len(completed)}
    for name in ("queue_seconds", "run_seconds", "total_seconds"):
        values = present(completed, name)
        for share in (50, 75, 90, 95, 99):
            summary[f"{name}_p{share}"] = percentile(values, share / 100)
        summary[f"{name}_max"] = max(values, default=None)
        summary[f"{name}_missing"] = len(completed) - len(values)
    return {**summary, "resolution_seconds": max(present(completed, "resolution_seconds"), default=None)}


def failure_rates(rows: list[Row]) -> Row:
    """Counts and the Wilson score interval (Wilson 1927), here in its closed form."""
    ended = sum(row["is_terminal"] for row in rows)
    summary: Row = {"runs": len(rows), "terminal_runs": ended}
    summary |= {status: sum(row["status"] == status for row in rows) for status in TERMINAL}
    if ended == 0:
        return {**summary, "failure_rate": None, "failure_rate_low": None, "failure_rate_high": None}
    rate, z2 = sum(row["is_failure"] for row in rows) / ended, 1.959963984540054**2
    middle = (2 * ended * rate + z2) / (2 * (ended + z2))
    spread = math.sqrt(z2 * (z2 + 4 * ended * rate * (1 - rate))) / (2 * (ended + z2))
    low, high = max(0.0, middle - spread), min(1.0, middle + spread)
    return {**summary, "failure_rate": rate, "failure_rate_low": low, "failure_rate_high": high}


def token_usage(rows: list[Row]) -> Row:
    """Sums, shares and means of tokens."""
    names = ("prompt_tokens", "cached_prompt_tokens", "completion_tokens", "reasoning_tokens", "total_tokens")
    reporting = [row for row in rows if any(row[name] is not None for name in names)]
    timed = [
        row
        for row in rows
        if row["status"] == "completed" and row["run_seconds"] is not None and row["completion_tokens"] is not None
    ]
    sums = {name: total(present(rows, name)) for name in (*names, "uncached_prompt_tokens")}
    prompts, completions = present(rows, "prompt_tokens"), present(rows, "completion_tokens")
    cached, duration = sums["cached_prompt_tokens"], sum(row["run_seconds"] for row in timed)
    return {
        "runs_with_usage": len(reporting),
        **sums,
        "cached_share": cached / sums["prompt_tokens"] if cached is not None and sums["prompt_tokens"] else None,
        "prompt_tokens_avg": sum(prompts) / len(prompts) if prompts else None,
        "completion_tokens_avg": sum(completions) / len(completions) if completions else None,
        "total_tokens_p50": percentile(present(rows, "total_tokens"), 0.5),
        "total_tokens_p95": percentile(present(rows, "total_tokens"), 0.95),
        "completion_tokens_per_second": sum(row["completion_tokens"] for row in timed) / duration if duration else None,
    }


def step_latency(tables: dict[str, list[Row]]) -> list[Row]:
    """Durations of completed steps, by type and model."""
    models = {run["run_id"]: run["model"] for run in tables["runs"]}
    groups: dict[tuple[Any, Any], list[Row]] = {}
    for step in tables["steps"]:
        groups.setdefault((step["type"], models.get(step["run_id"])), []).append(step)
    rows: list[Row] = []
    for (kind, model), steps in sorted(groups.items(), key=lambda item: [(key is None, key or "") for key in item[0]]):
        completed = [step for step in steps if step["status"] == "completed"]
        durations = [seconds(step["created_at"], step["completed_at"]) for step in completed]
        values = [value for value in durations if value is not None]
        row: Row = {"type": kind, "model": model, "steps": len(steps), "completed": len(completed)}
        row |= {"failed": sum(step["status"] == "failed" for step in steps)}
        row |= {"tool_calls": total(present(steps, "tool_calls"))}
        row |= {f"step_seconds_p{share}": percentile(values, share / 100) for share in (50, 90, 95, 99)}
        row |= {"step_seconds_max": max(values, default=None), "step_seconds_missing": len(durations) - len(values)}
        rows.append(row)
    return rows


EXPECTED: dict[str, tuple[str, Callable[[list[Row]], list[Row]]]] = {
    "run_facts": ("run_id", lambda facts: facts),
    "latency_by_model": ("model", lambda facts: grouped(facts, "model", latency)),
    "latency_by_assistant": ("assistant_id", lambda facts: grouped(facts, "assistant_id", latency)),
    "failure_rates_by_model": ("model", lambda facts: grouped(facts, "model", failure_rates)),
    "failure_rates_by_assistant": ("assistant_id", lambda facts: grouped(facts, "assistant_id", failure_rates)),
    "token_usage_by_model": ("model", lambda facts: grouped(facts, "model", token_usage)),
    "token_usage_by_assistant": ("assistant_id", lambda facts: grouped(facts, "assistant_id", token_usage)),
}


def period(rows: list[Row]) -> Row:
    """The runs of a day or an hour."""
    counts = failure_rates(rows)
    found: Row = {
        name: value for name, value in counts.items() if name not in ("failure_rate_low", "failure_rate_high")
    }
    durations = [row["run_seconds"] for row in rows if row["status"] == "completed" and row["run_seconds"] is not None]
    found |= {f"run_seconds_p{share}": percentile(durations, share / 100) for share in (50, 95)}
    names = ("prompt_tokens", "cached_prompt_tokens", "completion_tokens", "total_tokens")
    found |= {name: total(present(rows, name)) for name in names}
    costing = [row for row in rows if row["cost"] is not None]
    found["unpriced_runs"] = sum(row["has_usage"] and row["cost"] is None for row in rows)
    found["unpriced_tool_calls"] = sum(row["unpriced_tool_calls"] for row in rows)
    is_summed = len({row["currency"] for row in costing}) == 1
    return {**found, "cost": sum(row["cost"] for row in costing) if is_summed else None}


def run_times(tables: dict[str, list[Row]], facts: list[Row]) -> list[Row]:
    """Durations, and the settings that were sent."""
    sent = {run["run_id"]: run for run in tables["runs"]}
    return [
        {
            **{name: row[name] for name in (*TIMES, "tool_count")},
            **{name: sent[row["run_id"]][name] for name in SETTINGS},
            "tools_digest": activity.tools_digest(tables, row["run_id"]),
        }
        for row in facts
    ]


def with_costs(tables: dict[str, list[Row]], facts: list[Row]) -> dict[str, list[Row]]:
    """Expected rows of the views of costs."""
    found = run_costs(tables)
    known = {row["run_id"]: row for row in found}
    nothing = {"cost": None, "currency": None, "unpriced_tool_calls": 0}
    runs = [{**row, "has_usage": row["run_id"] in known} for row in facts]
    runs = [{**row, **{name: known.get(row["run_id"], nothing)[name] for name in nothing}} for row in runs]
    keys = ("source", "model", "assistant_id")
    expected = {"model_prices": model_prices(tables), "tool_prices": tool_prices(tables), "run_costs": found}
    expected["cost_reconciliation"] = cost_reconciliation(tables)
    for name, column in (("cost_by_model", "model"), ("cost_by_assistant", "assistant_id")):
        names = (column, "currency")
        expected[name] = grouped_by(found, lambda row, names=names: tuple(row[one] for one in names), names, costs)
    names = ("day", *keys, "currency")
    expected["costs_daily"] = grouped_by(
        found,
        lambda row: (moment(row["created_at"], "%Y-%m-%d"), *(row[one] for one in names[1:])),
        names,
        costs,
    )
    for view, unit, form in (("runs_daily", "day", "%Y-%m-%d"), ("runs_hourly", "hour", "%Y-%m-%d %H:00:00")):
        expected[view] = grouped_by(
            runs,
            lambda row, form=form: (moment(row["created_at"], form), *(row[one] for one in keys)),
            (unit, *keys),
            period,
        )
    return expected


def of_activity(tables: dict[str, list[Row]], facts: list[Row]) -> dict[str, list[Row]]:
    """Expected rows of the views of threads, tools, errors, open runs, periods and bookkeeping."""
    return {
        "error_summary": activity.error_summary(tables, facts),
        "open_runs": activity.open_runs(tables),
        "thread_activity": activity.thread_activity(facts),
        "tool_usage": activity.tool_usage(tables, facts),
        "gen_ai_runs": activity.gen_ai_runs(tables, facts),
        "data_freshness": activity.data_freshness(tables),
        "load_history": activity.load_history(tables),
        "reject_summary": activity.reject_summary(tables),
        "required_tool_calls": content.required_tool_calls(tables),
        "metadata_usage": content.metadata_usage(tables, facts),
        "assistant_changes": content.assistant_changes(tables, facts),
        "period_comparison": activity.period_comparison(tables, facts),
    }


def of_turns(tables: dict[str, list[Row]], facts: list[Row]) -> dict[str, list[Row]]:
    """Expected rows of the views of turns and deployments."""
    found = turns(tables, facts, run_costs(tables))
    return {
        "turn_runs": turn_runs(tables),
        "turns": found,
        "deployment_turns": migration.deployment_turns(tables),
        "migration_comparison": migration.migration_comparison(tables, found, percentile),
    }


@pytest.mark.parametrize("is_fixed", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_every_view_gives_what_plain_python_gives(is_fixed: bool, daily_seed: int, filled: Fill) -> None:
    """Each view equals an independent re-computation over random data."""
    tables = random_tables(random.Random(0 if is_fixed else daily_seed), 400)
    connection: duckdb.DuckDBPyConnection = filled(tables)
    facts = run_facts(tables)
    expectations = {name: (key, compute(facts)) for name, (key, compute) in EXPECTED.items()}
    expectations["run_times"] = ("run_id", run_times(tables, facts))
    expectations["step_latency"] = ("all", step_latency(tables))
    others = with_costs(tables, facts) | of_activity(tables, facts) | over_time(tables, facts, percentile)
    others |= of_turns(tables, facts)
    expectations |= {name: ("all", expected) for name, expected in others.items()}
    for name, (key, expected) in expectations.items():
        found = [
            {column: value for column, value in row.items() if column not in GROWING}
            for row in records(connection, name, key)
        ]
        assert {frozenset(row) for row in found} == {frozenset(row) for row in expected}, name
        assert_rows(found, expected)


def test_every_view_is_recomputed() -> None:
    """Every view has an expectation in this module."""
    tables = random_tables(random.Random(0), 30)
    facts = run_facts(tables)
    names = {*EXPECTED, "run_times", "step_latency", *with_costs(tables, facts), *of_activity(tables, facts)}
    names |= over_time(tables, facts, percentile).keys() | of_turns(tables, facts).keys()
    assert names == {view.name for view in views()}
