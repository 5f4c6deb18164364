"""Markup: numbers, headings and cards as people read them."""

import html
import re
from collections.abc import Callable
from typing import Any

import polars as pl

from runmart.notebooks import figures
from runmart.notebooks.figures import Card


def card(shown: Card) -> str:
    """A number, and how it has changed, as HTML."""
    direction, change = figures.change(shown)
    return (
        f'<div class="runmart-card"><div class="runmart-label">{html.escape(shown.label)}</div>'
        f'<div class="runmart-value">{html.escape(figures.written(shown))}</div>'
        f'<div class="runmart-change runmart-{direction}">{html.escape(change)}</div></div>'
    )


def readable(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows under headings of words; instants are UTC, to the second."""
    instants = pl.selectors.datetime(time_zone="*")
    return frame.with_columns(instants.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%d %H:%M:%S")).rename(
        {name: heading(name) for name in frame.columns}
    )


def heading(name: str) -> str:
    """A column's name in words; percentiles as such."""
    words = name.removesuffix("_id").replace("_", " ")
    return re.sub(r" p(\d\d)$", r", \1 %", words).replace(", 50 %", ", median")


def form(heading: str) -> Callable[[Any], str] | None:
    """How the numbers under a heading are written; None where as they are."""
    if "rate" in heading or "share" in heading:
        return lambda value: "" if value is None else f"{value:.1%}"
    if heading.endswith(("seconds ago", "age seconds", "unseen seconds")):
        return lambda value: "" if value is None else ago(value)
    if "seconds" in heading:
        return lambda value: "" if value is None else f"{value:,.1f}"
    if "cost" in heading:
        return lambda value: "" if value is None else f"{value:,.4f}"
    return None


def written(name: str, value: Any) -> str:
    """A value under a heading, as text."""
    if value is None:
        return ""
    if (as_number := form(name)) is not None:
        return as_number(value)
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def ago(seconds: float) -> str:
    """A time in the two units that tell most of it."""
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    place = next((place for place, (_, size) in enumerate(units) if seconds >= size), len(units) - 1)
    told: list[str] = []
    for unit, size in units[place : place + 2]:
        count, seconds = divmod(seconds, size)
        told.append(f"{count:,.0f} {unit}")
    return " ".join(told)
