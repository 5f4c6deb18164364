"""Asking: what a dashboard or a report is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from runmart.ingest.warehouse.location import Location
from runmart.notebooks.cached_read import read
from runmart.notebooks.figures import Known
from runmart.notebooks.periods import EVERY, fitting_grain
from runmart.queries import Grain, Selection

FIRST_DAYS = 30
"""A dashboard begins with so many days up to the newest run."""

_NAMED = 10
"""Names that an error tells."""

NAMES = ("source", "model", "assistant")


@dataclass(frozen=True, slots=True)
class Filters:
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
            since=midnight(self.since),
            until=None if self.until >= last else midnight(self.until) + timedelta(days=1),
            sources=self.names["source"],
            models=self.names["model"],
            assistants=self.names["assistant"],
            grain=self.grain,
        )

    def address(self) -> dict[str, Any]:
        """The same as the query of an address."""
        named = {name: list(values) for name, values in self.names.items() if values}
        return {"since": self.since.isoformat(), "until": self.until.isoformat(), "grain": self.grain, **named}


def known(path: Location) -> Known:
    """What the warehouse holds to choose from.

    Raises:
        FileNotFoundError: There is no warehouse; and what else `read` raises.
    """
    return read(path, "known", Selection())


def asked(address: Mapping[str, Any], choices: Known) -> Filters:
    """What an address asks for, as far as there is such a thing."""
    first, last = choices.first or _today(), choices.last or _today()
    until = min(max(_day(address.get("until"), last), first), last)
    since = min(max(_day(address.get("since"), until - timedelta(days=FIRST_DAYS - 1)), first), until)
    grain = address.get("grain")
    fitting = fitting_grain(midnight(since), midnight(until) + timedelta(days=1))
    options = {"source": choices.sources, "model": choices.models, "assistant": choices.assistants}
    names = {name: _chosen(address.get(name), options[name]) for name in NAMES}
    return Filters(since, until, grain if grain in EVERY else fitting, names)


def check(names: Mapping[str, Sequence[str]], choices: Known, grain: str | None) -> None:
    """Refuse what a person has asked for and is not there; an address just lacks it.

    Raises:
        ValueError: Says what there is.
    """
    if grain is not None and grain not in EVERY:
        raise ValueError(f"the grain must be one of {', '.join(EVERY)}, not {grain!r}")
    options = {"source": choices.sources, "model": choices.models, "assistant": choices.assistants}
    for name, values in names.items():
        for value in values:
            if value not in options[name]:
                some = ", ".join(options[name][:_NAMED]) or "none"
                raise ValueError(f"no run has the {name} {value!r}; there is: {some}")


def warm_up(path: Location) -> None:
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


def midnight(day: date) -> datetime:
    """When a day begins, in UTC."""
    return datetime.combine(day, time(), UTC)


def _today() -> date:
    return datetime.now(UTC).date()
