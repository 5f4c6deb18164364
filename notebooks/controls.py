"""Filters: what dashboards are asked for by whoever looks."""

from collections.abc import Mapping
from typing import Any

import marimo as mo

from runmart.notebooks.figures import Known
from runmart.notebooks.filters_state import NAMES, Filters
from runmart.notebooks.periods import EVERY


def filter_controls(beginning: Filters, choices: Known) -> Any:
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


def chosen(values: Mapping[str, Any]) -> Filters:
    """What the controls say."""
    since, until = values["days"]
    return Filters(since, until, values["grain"] or "day", {name: tuple(values[name]) for name in NAMES})
