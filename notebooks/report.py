"""Report: the overview as one file that shows itself, anywhere and offline, without a script."""

import html
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import altair as alt
import polars as pl
import vl_convert

from runmart.notebooks import captions, charts, formatting
from runmart.notebooks.figures import Overview, comparable
from runmart.queries import Selection

CHART_WIDTH = 470
"""Pixels; charts grow and shrink with the page."""

_VEGA_LITE = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])

_STYLE = """
:root { color-scheme: light dark; --foreground: #16181d; --muted-foreground: #5f6773; --border: #dfe3e8; }
@media (prefers-color-scheme: dark) {
  :root { --foreground: #e8eaed; --muted-foreground: #9aa3ae; --border: #343a43; }
  body { background: #14171b; }
}
body { color: var(--foreground); font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; margin: 0 auto;
  max-width: 1100px; padding: 1.5rem; }
h1 { font-size: 1.3rem; margin: 0 0 0.2rem; }
.runmart-panel { border: 1px solid var(--border); border-radius: 8px; padding: 0.75rem 1rem; break-inside: avoid; }
.runmart-panel svg { width: 100%; height: auto; }
.runmart-grid { margin-top: 0.75rem; }
.runmart-cards { margin-top: 1rem; }
table { border-collapse: collapse; font-size: 0.85rem; margin-top: 0.5rem; width: 100%; }
th, td { border-bottom: 1px solid var(--border); padding: 0.3rem 0.5rem; text-align: right; }
th { color: var(--muted-foreground); font-weight: 500; }
th:first-child, td:first-child { min-width: 8rem; overflow-wrap: break-word; text-align: left; }
footer { color: var(--muted-foreground); font-size: 0.8rem; margin-top: 1rem; }
"""


def report(title: str, asked: Selection, shown: Overview, now: datetime) -> str:
    """The overview as an HTML page.

    Args:
        title: Of the page.
        asked: What it is about.
        shown: What there is to show.
        now: When it is made.
    """
    panels = [
        _panel("Runs by status", _chart(charts.statuses, shown.runs)),
        _panel("Failure rate", _chart(charts.failure_rate, shown.runs), captions.OF_ENDED),
        _panel("Run time", _chart(charts.run_seconds, shown.runs), captions.OF_COMPLETED),
        _panel("Tokens", _chart(charts.tokens, shown.usage)),
        _panel("Cost", _chart(charts.cost, comparable(shown.usage), captions.NO_COST), shown.cost_note),
        _panel("Models", _table(shown.models)),
    ]
    style = files("runmart.notebooks").joinpath("style.css").read_text("utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{style}{_STYLE}</style>
</head>
<body>
<h1>{html.escape(title)}</h1>
<div class="runmart-note">{html.escape(_about(asked))}</div>
<div class="runmart-cards">{"".join(map(formatting.card, shown.cards))}</div>
<div class="runmart-grid runmart-grid-2">{"".join(panels)}</div>
<footer>Made by runmart at {now.astimezone(UTC):%Y-%m-%d %H:%M} (UTC). Times are UTC.</footer>
</body>
</html>
"""


def _about(asked: Selection) -> str:
    """What the report is about, in words."""
    since = f"from {asked.since:%Y-%m-%d} " if asked.since else ""
    until = f"until before {asked.until:%Y-%m-%d}" if asked.until else "up to the newest run"
    names = {"source": asked.sources, "model": asked.models, "assistant": asked.assistants}
    told = [f"{name}: {', '.join(values)}" for name, values in names.items() if values]
    return "; ".join([f"Runs created {since}{until}", *told, f"by {asked.grain}"])


def _panel(title: str, content: str, note: str = "") -> str:
    said = f'<p class="runmart-note">{html.escape(note)}</p>' if note else ""
    heading = f'<div class="runmart-title" role="heading" aria-level="2">{html.escape(title)}</div>'
    return f'<div class="runmart-cell"><div class="runmart-panel">{heading}{said}{content}</div></div>'


def _chart(draw: Callable[[pl.DataFrame], Any], frame: pl.DataFrame, empty: str = captions.EMPTY) -> str:
    """A chart as SVG; a sentence where there is nothing to draw."""
    if frame.is_empty():
        return _nothing(empty)
    specification: dict[str, Any] = draw(frame).properties(width=CHART_WIDTH).to_dict()
    return vl_convert.vegalite_to_svg(specification, vl_version=_VEGA_LITE)


def _table(frame: pl.DataFrame) -> str:
    if frame.is_empty():
        return _nothing(captions.EMPTY)
    shown = formatting.readable(frame)
    head = "".join(f"<th>{html.escape(name)}</th>" for name in shown.columns)
    rows = "".join(f"<tr>{_cells(shown.columns, row)}</tr>" for row in shown.iter_rows())
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cells(names: Sequence[str], row: Sequence[Any]) -> str:
    return "".join(
        f"<td>{html.escape(formatting.written(name, value))}</td>" for name, value in zip(names, row, strict=True)
    )


def _nothing(sentence: str) -> str:
    return f'<p class="runmart-nothing">{sentence}</p>'
