"""Charts of views; measures are computed in SQL, not here.

Times are UTC, and bars are as wide as their periods. Colours are distinguishable on light and dark backgrounds, and for
most people with colour blindness.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

import altair as alt
import polars as pl

STATUS_COLOURS = {
    "completed": "#4f9d7c",
    "failed": "#d1495b",
    "expired": "#e0a030",
    "incomplete": "#8f6bb3",
    "cancelled": "#8d99a6",
    "open": "#5b8fd9",
}
SERIES_COLOURS = ("#3f7fd0", "#e0a030", "#4f9d7c", "#d1495b", "#8f6bb3", "#2fa7b5", "#b0793f", "#8d99a6")
INK = "#7d8590"
HEIGHT = 220
ROW_HEIGHT = 22
LABEL_WIDTH = 190
RANKED = 20
_LONG = 24

_FORMATS = {"seconds": ",.1f", "count": ",d", "share": ".1%", "number": "~s", "money": ",.2f"}
_PLAIN = "abs(datum.value) < 1 ? format(datum.value, '~g') : format(datum.value, '~s')"

_SHORT = "length(datum.label) > 30 ? slice(datum.label, 0, 16) + '…' + slice(datum.label, -13) : datum.label"
"""Long names are shortened in the middle, since they often differ at the end."""

_LABELS = ((timedelta(days=20), "%b %Y"), (timedelta(days=1), "%d %b"), (timedelta(0), "%d %b %H:%M"))
"""The format of time labels, by the least length of a period."""

Unit = Literal["seconds", "count", "share", "number", "money"]


def bars_over_time(
    frame: pl.DataFrame, series: Mapping[str, str] | Sequence[str], *, title: str, unit: Unit = "count"
) -> alt.LayerChart:
    """Stacked bars, one per period.

    Args:
        frame: Columns `period`, `until`, `series` and `value`; one row per period and series.
        series: The names of the series from bottom to top, optionally with their colours.
        title: The title of the value axis.
        unit: The unit of the values.
    """
    base = _chart(frame).encode(
        x=_time(frame),
        x2="until:T",
        y=alt.Y("value:Q", title=title, stack="zero", axis=_axis(unit)),
        color=_colour(series),
        order="place:Q",
        tooltip=_tooltip(unit),
    )
    return _sized(base.mark_bar(orient="vertical", binSpacing=1))


def lines_over_time(
    frame: pl.DataFrame, series: Mapping[str, str] | Sequence[str], *, title: str, unit: Unit = "seconds"
) -> alt.LayerChart:
    """Lines with gaps where values are missing; arguments as for `bars_over_time`."""
    base = _chart(frame).encode(
        x=_time(frame),
        y=alt.Y("value:Q", title=title, axis=_axis(unit), scale=alt.Scale(zero=True, nice=True)),
        color=_colour(series),
        tooltip=_tooltip(unit),
    )
    line = base.mark_line(strokeWidth=2, invalid="break-paths-show-path-domains")
    return _sized(line, base.mark_circle(size=22, opacity=0.9, invalid="filter"))


def points_over_time(
    frame: pl.DataFrame, series: Mapping[str, str] | Sequence[str], *, title: str, unit: Unit = "count"
) -> alt.LayerChart:
    """Points at the beginning of irregular periods; arguments as for `bars_over_time`."""
    base = _chart(frame).encode(
        x=_time(frame), y=alt.Y("value:Q", title=title, axis=_axis(unit)), color=_colour(series), tooltip=_tooltip(unit)
    )
    return _sized(base.mark_circle(size=40, opacity=0.8))


def histogram(frame: pl.DataFrame, *, title: str, colour: str) -> alt.LayerChart:
    """Histogram of shares.

    Args:
        frame: Columns `from_seconds`, `to_seconds`, `runs` and `share`; one row per bin, in order.
        title: The title of the bin axis.
        colour: The colour of the bars.
    """
    labelled = frame.with_columns(
        pl.when(pl.col("to_seconds").is_null())
        .then(pl.format("≥ {}", pl.col("from_seconds").cast(pl.Int64)))
        .otherwise(pl.format("{}-{}", pl.col("from_seconds").cast(pl.Int64), pl.col("to_seconds").cast(pl.Int64)))
        .alias("bin")
    )
    base = alt.Chart(alt.Data(values=labelled.to_dicts())).encode(
        x=alt.X("bin:N", title=title, sort=None, axis=alt.Axis(labelAngle=-60, labelOverlap=True)),
        y=alt.Y("share:Q", title="Share of completed runs", axis=_axis("share")),
        tooltip=[
            alt.Tooltip("bin:N", title=title),
            alt.Tooltip("runs:Q", title="Runs", format=",d"),
            alt.Tooltip("share:Q", title="Share", format=".1%"),
        ],
    )
    return _sized(base.mark_bar(color=colour))


def ranked(
    frame: pl.DataFrame, *, title: str, unit: Unit, colour: str = SERIES_COLOURS[0], interval: bool = False
) -> alt.LayerChart:
    """Horizontal bars, one per name.

    Args:
        frame: Columns `name` and `value`, in the order of the bars; also `low` and `high` for intervals.
        title: The title of the value axis.
        unit: The unit of the values.
        colour: The colour of the bars.
        interval: Whether to draw the interval from `low` to `high`.
    """
    base = alt.Chart(alt.Data(values=frame.to_dicts())).encode(
        y=alt.Y("name:N", title=None, sort=None, axis=alt.Axis(labelExpr=_SHORT, labelLimit=LABEL_WIDTH, minExtent=60))
    )
    names = [alt.Tooltip("name:N", title="Name"), alt.Tooltip("value:Q", title=title, format=_FORMATS[unit])]
    bars = base.mark_bar(color=colour, cornerRadiusEnd=2).encode(
        x=alt.X("value:Q", title=title, axis=_axis(unit)), tooltip=names
    )
    layers = [bars]
    if interval:
        layers.append(base.mark_rule(color=INK, strokeWidth=1.5).encode(x="low:Q", x2="high:Q"))
    height = max(ROW_HEIGHT * frame.height, 60)
    return _sized(*layers, height=height)


def statuses(runs: pl.DataFrame) -> alt.LayerChart:
    """Runs by status, from `figures.Overview.runs`."""
    names = {name: name for name in STATUS_COLOURS}
    return bars_over_time(in_series(runs, names), STATUS_COLOURS, title="Runs")


def failure_rate(runs: pl.DataFrame) -> alt.LayerChart:
    """The failure rate over time, from `runs_over_time`."""
    return lines_over_time(
        in_series(runs, {"failure_rate": "Failure rate"}),
        {"Failure rate": STATUS_COLOURS["failed"]},
        title="Failure rate",
        unit="share",
    )


def run_seconds(runs: pl.DataFrame) -> alt.LayerChart:
    """Percentiles of run time over time, from `runs_over_time`."""
    columns = {"run_seconds_p99": "p99", "run_seconds_p95": "p95", "run_seconds_p50": "p50"}
    colours = dict(zip(columns.values(), ("#b9cdea", "#7ea6de", "#2f6cc0"), strict=True))
    return lines_over_time(in_series(runs, columns), colours, title="Seconds")


def queue_seconds(runs: pl.DataFrame) -> alt.LayerChart:
    """Percentiles of queue time over time, from `runs_over_time`."""
    columns = {"queue_seconds_p95": "p95", "queue_seconds_p50": "p50"}
    colours = dict(zip(columns.values(), ("#e8b45f", "#b0793f"), strict=True))
    return lines_over_time(in_series(runs, columns), colours, title="Seconds")


def tokens(usage: pl.DataFrame) -> alt.LayerChart:
    """Tokens over time, from `usage_over_time`; uncached, cached and completion tokens add up to the total."""
    apart = usage.with_columns(uncached=pl.col("prompt_tokens") - pl.col("cached_prompt_tokens").fill_null(0))
    columns = {"uncached": "Prompt", "cached_prompt_tokens": "Prompt, cached", "completion_tokens": "Completion"}
    colours = dict(zip(columns.values(), ("#3f7fd0", "#a9c4ea", "#e0a030"), strict=True))
    return bars_over_time(in_series(apart, columns), colours, title="Tokens", unit="number")


def cost(usage: pl.DataFrame) -> alt.LayerChart:
    """Cost over time, from `usage_over_time`."""
    columns = {"cost": "Cost"}
    return bars_over_time(in_series(usage, columns), {"Cost": STATUS_COLOURS["completed"]}, title="Cost", unit="money")


def cached_share(usage: pl.DataFrame) -> alt.LayerChart:
    """The share of cached tokens in prompt tokens over time, from `usage_over_time`."""
    columns = {"cached_share": "Cached"}
    return lines_over_time(in_series(usage, columns), ["Cached"], title="Share of prompt tokens", unit="share")


def p95_by_model(frame: pl.DataFrame) -> alt.LayerChart:
    """Run time p95 over time, one line per model, from `runs_over_time_by_model`."""
    return _by(frame, "model", "run_seconds_p95", lines_over_time, title="Seconds", unit="seconds")


def p95_by_assistant(frame: pl.DataFrame) -> alt.LayerChart:
    """Run time p95 over time, one line per assistant, from `runs_over_time_by_assistant`."""
    return _by(frame, "assistant_id", "run_seconds_p95", lines_over_time, title="Seconds", unit="seconds")


def cost_by_model(frame: pl.DataFrame) -> alt.LayerChart:
    """Costs over time, stacked by model, from `usage_over_time_by_model`."""
    return _by(frame, "model", "cost", bars_over_time, title="Cost", unit="money")


def tokens_by_model(frame: pl.DataFrame) -> alt.LayerChart:
    """Tokens over time, stacked by model, from `usage_over_time_by_model`."""
    return _by(frame, "model", "total_tokens", bars_over_time, title="Tokens", unit="number")


def loaded(loads: pl.DataFrame) -> alt.LayerChart:
    """New and updated runs and rejects per load, from `load_history`."""
    minute = timedelta(minutes=1)
    timed = (
        loads.filter(pl.col("started_at").is_not_null())
        .sort("started_at")
        .with_columns(
            period=pl.col("started_at").dt.replace_time_zone(None),
            until=pl.max_horizontal("finished_at", pl.col("started_at") + minute).dt.replace_time_zone(None),
        )
    )
    columns = {"new_runs": "New", "updated_runs": "Updated", "rejected": "Rejected"}
    colours = dict(zip(columns.values(), ("#4f9d7c", "#3f7fd0", "#d1495b"), strict=True))
    return points_over_time(in_series(timed, columns), colours, title="Runs")


def errors(frame: pl.DataFrame) -> alt.LayerChart:
    """Failures over time by status and code, from `figures.Failures.errors`."""
    series = frame.select("period", "until", "series", value=pl.col("runs").cast(pl.Float64))
    return bars_over_time(series, series["series"].unique(maintain_order=True).to_list(), title="Runs")


def rates_by_model(frame: pl.DataFrame) -> alt.LayerChart:
    """Failure rates with their Wilson 95% intervals, from `failure_rates_by_model`."""
    return _rates(frame, "model")


def rates_by_assistant(frame: pl.DataFrame) -> alt.LayerChart:
    """Failure rates with their Wilson 95% intervals, from `failure_rates_by_assistant`."""
    return _rates(frame, "assistant_id")


def most_costly_models(frame: pl.DataFrame) -> alt.LayerChart:
    """Total cost per model, highest first, from `cost_by_model`."""
    return _most_costly(frame, "model")


def most_costly_assistants(frame: pl.DataFrame) -> alt.LayerChart:
    """Total cost per assistant, highest first, from `cost_by_assistant`."""
    return _most_costly(frame, "assistant_id")


def turn_time_p50(sides: pl.DataFrame) -> alt.LayerChart:
    """Medians of the durations of turns, from `migration_comparison`."""
    return _of_sides(sides, "turn_seconds_p50", "Turn time p50", "seconds")


def turn_time_p95(sides: pl.DataFrame) -> alt.LayerChart:
    """95th percentiles of the durations of turns, from `migration_comparison`."""
    return _of_sides(sides, "turn_seconds_p95", "Turn time p95", "seconds")


def cost_of_turns(sides: pl.DataFrame) -> alt.LayerChart:
    """Costs of 1,000 turns, from `migration_comparison`."""
    return _of_sides(sides, "cost_per_thousand_turns", "Cost of 1,000 turns", "money")


def turn_failure_rate(sides: pl.DataFrame) -> alt.LayerChart:
    """Failure rates of turns with their Wilson 95% intervals, from `migration_comparison`."""
    bars = sides.select(
        "name", value="failure_rate", low="failure_rate_low", high="failure_rate_high"
    ).drop_nulls()  # fmt: skip
    return ranked(bars, title="Failure rate", unit="share", colour=STATUS_COLOURS["failed"], interval=True)


def _of_sides(sides: pl.DataFrame, column: str, title: str, unit: Unit) -> alt.LayerChart:
    """A measure of each deployment and side, before above after."""
    bars = sides.select("name", value=column).drop_nulls()
    return ranked(bars, title=title, unit=unit, colour=SERIES_COLOURS[0])


def _rates(frame: pl.DataFrame, name: str) -> alt.LayerChart:
    columns = {"failure_rate": "value", "failure_rate_low": "low", "failure_rate_high": "high"}
    bars = _named(frame, name).rename({**columns, "series": "name"}).select("name", "value", "low", "high")
    return ranked(bars, title="Failure rate", unit="share", colour=STATUS_COLOURS["failed"], interval=True)


def _most_costly(frame: pl.DataFrame, name: str) -> alt.LayerChart:
    bars = _named(frame, name).filter(pl.col("cost").is_not_null()).head(RANKED)
    return ranked(
        bars.select(name="series", value="cost"), title="Cost", unit="money", colour=STATUS_COLOURS["completed"]
    )


def run_histogram(frame: pl.DataFrame) -> alt.LayerChart:
    """The distribution of run time, from `duration_histogram`."""
    bins = frame.filter(pl.col("duration") == "run_seconds")
    return histogram(bins, title="Run time (seconds)", colour="#3f7fd0")


def queue_histogram(frame: pl.DataFrame) -> alt.LayerChart:
    """The distribution of queue time, from `duration_histogram`."""
    bins = frame.filter(pl.col("duration") == "queue_seconds")
    return histogram(bins, title="Queue time (seconds)", colour="#b0793f")


def _by(
    frame: pl.DataFrame, name: str, column: str, draw: Callable[..., alt.LayerChart], *, title: str, unit: Unit
) -> alt.LayerChart:
    named = _named(frame, name)
    series = named.select("period", "until", "series", value=pl.col(column).cast(pl.Float64))
    return draw(series, named["series"].unique(maintain_order=True).to_list(), title=title, unit=unit)


def _named(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    return frame.with_columns(series=pl.col(name).fill_null("(none)"))


def in_series(frame: pl.DataFrame, columns: Mapping[str, str]) -> pl.DataFrame:
    """Columns turned into series: one row per period and column, with its label in `series`.

    Args:
        frame: `period`, `until` and the columns.
        columns: The columns, with their labels.
    """
    return pl.concat(
        [
            frame.select("period", "until", series=pl.lit(name), value=pl.col(column).cast(pl.Float64))
            for column, name in columns.items()
        ]
    )


def _chart(frame: pl.DataFrame) -> alt.Chart:
    """A chart of rows over time, with its data inline."""
    order = {name: place for place, name in enumerate(dict.fromkeys(frame["series"]))}
    rows = frame.with_columns(
        pl.col("period", "until").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        place=pl.col("series").replace_strict(order, return_dtype=pl.Int64) if order else pl.lit(0),
    )
    return alt.Chart(alt.Data(values=rows.to_dicts()))


def _time(frame: pl.DataFrame) -> alt.X:
    """The time axis, with labels that suit the length of the periods."""
    lengths: list[timedelta] = (frame["until"] - frame["period"]).to_list()
    longest = max(lengths, default=timedelta(0))
    form = next(form for least, form in _LABELS if longest >= least)
    axis = alt.Axis(format=form, labelOverlap="greedy", labelSeparation=12, tickCount=8, labelFlush=True)
    return alt.X("period:T", title=None, scale=alt.Scale(type="utc"), axis=axis)


def _axis(unit: Unit) -> alt.Axis:
    # one format per label: an axis uses the SI prefix of its greatest value for all labels, 0 included
    written = "format(datum.value, '.0~%')" if unit == "share" else _PLAIN
    least = 1 if unit == "count" else alt.Undefined
    return alt.Axis(labelExpr=written, tickCount=5, tickMinStep=least, minExtent=34)


def _tooltip(unit: Unit) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("period:N", title="From (UTC)"),
        alt.Tooltip("series:N", title="Series"),
        alt.Tooltip("value:Q", title="Value", format=_FORMATS[unit]),
    ]


def _colour(series: Mapping[str, str] | Sequence[str]) -> alt.Color:
    names = list(series)
    colours = list(series.values()) if isinstance(series, Mapping) else _repeated(len(names))
    columns = 4 if max(map(len, names), default=0) < _LONG else 2
    legend = alt.Legend(orient="bottom", title=None, columns=columns, labelExpr=_SHORT, labelLimit=LABEL_WIDTH)
    return alt.Color(
        "series:N", scale=alt.Scale(domain=names, range=colours), legend=legend if len(names) > 1 else None
    )


def _repeated(count: int) -> list[str]:
    return [SERIES_COLOURS[place % len(SERIES_COLOURS)] for place in range(count)]


def _sized(*layers: Any, height: int = HEIGHT) -> alt.LayerChart:
    """Layers as wide as their container, in colours that suit light and dark backgrounds."""
    chart: Any = alt.layer(*layers)
    chart = chart.properties(
        width="container", height=height, background="transparent", usermeta={"embedOptions": {"actions": False}}
    )
    lines = {"gridColor": INK, "gridOpacity": 0.18, "domainColor": INK, "domainOpacity": 0.4}
    ticks = {"tickColor": INK, "tickOpacity": 0.4}
    texts = {"labelColor": INK, "titleColor": INK}
    axis = chart.configure_view(stroke=None).configure_axis(titleFontWeight="normal", **texts, **lines, **ticks)
    return axis.configure_legend(**texts)
