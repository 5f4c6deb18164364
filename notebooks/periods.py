"""Periods: those of a selection without a gap, and the time before it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl

from runmart.queries import Grain, Selection

EVERY = {"hour": "1h", "day": "1d", "week": "1w", "month": "1mo"}

_LONGEST: tuple[tuple[timedelta, Grain], ...] = (
    (timedelta(days=3), "hour"),
    (timedelta(days=70), "day"),
    (timedelta(days=500), "week"),
)
"""For a time as long as that, the grain whose periods can be told apart in a chart."""


def fitting_grain(since: datetime, until: datetime) -> Grain:
    """The grain that suits a time."""
    fitting: list[Grain] = [grain for longest, grain in _LONGEST if until - since <= longest]
    return fitting[0] if fitting else "month"


def before(selection: Selection) -> Selection | None:
    """The same selection of the time before, as long; None where it has no beginning or end."""
    if selection.since is None or selection.until is None:
        return None
    return replace(selection, since=selection.since - (selection.until - selection.since), until=selection.since)


def whole(frame: pl.DataFrame, selection: Selection, *keys: str) -> pl.DataFrame:
    """A view over time with a row for each period of a selection, and `until`, where the period ends.

    Args:
        frame: The rows of a view over time; those of no period are left out.
        selection: What was asked for.
        keys: Columns of which each combination that is there gets all periods.
    """
    dated = frame.filter(pl.col("period").is_not_null())
    every = EVERY[selection.grain]
    times: list[datetime] = dated["period"].sort().to_list()
    first = _beginning(selection.since, every) if selection.since else (times[0] if times else None)
    last = _plain(selection.until - timedelta(microseconds=1)) if selection.until else (times[-1] if times else None)
    if first is None or last is None:
        return dated.with_columns(until="period")
    periods = pl.datetime_range(first, last, every, time_unit="us", eager=True).alias("period").to_frame()
    rows = periods.join(dated.select(keys).unique(maintain_order=True), how="cross") if keys else periods
    found = rows.join(dated, on=["period", *keys], how="left", nulls_equal=True, maintain_order="left")
    return found.with_columns(until=pl.col("period").dt.offset_by(every))


def _plain(instant: datetime) -> datetime:
    """An instant as the views write it: UTC, without saying so."""
    return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant


def _beginning(instant: datetime, every: str) -> datetime:
    """When the period of an instant begins."""
    return pl.Series([_plain(instant)], dtype=pl.Datetime("us")).dt.truncate(every).to_list()[0]
