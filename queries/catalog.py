"""The catalog of views, read from the headers of their files.

A header holds the purpose and grain of the view, and the type and meaning of each column:

    -- purpose: ...
    -- grain: ...
    -- column NAME TYPE: ...
"""

import difflib
import re
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from importlib.resources import files

_PURPOSE = re.compile(r"^-- purpose: (.+)$", re.MULTILINE)
_GRAIN = re.compile(r"^-- grain: (.+)$", re.MULTILINE)
_FROM = re.compile(r"^\s*(?:from|(?:left |inner |cross )?join) (\w+)", re.MULTILINE)
_COLUMN = re.compile(r"^-- column (\w+) ([A-Z ]+(?:\[\])?): (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ViewColumn:
    """One column: its name, its DuckDB type, and what it means."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True, slots=True)
class View:
    """One view."""

    name: str
    purpose: str
    grain: str
    columns: tuple[ViewColumn, ...]
    sql: str
    """The select statement, header included."""

    @property
    def comment(self) -> str:
        """Purpose and grain: the comment on the view in the database."""
        return f"{self.purpose} Grain: {self.grain}."


@cache
def views() -> tuple[View, ...]:
    """All views, each after the views that it selects from."""
    texts = {
        file.name.removesuffix(".sql"): file.read_text("utf-8")
        for file in files("runmart.queries").iterdir()
        if file.name.endswith(".sql")
    }
    dependencies = {name: sorted(texts.keys() & set(_FROM.findall(texts[name]))) for name in sorted(texts)}
    return tuple(_parsed(name, texts[name]) for name in TopologicalSorter(dependencies).static_order())


def find(name: str) -> View:
    """The view called `name`.

    Raises:
        ValueError: There is none; the message suggests the most similar name.
    """
    known = {view.name: view for view in views()}
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, n=1)
    meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    raise ValueError(f"there is no view {name}; {meant}")


def prelude(engine: str) -> str:
    """The statements that define the functions that views use, for `duckdb` or `spark`."""
    return files("runmart.queries").joinpath("prelude", f"{engine}.sql").read_text("utf-8")


def _parsed(name: str, text: str) -> View:
    purpose, grain = _PURPOSE.search(text), _GRAIN.search(text)
    if purpose is None or grain is None:
        raise ValueError(f"queries/{name}.sql needs a header with purpose and grain")
    columns = tuple(ViewColumn(*match.groups()) for match in _COLUMN.finditer(text))
    return View(name, purpose[1], grain[1], columns, text)
