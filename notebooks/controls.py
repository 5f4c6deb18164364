"""The filters of a dashboard as interactive elements."""

from collections.abc import Mapping
from typing import Any

import marimo as mo

from runmart.notebooks.figures import Known
from runmart.notebooks.filters_state import NAMES, Filters
from runmart.notebooks.periods import EVERY


def filter_controls(initial: Filters, choices: Known) -> Any:
    """A `mo.ui.dictionary` with the keys days, grain, source, model and assistant."""
    first, last = choices.first or initial.since, choices.last or initial.until
    options = {"source": choices.sources, "model": choices.models, "assistant": choices.assistants}
    days = mo.ui.date_range(start=first, stop=last, value=(initial.since, initial.until), label="Period (UTC)")
    named = {
        name: mo.ui.multiselect(options[name], value=list(initial.names[name]), label=name.capitalize())
        for name in NAMES
    }
    return mo.ui.dictionary(
        {"days": days, "grain": mo.ui.dropdown(list(EVERY), value=initial.grain, label="Interval"), **named}
    )


def chosen(values: Mapping[str, Any]) -> Filters:
    """The filters that the values of `filter_controls` stand for."""
    since, until = values["days"]
    return Filters(since, until, values["grain"] or "day", {name: tuple(values[name]) for name in NAMES})
