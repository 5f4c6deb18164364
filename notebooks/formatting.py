"""Formatting: numbers, headings and cards."""

import html
from collections.abc import Callable
from typing import Any

import polars as pl

from runmart.notebooks import cards
from runmart.notebooks.cards import Card


def card(content: Card) -> str:
    """A number and its change, as HTML."""
    direction, change = cards.change(content)
    return (
        f'<div class="runmart-card"><div class="runmart-label">{html.escape(content.label)}</div>'
        f'<div class="runmart-value">{html.escape(cards.written(content))}</div>'
        f'<div class="runmart-change runmart-{direction}">{html.escape(change)}</div></div>'
    )


def readable(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows with readable headings; instants in UTC, to the second."""
    instants = pl.selectors.datetime(time_zone="*")
    return frame.with_columns(instants.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%d %H:%M:%S")).rename(
        {name: heading(name) for name in frame.columns}
    )


def heading(name: str) -> str:
    """A column's name in words: `run_seconds_p95` is "run seconds p95"."""
    return name.removesuffix("_id").replace("_", " ")


def form(heading: str) -> Callable[[Any], str] | None:
    """The function that formats the numbers under a heading; None for the default."""
    if "rate" in heading or "share" in heading:
        return lambda value: "" if value is None else f"{value:.1%}"
    if heading.endswith(("seconds ago", "age seconds", "unseen seconds")):
        return lambda value: "" if value is None else ago(value)
    if "seconds" in heading:
        return lambda value: "" if value is None else f"{value:,.1f}"
    if "cost" in heading:
        return lambda value: "" if value is None else f"{value:,.4f}"
    if heading.endswith("per turn"):
        return lambda value: "" if value is None else f"{value:,.1f}"
    return None


def written(name: str, value: Any) -> str:
    """A value as text, formatted by its heading."""
    if value is None:
        return ""
    if (as_number := form(name)) is not None:
        return as_number(value)
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def ago(seconds: float) -> str:
    """A duration in its two largest units, such as "3 d 4 h"."""
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    place = next((place for place, (_, size) in enumerate(units) if seconds >= size), len(units) - 1)
    parts: list[str] = []
    for unit, size in units[place : place + 2]:
        count, seconds = divmod(seconds, size)
        parts.append(f"{count:,.0f} {unit}")
    return " ".join(parts)
