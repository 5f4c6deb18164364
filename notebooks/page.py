"""What the dashboards have in common: navigation, filters, cards, panels, charts and tables."""

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
from runmart.notebooks import captions, filters_state, formatting, query_cache
from runmart.notebooks.cards import Card
from runmart.notebooks.controls import chosen, filter_controls
from runmart.notebooks.figures import Known, comparable
from runmart.queries.attach import Version

Found = TypeVar("Found")

DASHBOARDS = {
    "overview": "Overview",
    "latency": "Latency",
    "failures": "Failures",
    "costs": "Tokens and cost",
    "migration": "Migration",
    "operations": "Operations",
}
"""The notebooks, by name, with their titles."""

WAREHOUSE_VARIABLE = "RUNMART_WAREHOUSE"
REFRESH = "30s"
VEGA_LITE = f"application/vnd.vegalite.v{SCHEMA_VERSION.lstrip('v').partition('.')[0]}+json"


class Dashboard:
    """What the cells of one dashboard share: its name, its warehouse, and what there is to filter by."""

    def __init__(self, name: str, path: Location, choices: Known, show: Callable[[Version | None], None]) -> None:
        """Called by `scaffold`; `show` sets the version of the warehouse that is shown."""
        self._name = name
        self._path = path
        self._choices = choices
        self._show = show

    def watch(self, _tick: str, version: Version | None) -> None:
        """Draw the page again when the warehouse has another version than the one that is shown.

        Args:
            _tick: The value of the refresh element; marimo runs the cell again when it changes.
            version: The version that is shown.
        """
        current = query_cache.version(self._path)
        if current != version:
            self._show(current)

    def header(self, controls: Any, refresh: Any) -> Any:
        """Links to the other dashboards, which keep the filters, and the filters below them."""
        query = html.escape(urlencode(chosen(controls.value).address(), doseq=True))
        links = "".join(
            f'<a href="../{name}/?{query}" target="_self"{" aria-current=page" if name == self._name else ""}>'
            f"{html.escape(title)}</a>"
            for name, title in DASHBOARDS.items()
        )
        nav = mo.Html(f'<nav class="runmart-nav"><span class="runmart-name">runmart</span>{links}</nav>')
        elements = [controls[key] for key in ("days", "grain", "source", "model", "assistant")]
        return mo.vstack(
            [
                mo.hstack([nav, refresh], justify="space-between", align="center", wrap=True),
                mo.hstack(elements, justify="start", align="end", wrap=True, gap=1).style({"padding": "0.25rem 0"}),
            ]
        )

    def figures(self, controls: Any, _version: Version | None) -> Any:
        """The figures of this dashboard for the chosen filters; an error ends the cell with its message.

        Args:
            controls: The filters.
            _version: The version that is shown; marimo runs the cell again when it changes.
        """
        filters = chosen(controls.value)
        selection = filters.selection(self._choices.last or filters.until)
        return _or_message(lambda: query_cache.read(self._path, self._name, selection))


def scaffold(name: str) -> tuple[Dashboard, Any, Any, Callable[[], Version | None]]:
    """What every dashboard begins with; an unreadable warehouse ends the cell with a message.

    Args:
        name: The dashboard, a key of `DASHBOARDS`.

    Returns:
        The dashboard; the filters, with the initial values of the page's address; the refresh element, whose
        interval can be changed; and a function that returns the version of the warehouse that is shown. The last
        three have to be global variables of the notebook, so that marimo runs the cells that use them again.
    """
    path = warehouse_path()
    version, set_version = mo.state(query_cache.version(path))
    choices = _or_message(lambda: filters_state.known(path))
    controls = filter_controls(filters_state.parse_filters(mo.query_params().to_dict(), choices), choices)
    refresh = mo.ui.refresh(options=["1s", "5s", "30s", "5m"], default_interval=REFRESH)
    return Dashboard(name, path, choices, set_version), controls, refresh, version


def warehouse_path() -> Location:
    """The warehouse that is shown: RUNMART_WAREHOUSE, else runs.duckdb."""
    return parse_location(os.environ.get(WAREHOUSE_VARIABLE, "runs.duckdb"))


def _or_message(read: Callable[[], Found]) -> Found:
    """What `read` returns; its error ends the cell with a message."""
    try:
        return read()
    except (OSError, ValueError) as error:
        mo.stop(True, mo.callout(str(error), kind="warn"))  # noqa: FBT003 - marimo's way
        raise


def cards(cards: Sequence[Card]) -> Any:
    """Cards in a row, wrapped where the page is narrow."""
    return mo.Html(f'<div class="runmart-cards">{"".join(map(formatting.card, cards))}</div>')


def panel(title: str, content: Any, note: str = "") -> Any:
    """A framed part of the page with a title and a note."""
    caption = f'<p class="runmart-note">{html.escape(note)}</p>' if note else ""
    heading = mo.Html(f'<div class="runmart-title" role="heading" aria-level="2">{html.escape(title)}</div>{caption}')
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
    """Panels in columns, stacked where the page is narrow."""
    inner = "".join(f'<div class="runmart-cell">{one.text}</div>' for one in panels)
    return mo.Html(f'<div class="runmart-grid runmart-grid-{columns}">{inner}</div>')


def chart(draw: Callable[[pl.DataFrame], Any], frame: pl.DataFrame, empty: str = captions.NO_RUNS) -> Any:
    """A chart, or the message `empty` for an empty frame."""
    if frame.is_empty():
        return message(empty)
    with debug_mode(False):  # noqa: FBT003 - else altair checks each part: half a second for six charts
        return mo.as_html(_Drawn(draw(frame).to_dict(validate=False)))


class _Drawn:
    """A Vega-Lite specification that marimo can display."""

    def __init__(self, specification: dict[str, Any]) -> None:
        self._specification = specification

    def _mime_(self) -> tuple[str, str]:
        return VEGA_LITE, json.dumps(self._specification)


def costs(draw: Callable[[pl.DataFrame], Any], frame: pl.DataFrame) -> Any:
    """A chart of costs, or a message when there are none or they are in several currencies."""
    return chart(draw, comparable(frame), captions.NO_COST)


def table(frame: pl.DataFrame, empty: str = captions.NO_RUNS, rows: int = 10) -> Any:
    """A table that can be sorted and searched, or the message `empty` for an empty frame."""
    if frame.is_empty():
        return message(empty)
    readable = formatting.readable(frame)
    formats = {name: formatting.form(name) for name in readable.columns}
    return mo.ui.table(
        readable,
        selection=None,
        page_size=rows,
        show_column_summaries=False,
        show_data_types=False,
        format_mapping={name: form for name, form in formats.items() if form is not None},
    )


def metadata(key: Any, frame: pl.DataFrame) -> Any:
    """The values of one metadata key, with the element that selects the key."""
    if frame.is_empty():
        return message(captions.NO_METADATA)
    return mo.vstack([key, table(frame.filter(pl.col("key") == key.value).drop("key"))])


def message(text: str) -> Any:
    """A sentence in place of a chart or table."""
    return mo.Html(f'<p class="runmart-nothing">{html.escape(text)}</p>')
