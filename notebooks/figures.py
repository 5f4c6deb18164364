"""The figures of each dashboard, read from the views of a warehouse; measures are defined in the views only."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import polars as pl

from runmart.notebooks import captions
from runmart.notebooks.cards import COUNT, SECONDS, SHARE, Card, Times, cost_card, measure_card
from runmart.notebooks.periods import before, filled, plausible_range
from runmart.queries import Selection, Warehouse

MOST_SERIES = 8
"""Lines or bars of one chart; more are hard to distinguish."""

MOST_BARS = 20
"""Bars of one chart."""

MOST_RUNS = 200
"""Rows of a table of runs."""

OF_THE_MOMENT = frozenset({"operations"})
"""Figures that depend on the time of the query, and are therefore not cached."""

_MOST_NAMES = 2000
"""Names that a filter offers, those with the most runs first."""


class Known(NamedTuple):
    """The days and names in a warehouse, to filter by."""

    first: date | None
    """The day of the first run; None in an empty warehouse."""
    last: date | None
    sources: list[str]
    models: list[str]
    assistants: list[str]


class Overview(NamedTuple):
    """Runs by outcome, durations, tokens and costs."""

    cards: list[Card]
    runs: pl.DataFrame
    """`runs_over_time`, all periods, with `until` and `open`."""
    usage: pl.DataFrame
    """`usage_over_time`, all periods, with `until`."""
    models: pl.DataFrame
    cost_note: str


class Latency(NamedTuple):
    """Queue time and run time."""

    cards: list[Card]
    runs: pl.DataFrame
    """`runs_over_time`, all periods."""
    by_model: pl.DataFrame
    """`runs_over_time_by_model` of the models with the most runs, all periods."""
    by_assistant: pl.DataFrame
    """The same, by assistant."""
    histogram: pl.DataFrame
    models: pl.DataFrame
    assistants: pl.DataFrame
    slowest: pl.DataFrame


class Failures(NamedTuple):
    """Failure rates and reasons."""

    cards: list[Card]
    runs: pl.DataFrame
    """`runs_over_time`, all periods."""
    errors: pl.DataFrame
    """`errors_over_time`, with `until` and `series`, the status and code."""
    models: pl.DataFrame
    assistants: pl.DataFrame
    tools: pl.DataFrame
    reasons: pl.DataFrame
    failed: pl.DataFrame


class Costs(NamedTuple):
    """Tokens and cost."""

    cards: list[Card]
    usage: pl.DataFrame
    by_model: pl.DataFrame
    """`usage_over_time_by_model` of the models with the most runs, all periods."""
    models: pl.DataFrame
    assistants: pl.DataFrame
    metadata: pl.DataFrame
    unpriced: pl.DataFrame
    unpriced_message: str
    """What to show when `unpriced` is empty."""
    cost_note: str


class Migration(NamedTuple):
    """Deployments before and after a migration."""

    sides: pl.DataFrame
    """`migration_comparison`, with `name`, the deployment and side; before comes first."""
    judged: pl.DataFrame
    """A row for each reason against the comparison of a deployment, or one without a reason."""
    turns: pl.DataFrame
    latency: pl.DataFrame
    failures: pl.DataFrame
    usage: pl.DataFrame
    unmatched: pl.DataFrame
    cost_note: str


class Operations(NamedTuple):
    """Freshness, loads, rejects and open runs."""

    freshness: pl.DataFrame
    loads: pl.DataFrame
    rejects: pl.DataFrame
    open_runs: pl.DataFrame


def known(warehouse: Warehouse, _: Selection) -> Known:
    """The days and names to filter by."""
    first, last = plausible_range(warehouse)
    names = [
        warehouse.sql(f"""
            select {column} from runs where {column} is not null
            group by 1 order by count(*) desc, 1 limit {_MOST_NAMES}""")
        .to_series()
        .to_list()
        for column in ("source", "model", "assistant_id")
    ]
    return Known(first and first.date(), last and last.date(), *names)


def overview(warehouse: Warehouse, selection: Selection) -> Overview:
    """The figures of the overview."""
    selection, times = _measured(warehouse, selection)
    cards = [
        measure_card("Runs", "runs", times, COUNT),
        measure_card("Failure rate", "failure_rate", times, SHARE, less_is_better=True),
        measure_card("Run time p50", "run_seconds_p50", times, SECONDS, less_is_better=True),
        measure_card("Run time p95", "run_seconds_p95", times, SECONDS, less_is_better=True),
        measure_card("Tokens", "total_tokens", times, COUNT),
        cost_card(times),
    ]
    with warehouse.within(selection) as chosen:
        runs = _with_open(filled(chosen.view("runs_over_time"), selection))
        usage = filled(chosen.view("usage_over_time"), selection)
        models = _models(chosen)
    return Overview(cards, runs, usage, models, cost_note(times[0]))


def latency(warehouse: Warehouse, selection: Selection) -> Latency:
    """The figures of the latency dashboard."""
    selection, times = _measured(warehouse, selection)
    names = ("queue_seconds_p50", "queue_seconds_p95", "run_seconds_p50", "run_seconds_p95", "run_seconds_p99")
    labels = ("Queue time p50", "Queue time p95", "Run time p50", "Run time p95", "Run time p99")
    cards = [
        measure_card(label, name, times, SECONDS, less_is_better=True)
        for label, name in zip(labels, names, strict=True)
    ]
    with warehouse.within(selection) as chosen:
        return Latency(
            cards,
            filled(chosen.view("runs_over_time"), selection),
            filled(_most(chosen.view("runs_over_time_by_model")), selection, "model"),
            filled(_most(chosen.view("runs_over_time_by_assistant"), "assistant_id"), selection, "assistant_id"),
            chosen.view("duration_histogram").sort("duration", "from_seconds"),
            _latencies(chosen.view("latency_by_model")),
            _latencies(chosen.view("latency_by_assistant")),
            chosen.sql(f"""
                select run_seconds, queue_seconds, run_id, thread_id, assistant_id, model, created_at, total_tokens
                from run_facts where status = 'completed' and run_seconds is not null
                order by run_seconds desc, run_id limit {MOST_RUNS}"""),
        )


def failures(warehouse: Warehouse, selection: Selection) -> Failures:
    """The figures of the failures dashboard."""
    selection, times = _measured(warehouse, selection)
    cards = [
        measure_card("Failure rate", "failure_rate", times, SHARE, less_is_better=True),
        *(
            measure_card(name.capitalize(), name, times, COUNT, less_is_better=True)
            for name in ("failed", "expired", "incomplete")
        ),
        measure_card("Cancelled", "cancelled", times, COUNT),
    ]
    with warehouse.within(selection) as chosen:
        errors = chosen.view("errors_over_time").with_columns(
            series=pl.concat_str("status", pl.lit(": ") + pl.col("code"), ignore_nulls=True)
        )
        return Failures(
            cards,
            filled(chosen.view("runs_over_time"), selection),
            filled(_most(errors, "series"), selection, "series"),
            _ranked(chosen.view("failure_rates_by_model"), "model"),
            _ranked(chosen.view("failure_rates_by_assistant"), "assistant_id"),
            chosen.view("tool_usage").sort("runs", descending=True),
            chosen.view("error_summary").sort("runs", "last_at", descending=True),
            chosen.sql(f"""
                select created_at, status, coalesce(error_code, incomplete_reason) as reason, model, assistant_id,
                    run_id, thread_id, run_seconds, tool_count
                from run_facts where is_failure order by created_at desc nulls last, run_id limit {MOST_RUNS}"""),
        )


def costs(warehouse: Warehouse, selection: Selection) -> Costs:
    """The figures of the dashboard of tokens and cost."""
    selection, times = _measured(warehouse, selection)
    cards = [
        cost_card(times),
        measure_card("Cost per run", "cost_per_run", times, "{:,.4f}", less_is_better=True),
        measure_card("Tokens", "total_tokens", times, COUNT),
        measure_card("Cached prompt tokens", "cached_share", times, SHARE, less_is_better=False),
        measure_card("Unpriced runs", "unpriced_runs", times, COUNT, less_is_better=True),
    ]
    with warehouse.within(selection) as chosen:
        by_model = filled(_most(chosen.view("usage_over_time_by_model")), selection, "model")
        return Costs(
            cards,
            filled(chosen.view("usage_over_time"), selection),
            by_model,
            chosen.view("cost_by_model").sort("cost", "runs", descending=True, nulls_last=True),
            chosen.view("cost_by_assistant").sort("cost", "runs", descending=True, nulls_last=True),
            chosen.sql("select * from metadata_usage order by runs desc, key, value limit 1000"),
            chosen.sql("""
                select source, model, count(*) as runs, sum(total_tokens)::bigint as total_tokens,
                    min(created_at) as first_at, max(created_at) as last_at
                from run_costs where not is_priced group by all order by runs desc, source, model"""),
            captions.ALL_PRICED if times[0].get("runs") else captions.NO_RUNS,
            cost_note(times[0]),
        )


_SIDE = ("deployment", "side")
_TURNS = (
    *("models", "first_turn_at", "last_turn_at", "turns", "runs", "model_calls_per_turn", "tool_calls_per_turn"),
    *("open_turns", "waiting_turns"),
)
_LATENCY = ("turn_seconds_p50", "turn_seconds_p95", "turn_seconds_p99", "resolution_seconds", "timed_share")
_FAILURES = (
    *("failure_rate", "failure_rate_low", "failure_rate_high", "unrecorded_failures"),
    *("failure_rate_with_unrecorded", "incomplete_share", "expired_share"),
)
_USAGE = (
    *("prompt_tokens_per_turn", "cached_share", "cache_write_tokens_per_turn"),
    *("completion_tokens_per_turn", "reasoning_tokens_per_turn", "priced_turns", "cost_per_turn"),
    *("cost_per_thousand_turns", "currency"),
)


def migration(warehouse: Warehouse, selection: Selection) -> Migration:
    """The figures of the migration dashboard; both sides are shown whenever they were, so that no period applies."""
    with warehouse.within(replace(selection, since=None, until=None)) as chosen:
        sides = chosen.view("migration_comparison").sort("deployment", "side", descending=[False, True])
        sides = sides.with_columns(name=pl.format("{}: {}", "deployment", "side"))
        unmatched = chosen.sql(f"""
            select turns.source, turns.object, turns.assistant_id, count(*) as turns, max(turns.created_at) as last_at
            from turns
            left join deployment_turns as found on found.turn_id = turns.turn_id
            where found.turn_id is null and exists (select 1 from deployments)
            group by all order by turns desc, source, assistant_id limit {MOST_RUNS}""")
    currencies = sides["currency"].drop_nulls().unique().sort().to_list()
    return Migration(
        sides,
        _judged(sides),
        sides.select(*_SIDE, *_TURNS),
        sides.select(*_SIDE, *_LATENCY),
        sides.select(*_SIDE, *_FAILURES),
        sides.select(*_SIDE, *_USAGE),
        unmatched,
        f"In {currencies[0]}." if len(currencies) == 1 else "",
    )


def _judged(sides: pl.DataFrame) -> pl.DataFrame:
    """Reasons one by one: the view gives them as `before: A, B; after: A; C`."""
    told = sides.select("deployment", "comparable", reason=pl.col("reasons").str.split("; ")).unique(
        maintain_order=True
    )
    parts = told.explode("reason").with_columns(side=pl.col("reason").str.extract("^(before|after): "))
    of_side = pl.col("reason").str.replace("^(before|after): ", "").str.split(", ")
    return parts.select("deployment", "comparable", "side", reason=of_side).explode("reason")


def operations(warehouse: Warehouse, selection: Selection) -> Operations:
    """The figures of the operations dashboard; loads and rejects are not filtered, and no period applies."""
    with warehouse.within(replace(selection, since=None, until=None)) as chosen:
        return Operations(
            chosen.view("data_freshness").sort("source"),
            warehouse.sql("select * from load_history order by load_id desc limit 500"),
            warehouse.view("reject_summary").sort("rejects", descending=True),
            chosen.sql(f"select * from open_runs order by age_seconds desc nulls last, run_id limit {MOST_RUNS}"),
        )


def comparable(costs: pl.DataFrame) -> pl.DataFrame:
    """The rows if their costs are in one currency, else no rows, since amounts cannot be compared."""
    return costs if costs["currency"].drop_nulls().n_unique() == 1 else costs.clear()


def cost_note(totals: dict[str, Any]) -> str:
    """The currency of a total cost, and what it excludes, in words."""
    unpriced, currency = totals.get("unpriced_runs") or 0, totals.get("currency")
    notes: list[str] = []
    if currency:
        notes.append(f"In {currency}.")
    elif totals.get("priced_runs"):
        notes.append("In several currencies: select a source, or see the tables.")
    if unpriced:
        notes.append(f"Excludes {unpriced:,} unpriced {'run' if unpriced == 1 else 'runs'}.")
    return " ".join(notes)


def _totals(warehouse: Warehouse, selection: Selection) -> dict[str, Any]:
    """The measures of all selected runs; empty without runs."""
    with warehouse.within(replace(selection, grain="all")) as chosen:
        found: dict[str, Any] = {}
        for name in ("usage_over_time", "runs_over_time"):
            [row] = chosen.view(name).to_dicts() or [{}]
            if name == "usage_over_time" and row:
                row["priced_runs"] = row["runs"] - row["unpriced_runs"]
            found |= row
        return found


def _measured(warehouse: Warehouse, selection: Selection) -> tuple[Selection, Times]:
    """The selection without runs after the newest one of a plausible time, and the measures of it and the one before.

    The measures before are empty when that period begins before the first run.
    """
    first, newest = plausible_range(warehouse)
    if first is None or newest is None:
        return selection, (_totals(warehouse, selection), {})
    if selection.until is None:
        selection = replace(selection, horizon=_next_day(newest))
    then = before(replace(selection, until=selection.until or selection.horizon, horizon=None))
    has_before = then is not None and then.since is not None and then.since >= _next_day(first) - timedelta(days=1)
    return selection, (_totals(warehouse, selection), _totals(warehouse, then) if then and has_before else {})


def _next_day(instant: datetime) -> datetime:
    day = instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + timedelta(days=1)


def _models(chosen: Warehouse) -> pl.DataFrame:
    """The table of models in the overview."""
    return chosen.sql("""
        select
            failures.model,
            failures.runs,
            failures.failure_rate,
            latency.run_seconds_p50,
            latency.run_seconds_p95,
            tokens.total_tokens
        from failure_rates_by_model as failures
        left join latency_by_model as latency on latency.model is not distinct from failures.model
        left join token_usage_by_model as tokens on tokens.model is not distinct from failures.model
        order by failures.runs desc, failures.model""")


def _latencies(frame: pl.DataFrame) -> pl.DataFrame:
    """The most used percentiles, by number of runs."""
    columns = [f"{name}_{share}" for name in ("run_seconds", "queue_seconds") for share in ("p50", "p95", "p99", "max")]
    return frame.select(frame.columns[0], "runs", *columns).sort("runs", descending=True)


def _with_open(runs: pl.DataFrame) -> pl.DataFrame:
    return runs.with_columns(open=pl.col("runs") - pl.col("terminal_runs"))


def _most(frame: pl.DataFrame, name: str = "model") -> pl.DataFrame:
    """The rows of the names with the most runs."""
    most = frame.group_by(name).agg(pl.col("runs").sum()).sort("runs", name, descending=[True, False]).head(MOST_SERIES)
    return frame.join(most.select(name), on=name, how="semi", nulls_equal=True).sort(name, nulls_last=True)


def _ranked(rates: pl.DataFrame, name: str) -> pl.DataFrame:
    """Failure rates of the names with the most runs, highest first."""
    most = rates.filter(pl.col("terminal_runs") > 0).sort("runs", descending=True).head(MOST_BARS)
    return most.sort("failure_rate", "runs", name, descending=[True, True, False], nulls_last=True)
