"""Filters: what a dashboard is asked for, by its address to begin with, then by whoever looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import marimo as mo

from runmart.notebooks.figures import Known
from runmart.notebooks.periods import EVERY, fitting_grain
from runmart.notebooks.reading import read
from runmart.queries import Grain, Selection

FIRST_DAYS = 30
"""A dashboard begins with so many days up to the newest run."""

NAMES = ("source", "model", "assistant")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the filters say."""

    since: date
    until: date
    """The last day."""
    grain: Grain
    names: Mapping[str, tuple[str, ...]]
    """Sources, models and assistants; none for all."""

    def selection(self, last: date) -> Selection:
        """The runs that are asked for; up to the last day that is known means: and what comes after it."""
        return Selection(
            since=_midnight(self.since),
            until=None if self.until >= last else _midnight(self.until) + timedelta(days=1),
            sources=self.names["source"],
            models=self.names["model"],
            assistants=self.names["assistant"],
            grain=self.grain,
        )

    def address(self) -> dict[str, Any]:
        """The same as the query of an address."""
        named = {name: list(values) for name, values in self.names.items() if values}
        return {"since": self.since.isoformat(), "until": self.until.isoformat(), "grain": self.grain, **named}


def known(path: Path) -> Known:
    """What the warehouse holds to choose from.

    Raises:
        FileNotFoundError: There is no warehouse; and what else `read` raises.
    """
    return read(path, "known", Selection())


def asked(address: Mapping[str, Any], choices: Known) -> Asked:
    """What an address asks for, as far as there is such a thing."""
    first, last = choices.first or _today(), choices.last or _today()
    until = min(max(_day(address.get("until"), last), first), last)
    since = min(max(_day(address.get("since"), until - timedelta(days=FIRST_DAYS - 1)), first), until)
    grain = address.get("grain")
    fitting = fitting_grain(_midnight(since), _midnight(until) + timedelta(days=1))
    options = {"source": choices.sources, "model": choices.models, "assistant": choices.assistants}
    names = {name: _chosen(address.get(name), options[name]) for name in NAMES}
    return Asked(since, until, grain if grain in EVERY else fitting, names)


def controls(beginning: Asked, choices: Known) -> Any:
    """A `mo.ui.dictionary` with the keys days, grain, source, model and assistant."""
    first, last = choices.first or beginning.since, choices.last or beginning.until
    options = {"source": choices.sources, "model": choices.models, "assistant": choices.assistants}
    days = mo.ui.date_range(start=first, stop=last, value=(beginning.since, beginning.until), label="Days (UTC)")
    named = {
        name: mo.ui.multiselect(options[name], value=list(beginning.names[name]), label=name.capitalize())
        for name in NAMES
    }
    return mo.ui.dictionary(
        {"days": days, "grain": mo.ui.dropdown(list(EVERY), value=beginning.grain, label="Grain"), **named}
    )


def chosen(values: Mapping[str, Any]) -> Asked:
    """What the controls say."""
    since, until = values["days"]
    return Asked(since, until, values["grain"] or "day", {name: tuple(values[name]) for name in NAMES})


def warm_up(path: Path) -> None:
    """Read what most look at first, so that they need not wait for it."""
    choices = known(path)
    read(path, "overview", asked({}, choices).selection(choices.last or _today()))


def _chosen(given: Any, options: Sequence[str]) -> tuple[str, ...]:
    values = [given] if isinstance(given, str) else list(given or ())
    return tuple(value for value in values if value in options)


def _day(given: Any, otherwise: date) -> date:
    try:
        return date.fromisoformat(given)
    except (TypeError, ValueError):
        return otherwise


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _today() -> date:
    return datetime.now(UTC).date()
