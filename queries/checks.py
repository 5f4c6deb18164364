"""Data-quality checks: queries that return violations of invariants, or of thresholds that the owner sets."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from runmart.ingest.load.rejects import STORED_REJECTS
from runmart.models.statuses import LIFECYCLE_INSTANTS, STEP_INSTANTS
from runmart.models.tables.neighbours import NEIGHBOURS, USAGE_GROUP
from runmart.queries.selection import add_functions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from duckdb import DuckDBPyConnection

Scope = Literal["overall", "model", "assistant"]

_SHOWN = 100
"""The most violations of a check that are reported."""


class Offender(NamedTuple):
    """A violation of a check."""

    subject: str
    value: float | int | str | None
    limit: float | int | str | None


@dataclass(frozen=True, slots=True)
class Check:
    """One check: a query with the columns subject, value and limit, which returns a row for each violation."""

    name: str
    meaning: str
    sql: str


@dataclass(frozen=True, slots=True)
class Limits:
    """The thresholds of the owner; None where nothing is checked."""

    max_failure_rate: float | None = None
    max_run_seconds_p95: float | None = None
    max_rejects: int | None = None
    max_cost_per_day: float | None = None
    max_age_seconds: float | None = None
    per: "Sequence[Scope]" = ("overall",)
    minimum_runs: int = 20
    """Rates and percentiles of fewer runs are not checked."""
    days: float = 7.0
    """The period that is checked: this many days up to now."""


def _unique(table: str, key: str) -> Check:
    return Check(
        f"unique_{table}",
        f"{key} is there once in {table}",
        f"select concat_ws(' ', {key}) as subject, count(*) as value, 1 as limit_ from {table} "
        f"group by {key} having count(*) > 1",
    )


def _orphans(table: str) -> Check:
    return Check(
        f"orphans_{table}",
        f"each row of {table} belongs to a run, and has its time",
        f"select {table}.run_id as subject, count(*) as value, 0 as limit_ from {table} "
        f"left join runs on runs.run_id = {table}.run_id "
        f"where runs.run_id is null or runs.created_at is distinct from {table}.run_created_at "
        f"group by {table}.run_id",
    )


def _equal(name: str, meaning: str, found: str, expected: str) -> Check:
    sql = f"select '{name}' as subject, found as value, expected as limit_ from (select ({found}) as found, "
    return Check(name, meaning, f"{sql}({expected}) as expected) as both_ where found is distinct from expected")


INVARIANTS = (
    _unique("runs", "run_id"),
    _unique("usage", "run_id"),
    _unique("tools", "run_id, position"),
    _unique("errors", "run_id, kind"),
    _unique("steps", "step_id"),
    *(_unique(table.name, table.columns[0].name) for table in NEIGHBOURS),
    *(_orphans(table) for table in ("usage", "tools", "errors")),
    Check(
        "known_loads",
        "each run was written by a load that is recorded",
        "select run_id as subject, load_id as value, null as limit_ from runs "
        "where load_id not in (select load_id from runmart.loads)",
    ),
    _equal(
        "tools_of_runs",
        "runs tell how many rows tools has",
        "select coalesce(cast(sum(tool_count) as bigint), 0) from runs",
        "select count(*) from tools",
    ),
    _equal(
        "totals_of_runs",
        "failure rates count each run once",
        "select coalesce(sum(runs), 0) from failure_rates_by_model",
        "select count(*) from runs",
    ),
    _equal(
        "totals_of_days",
        "days count each run once",
        "select coalesce(sum(runs), 0) from runs_daily",
        "select count(*) from runs",
    ),
    _equal(
        "totals_of_tokens",
        "token usage sums each token once",
        "select sum(total_tokens) from token_usage_by_model",
        "select sum(total_tokens) from usage",
    ),
    _equal(
        "totals_of_costs",
        "costs look at each run with usage once",
        "select coalesce(sum(runs), 0) from cost_by_model",
        "select count(*) from usage",
    ),
    _equal(
        "durations",
        "negative durations are null, and counted as missing",
        "select coalesce(sum(run_seconds_missing), 0) from latency_by_model",
        "select count(*) from run_times where status = 'completed' and coalesce(duration_source, 'record') = 'record' "
        "and not coalesce(finished_at >= case when object = 'response' then created_at else started_at end, false)",
    ),
)
"""The invariants of every warehouse."""

_KEYS = {"runs": "run_id", "usage": "run_id", "steps": "step_id"}


def _plausible_instants(table: str, names: "Sequence[str]") -> "Iterator[str]":
    """Instants that are too early, or more than a day after their observation, and expiry times a year after it."""
    for name in names:
        observed_at = "observed_at + interval 364 day" if name.startswith("expire") else "observed_at"
        yield f"""
            select
                {_KEYS[table]} as subject,
                strftime({name}, '{name} %Y-%m-%d %H:%M:%S') as value,
                strftime(observed_at, 'since 2015, observed %Y-%m-%d %H:%M:%S') as limit_
            from {table} where {name} is not null and plausible_instant({name}, {observed_at}) is null"""


_TOKENS = ("prompt_tokens", "cached_prompt_tokens", "completion_tokens", "reasoning_tokens", "total_tokens")
_MOST_TOKENS = str(10**15)
_IMPOSSIBLE_TOKENS = (
    *((name, "<", "0", "at least") for name in _TOKENS),
    ("cached_prompt_tokens", ">", "prompt_tokens", "at most the prompt tokens,"),
    ("reasoning_tokens", ">", "completion_tokens", "at most the completion tokens,"),
    ("total_tokens", "<>", "cast(prompt_tokens as hugeint) + completion_tokens", "the sum of both,"),
    *((name, ">", _MOST_TOKENS, "at most") for name in ("prompt_tokens", "completion_tokens", "total_tokens")),
)


def _possible_tokens(table: str) -> "Iterator[str]":
    for name, operator, bound, meaning in _IMPOSSIBLE_TOKENS:
        yield f"""
            select {_KEYS[table]} as subject, '{name} ' || {name} as value, '{meaning} ' || {bound} as limit_
            from {table} where {name} {operator} {bound}"""


_SAME_USAGE = " and ".join(
    f"one.{name} is not distinct from other.{name}" for name in ("source", "object", *USAGE_GROUP)
)

OF_DATA = (
    Check(
        "plausible_instants",
        "no time is before 2015, or more than a day after its observation (expiry times: a year)",
        " union all ".join(
            (
                *_plausible_instants("runs", (*LIFECYCLE_INSTANTS, "expires_at")),
                *_plausible_instants("steps", (*STEP_INSTANTS, "expired_at")),
            )
        ),
    ),
    Check(
        "possible_tokens",
        "no count of tokens is negative or beyond 10^15, parts are at most the whole, and totals are sums",
        " union all ".join((*_possible_tokens("usage"), *_possible_tokens("steps"))),
    ),
    Check(
        "responses_of_webhooks",
        "each webhook event tells of a response that is stored",
        "select run_id as subject, string_agg(type || ' ' || event_id, ', ' order by event_id) as value, "
        "'a stored response' as limit_ from webhook_events "
        "where run_id not in (select run_id from runs) group by run_id",
    ),
    Check(
        "usage_buckets",
        "no time of an organisation's usage or costs is counted twice: its buckets do not overlap",
        f"""
        select
            concat_ws(' ', one.object, one.model, one.line_item, one.project_id) as subject,
            strftime(one.start_time, '%Y-%m-%d %H:%M:%S') || ' to ' || strftime(one.end_time, '%Y-%m-%d %H:%M:%S')
                as value,
            strftime(other.start_time, 'before %Y-%m-%d %H:%M:%S') as limit_
        from organization_usage as one
        join organization_usage as other on {_SAME_USAGE}
        where one.start_time < other.start_time and one.end_time > other.start_time""",
    ),
)
"""Checks of what servers sent, which is stored as sent."""

_SUBJECTS: dict[Scope, str] = {
    "overall": "'all runs'",
    "model": "coalesce('model ' || model, 'no model')",
    "assistant": "coalesce('assistant ' || assistant_id, 'no assistant')",
}


def _double(limit: float) -> str:
    """A limit as SQL, which DuckDB would otherwise read as a decimal number."""
    return f"cast({limit!r} as double)"


def checks_of(limits: Limits) -> "Iterator[Check]":
    """The checks of the thresholds that are set."""
    recent = f"created_at >= current_timestamp - interval '{limits.days * 86_400_000:.0f}' millisecond"
    recent += " and created_at <= current_timestamp + interval 1 day"
    for scope in limits.per:
        subject = _SUBJECTS[scope]
        if limits.max_failure_rate is not None:
            yield Check(
                f"failure_rate_{scope}",
                f"of {limits.minimum_runs} or more runs that ended in {limits.days:g} days, not too many failed",
                f"""
                with rates as (
                    select {subject} as subject, cast(count(*) filter (where is_failure) as double) / count(*) as value
                    from run_times where is_terminal and {recent}
                    group by 1 having count(*) >= {limits.minimum_runs})
                select subject, value, {_double(limits.max_failure_rate)} as limit_ from rates
                where value > {_double(limits.max_failure_rate)}""",
            )
        if limits.max_run_seconds_p95 is not None:
            yield Check(
                f"run_seconds_p95_{scope}",
                f"of {limits.minimum_runs} or more runs that completed in {limits.days:g} days, 95 % were quick enough",
                f"""
                with durations as (
                    select {subject} as subject, percentile_cont(0.95) within group (order by run_seconds) as value
                    from run_times where status = 'completed' and {recent}
                    group by 1 having count(run_seconds) >= {limits.minimum_runs})
                select subject, value, {_double(limits.max_run_seconds_p95)} as limit_ from durations
                where value > {_double(limits.max_run_seconds_p95)}""",
            )
        if limits.max_cost_per_day is not None:
            yield Check(
                f"cost_per_day_{scope}",
                f"no day of the last {limits.days:g} was too expensive",
                f"""
                with days as (
                    select
                        cast(utc_day(created_at) as varchar) || ', ' || {subject} || ', ' || currency as subject,
                        sum(cost) as value
                    from run_costs where is_priced and {recent} group by 1)
                select subject, value, {_double(limits.max_cost_per_day)} as limit_ from days
                where value > {_double(limits.max_cost_per_day)}""",
            )
    if limits.max_rejects is not None:
        yield Check(
            "rejects",
            "not too much could not be loaded",
            f"""
            select 'rejects' as subject, cast(sum(items) as bigint) as value, {limits.max_rejects} as limit_
            from {STORED_REJECTS}
            having sum(items) > {limits.max_rejects}""",
        )
    if limits.max_age_seconds is not None:
        yield Check(
            "freshness",
            "each source was pulled, or else seen, lately",
            f"""
            with freshness as (
                from data_freshness
                union all by name  -- the view of an older runmart lacks these columns
                select false as is_pulled, null::double as pulled_seconds_ago where false),
            ages as (
                select
                    source || if(is_pulled, ', by its last complete pull', ', by its latest observation') as subject,
                    if(is_pulled, pulled_seconds_ago, observed_seconds_ago) as value,
                    is_pulled
                from freshness)
            select subject, value, {_double(limits.max_age_seconds)} as limit_ from ages
            where value > {_double(limits.max_age_seconds)} or (is_pulled and value is null)""",
        )


def offenders(connection: "DuckDBPyConnection", check: Check) -> list[Offender]:
    """The violations of a check, at most `_SHOWN` of them; one, where a value is too large to be computed with.

    Raises:
        duckdb.Error: The warehouse cannot be read.
    """
    import duckdb

    add_functions(connection)
    try:
        rows: list[tuple[Any, ...]] = connection.execute(
            f"select subject, value, limit_ from ({check.sql}) as found order by subject limit {_SHOWN}"
        ).fetchall()
    except duckdb.DataError as error:
        return [Offender("cannot be computed", str(error).splitlines()[0], None)]
    return [Offender(*row) for row in rows]
