"""The period of all runs, periods of a selection without gaps, and the previous period."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl

from runmart.queries import Grain, Selection, Warehouse

EVERY = {"hour": "1h", "day": "1d", "week": "1w", "month": "1mo"}

_LONGEST: tuple[tuple[timedelta, Grain], ...] = (
    (timedelta(days=3), "hour"),
    (timedelta(days=70), "day"),
    (timedelta(days=500), "week"),
)
"""Up to each length, the grain that gives a readable number of periods."""


_LONGEST_FILLED = timedelta(days=36_525)
"""A century: a longer period is that of implausible times, and is shown without the empty periods in it."""


def fitting_grain(since: datetime, until: datetime) -> Grain:
    """The default grain for a period of this length."""
    fitting: list[Grain] = [grain for longest, grain in _LONGEST if until - since <= longest]
    return fitting[0] if fitting else "month"


def plausible_range(warehouse: Warehouse) -> tuple[datetime | None, datetime | None]:
    """When the first and the last run were created (UTC), of those whose time is plausible, or of all if none is.

    What Python has no date for, or no day after, is never among them; a warehouse of an earlier version may hold it.
    """
    with warehouse.within(Selection()) as chosen:
        [row] = chosen.sql("""
            with times as (
                select created_at, plausible_instant(created_at, observed_at) as plausible_at
                from runs
                where created_at >= timestamptz '0001-01-02 00:00:00+00'
                    and created_at < timestamptz '9999-12-30 00:00:00+00'
            )
            select
                coalesce(min(plausible_at), min(created_at)) as first,
                coalesce(max(plausible_at), max(created_at)) as last
            from times""").rows()
    return row


def before(selection: Selection) -> Selection | None:
    """The selection of the previous period of equal length; None when the period is open."""
    if selection.since is None or selection.until is None:
        return None
    return replace(selection, since=selection.since - (selection.until - selection.since), until=selection.since)


def filled(frame: pl.DataFrame, selection: Selection, *keys: str) -> pl.DataFrame:
    """A view over time with one row per period, empty ones included, and its end in the column `until`.

    Args:
        frame: The rows of a view over time; rows without a period are dropped.
        selection: The selected runs.
        keys: Columns; each combination of their values gets all periods.
    """
    dated = frame.filter(pl.col("period").is_not_null())
    every = EVERY[selection.grain]
    times: list[datetime] = dated["period"].sort().to_list()
    first = _beginning(selection.since, every) if selection.since else (times[0] if times else None)
    last = _plain(selection.until - timedelta(microseconds=1)) if selection.until else (times[-1] if times else None)
    if first is None or last is None or last - first > _LONGEST_FILLED:
        return dated.with_columns(until="period")
    periods = pl.datetime_range(first, last, every, time_unit="us", eager=True).alias("period").to_frame()
    rows = periods.join(dated.select(keys).unique(maintain_order=True), how="cross") if keys else periods
    found = rows.join(dated, on=["period", *keys], how="left", nulls_equal=True, maintain_order="left")
    return found.with_columns(until=pl.col("period").dt.offset_by(every))


def _plain(instant: datetime) -> datetime:
    """An instant as views return periods: in UTC, without an offset."""
    return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant


def _beginning(instant: datetime, every: str) -> datetime:
    """The beginning of the period that contains an instant."""
    return pl.Series([_plain(instant)], dtype=pl.Datetime("us")).dt.truncate(every).to_list()[0]
