"""Page: what the dashboards have in common: the way from one to the other, filters, cards, panels."""

import html
import json
import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

import marimo as mo
import polars as pl
from altair import SCHEMA_VERSION
from altair.utils.schemapi import debug_mode

from runmart.ingest.warehouse.location import Location, parse_location
from runmart.notebooks import cached_read, captions, filters_state, formatting
from runmart.notebooks.controls import chosen, filter_controls
from runmart.notebooks.figures import Card, Known, comparable
from runmart.queries.attach import Version

Found = TypeVar("Found")

DASHBOARDS = {
    "overview": "Overview",
    "latency": "Latency",
    "failures": "Failures",
    "costs": "Tokens and cost",
    "operations": "Operations",
}
"""The names of the notebooks, and what they are called."""

WAREHOUSE_VARIABLE = "RUNMART_WAREHOUSE"
REFRESH = "30s"
VEGA_LITE = f"application/vnd.vegalite.v{SCHEMA_VERSION.lstrip('v').partition('.')[0]}+json"


def warehouse_path() -> Location:
    """The warehouse that the dashboards are about: RUNMART_WAREHOUSE, else runs.duckdb."""
    return parse_location(os.environ.get(WAREHOUSE_VARIABLE, "runs.duckdb"))


def known(path: Location) -> Known:
    """What there is to choose from; ends the cell with a sentence when the warehouse can't be read."""
    return _guarded(lambda: filters_state.known(path))


def figures_of(name: str, path: Location, controls: Any, choices: Known) -> Any:
    """What a dashboard shows; ends the cell with a sentence when the warehouse can't be read."""
    asked = chosen(controls.value)
    return _guarded(lambda: cached_read.read(path, name, asked.selection(choices.last or asked.until)))


def _guarded(read: Callable[[], Found]) -> Found:
    try:
        return read()
    except (OSError, ValueError) as error:
        mo.stop(True, mo.callout(str(error), kind="warn"))  # noqa: FBT003 - marimo's way
        raise


def controls(choices: Known) -> Any:
    """The filters, as the address asks to begin with."""
    return filter_controls(filters_state.asked(mo.query_params().to_dict(), choices), choices)


def refresh() -> Any:
    """How often the page looks for a newer version of the warehouse; it can be changed there."""
    return mo.ui.refresh(options=["1s", "5s", "30s", "5m"], default_interval=REFRESH)


def version(path: Location) -> Version | None:
    """What is there to be shown now."""
    return cached_read.version(path)


def watch(path: Location, _tick: str, shown: Version | None, show: Callable[[Version | None], None]) -> None:
    """Have the page drawn again when the warehouse is another than the one that is shown.

    Args:
        path: The warehouse.
        _tick: What `refresh` says; a change of it makes marimo look again.
        shown: What is shown.
        show: Called with what is to be shown.
    """
    found = cached_read.version(path)
    if found != shown:
        show(found)


def header(name: str, controls: Any, refresh: Any) -> Any:
    """The way to the other dashboards, which keep what the filters say; the filters under it."""
    asked = urlencode(chosen(controls.value).address(), doseq=True)
    links = "".join(
        f'<a href="../{one}/?{html.escape(asked)}" target="_self"{" aria-current=page" if one == name else ""}>'
        f"{html.escape(title)}</a>"
        for one, title in DASHBOARDS.items()
    )
    nav = mo.Html(f'<nav class="runmart-nav"><span class="runmart-name">runmart</span>{links}</nav>')
    elements = [controls[key] for key in ("days", "grain", "source", "model", "assistant")]
    return mo.vstack(
        [
            mo.hstack([nav, refresh], justify="space-between", align="center", wrap=True),
            mo.hstack(elements, justify="start", align="end", wrap=True, gap=1).style({"padding": "0.25rem 0"}),
        ]
    )


def cards(found: Sequence[Card]) -> Any:
    """Cards in a row, or more rows where there is no room."""
    return mo.Html(f'<div class="runmart-cards">{"".join(map(formatting.card, found))}</div>')


def panel(title: str, content: Any, note: str = "") -> Any:
    """A framed part of the page; a sentence instead of content that has nothing to show."""
    said = f'<p class="runmart-note">{html.escape(note)}</p>' if note else ""
    heading = mo.Html(f'<div class="runmart-title" role="heading" aria-level="2">{html.escape(title)}</div>{said}')
    return mo.vstack([heading, content], gap=0.25).style(
        {
            "border": "1px solid var(--border)",
            "border-radius": "8px",
            "padding": "0.75rem 1rem",
            "min-width": "0",
            "overflow": "hidden",
        }
    )


def grid(*panels: Any, columns: int = 2) -> Any:
    """Panels beside each other; one under the other where there is no room."""
    inner = "".join(f'<div class="runmart-cell">{one.text}</div>' for one in panels)
    return mo.Html(f'<div class="runmart-grid runmart-grid-{columns}">{inner}</div>')


def chart(draw: Callable[[pl.DataFrame], Any], frame: pl.DataFrame, empty: str = captions.EMPTY) -> Any:
    """A chart, or a sentence where there is nothing to draw."""
    if frame.is_empty():
        return nothing(empty)
    with debug_mode(False):  # noqa: FBT003 - else altair checks each part: half a second for six charts
        return mo.as_html(_Drawn(draw(frame).to_dict(validate=False)))


class _Drawn:
    """A Vega-Lite specification, for marimo to show."""

    def __init__(self, specification: dict[str, Any]) -> None:
        self._specification = specification

    def _mime_(self) -> tuple[str, str]:
        return VEGA_LITE, json.dumps(self._specification)


def costs(draw: Callable[[pl.DataFrame], Any], frame: pl.DataFrame) -> Any:
    """A chart of costs; a sentence where there is none, or where they can't be compared."""
    return chart(draw, comparable(frame), captions.NO_COST)


def table(frame: pl.DataFrame, empty: str = captions.EMPTY, rows: int = 10) -> Any:
    """A table that can be sorted and searched; a sentence where it would be empty."""
    if frame.is_empty():
        return nothing(empty)
    shown = formatting.readable(frame)
    forms = {name: formatting.form(name) for name in shown.columns}
    return mo.ui.table(
        shown,
        selection=None,
        page_size=rows,
        show_column_summaries=False,
        show_data_types=False,
        format_mapping={name: form for name, form in forms.items() if form is not None},
    )


def metadata(key: Any, frame: pl.DataFrame) -> Any:
    """The values of one key of metadata, to be chosen."""
    if frame.is_empty():
        return nothing("No run has metadata in this time.")
    return mo.vstack([key, table(frame.filter(pl.col("key") == key.value).drop("key"))])


def nothing(sentence: str) -> Any:
    """A sentence where there is nothing to show."""
    return mo.Html(f'<p class="runmart-nothing">{html.escape(sentence)}</p>')
