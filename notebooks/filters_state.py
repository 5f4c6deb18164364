"""Filters of dashboards and reports: parsed from a URL query, checked, and turned into a selection of runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from runmart.ingest.warehouse.location import Location
from runmart.notebooks.figures import Known
from runmart.notebooks.periods import EVERY, fitting_grain
from runmart.notebooks.query_cache import read
from runmart.queries import Grain, Selection

DEFAULT_DAYS = 30
"""Days up to the newest run that are shown by default."""

_MOST_NAMES = 10
"""How many available names an error message lists."""

NAMES = ("source", "model", "assistant")


@dataclass(frozen=True, slots=True)
class Filters:
    """The period, its interval, and the names to filter by."""

    since: date
    until: date
    """The last day, included."""
    grain: Grain
    names: Mapping[str, tuple[str, ...]]
    """Values by name (`NAMES`); no value means all."""

    def selection(self, last: date) -> Selection:
        """The selected runs; a period that ends on `last`, the newest day, stays open for newer runs."""
        return Selection(
            since=midnight(self.since),
            until=None if self.until >= last else midnight(self.until) + timedelta(days=1),
            sources=self.names["source"],
            models=self.names["model"],
            assistants=self.names["assistant"],
            grain=self.grain,
        )

    def address(self) -> dict[str, Any]:
        """The query parameters that `parse_filters` reads back."""
        named = {name: list(values) for name, values in self.names.items() if values}
        return {"since": self.since.isoformat(), "until": self.until.isoformat(), "grain": self.grain, **named}


def known(path: Location) -> Known:
    """The days and names in the warehouse.

    Raises:
        FileNotFoundError: There is no warehouse. `read` lists the other errors.
    """
    return read(path, "known", Selection())


def parse_filters(query: Mapping[str, Any], choices: Known) -> Filters:
    """The filters of a URL query; values that are not in the warehouse are dropped."""
    first, last = choices.first or _today(), choices.last or _today()
    until = min(max(_day(query.get("until"), last), first), last)
    since = min(max(_day(query.get("since"), until - timedelta(days=DEFAULT_DAYS - 1)), first), until)
    grain = query.get("grain")
    fitting = fitting_grain(midnight(since), midnight(until) + timedelta(days=1))
    options = {"source": choices.sources, "model": choices.models, "assistant": choices.assistants}
    names = {name: _known_values(query.get(name), options[name]) for name in NAMES}
    return Filters(since, until, grain if grain in EVERY else fitting, names)


def check(names: Mapping[str, Sequence[str]], choices: Known, grain: str | None) -> None:
    """Refuse names and intervals that do not exist, as a command should; `parse_filters` drops them.

    Raises:
        ValueError: The message lists the available values.
    """
    if grain is not None and grain not in EVERY:
        raise ValueError(f"the grain must be one of {', '.join(EVERY)}, not {grain!r}")
    options = {"source": choices.sources, "model": choices.models, "assistant": choices.assistants}
    for name, values in names.items():
        for value in values:
            if value not in options[name]:
                some = ", ".join(options[name][:_MOST_NAMES]) or "none"
                raise ValueError(f"no run has the {name} {value!r}; there is: {some}")


def warm_up(path: Location) -> None:
    """Read the figures of the default page into the cache."""
    choices = known(path)
    read(path, "overview", parse_filters({}, choices).selection(choices.last or _today()))


def _known_values(given: Any, options: Sequence[str]) -> tuple[str, ...]:
    values = [given] if isinstance(given, str) else list(given or ())
    return tuple(value for value in values if value in options)


def _day(given: Any, default: date) -> date:
    try:
        return date.fromisoformat(given)
    except (TypeError, ValueError):
        return default


def midnight(day: date) -> datetime:
    """The beginning of a day in UTC."""
    return datetime.combine(day, time(), UTC)


def _today() -> date:
    return datetime.now(UTC).date()
