"""Periods of charts without gaps, and previous periods."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from runmart.notebooks.periods import before, filled, fitting_grain
from runmart.queries import Grain, Selection

START = datetime(2024, 1, 30, tzinfo=UTC)


def over_time(*periods: datetime, **columns: list[str]) -> pl.DataFrame:
    """Rows of a view over time."""
    plain = [period.replace(tzinfo=None) for period in periods]
    frame = pl.DataFrame({"period": plain, "runs": [1] * len(plain), **columns})
    return frame.with_columns(pl.col("period").cast(pl.Datetime("us")), pl.col("runs").cast(pl.Int64))


@pytest.mark.parametrize(
    ("grain", "until", "beginnings"),
    [
        ("day", datetime(2024, 2, 2, tzinfo=UTC), ["2024-01-30", "2024-01-31", "2024-02-01"]),
        ("week", datetime(2024, 2, 13, tzinfo=UTC), ["2024-01-29", "2024-02-05", "2024-02-12"]),
        ("week", datetime(2024, 2, 12, tzinfo=UTC), ["2024-01-29", "2024-02-05"]),
        ("month", datetime(2024, 4, 1, tzinfo=UTC), ["2024-01-01", "2024-02-01", "2024-03-01"]),
    ],
)
def test_each_period_has_a_row(grain: Grain, until: datetime, beginnings: list[str]) -> None:
    """There is a row for each period from the start to the end; periods without runs hold null."""
    first = datetime.fromisoformat(beginnings[0])
    found = filled(over_time(first), Selection(START, until, grain=grain))
    assert [str(period)[:10] for period in found["period"]] == beginnings
    assert found["runs"].to_list() == [1, *[None] * (len(beginnings) - 1)]
    assert found["until"].to_list()[:-1] == found["period"].to_list()[1:]


def test_hours_of_a_day() -> None:
    """A day has 24 hours, up to the next midnight."""
    found = filled(over_time(START), Selection(START, START + timedelta(days=1), grain="hour"))
    assert found.height == 24
    assert str(found["until"][-1]) == "2024-01-31 00:00:00"


def test_without_an_end_periods_end_with_the_newest() -> None:
    """Without limits, periods range from the oldest to the newest run; runs without a time are left out."""
    frame = over_time(START + timedelta(days=3), START)
    undated = pl.concat([frame, frame.head(1).with_columns(period=pl.lit(None, pl.Datetime("us")))])
    assert filled(undated, Selection())["runs"].to_list() == [1, None, None, 1]
    assert filled(undated, Selection(since=START - timedelta(days=1)))["runs"].to_list() == [
        None,
        1,
        None,
        None,
        1,
    ]


def test_each_series_has_all_periods() -> None:
    """Each series has all periods, also that of the null model."""
    frame = over_time(START, START, START + timedelta(days=1)).with_columns(model=pl.Series(["a", None, "a"]))
    found = filled(frame, Selection(START, START + timedelta(days=2)), "model")
    rows = found.select("period", "model", "runs").sort("model", "period", nulls_last=True).rows()
    assert [(str(period)[8:10], model, runs) for period, model, runs in rows] == [
        ("30", "a", 1),
        ("31", "a", 1),
        ("30", None, 1),
        ("31", None, None),
    ]


def test_nothing_gives_nothing() -> None:
    """Without a start and without runs there is no period."""
    assert filled(over_time(), Selection()).is_empty()
    assert filled(over_time(), Selection(START, START + timedelta(days=2)))["runs"].to_list() == [None, None]


@pytest.mark.parametrize(
    ("days", "grain"),
    [(1, "hour"), (3, "hour"), (4, "day"), (70, "day"), (71, "week"), (501, "month")],
)
def test_grains_that_can_be_told_apart(days: int, grain: Grain) -> None:
    """The default period gives a chart of some dozens of points."""
    assert fitting_grain(START, START + timedelta(days=days)) == grain


def test_the_time_before_ends_where_this_begins() -> None:
    """The previous period ends where the current one begins, with the same filters."""
    asked = Selection(START, START + timedelta(days=7), models=("m",))
    assert before(asked) == Selection(START - timedelta(days=7), START, models=("m",))
    assert before(Selection(since=START)) is None
