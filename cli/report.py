"""`runmart report`: the overview as one file."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from runmart.cli import durations
from runmart.cli.options import DEFAULT, Options
from runmart.cli.output import echo, echo_json
from runmart.ingest.errors import RunmartError

_NAMES = Parameter(negative="")


def report(
    *,
    to: Path,
    since: str | None = None,
    until: str | None = None,
    grain: str | None = None,
    source: Annotated[Sequence[str], _NAMES] = (),
    model: Annotated[Sequence[str], _NAMES] = (),
    assistant: Annotated[Sequence[str], _NAMES] = (),
    title: str = "Runs",
    options: Options = DEFAULT,
) -> int:
    """Write the overview of the dashboards to one HTML file, to be mailed and opened anywhere: nothing is fetched.

    Args:
        to: The file.
        since: The first day: a date, or so long ago (7d); by default 30 days up to the newest run.
        until: The last day; by default up to the newest run.
        grain: hour, day, week or month; by default what suits the time.
        source: Only these sources; may be repeated.
        model: Only these models; may be repeated.
        assistant: Only these assistants; may be repeated.
        title: What it is called.
    """
    try:
        from runmart.notebooks import cached_read, filters_state
        from runmart.notebooks import report as pages
    except ModuleNotFoundError as error:
        raise RunmartError(
            f"a report needs {error.name}, which is not installed; run: pip install 'runmart[notebooks]'"
        ) from None
    address = {"since": _day(since, "--since"), "until": _day(until, "--until"), "grain": grain}
    names = {"source": list(source), "model": list(model), "assistant": list(assistant)}
    try:
        choices = filters_state.known(options.warehouse)
        asked = filters_state.asked({**address, **names}, choices)
        filters_state.check(names, choices, grain)
        selection = asked.selection(choices.last or asked.until)
        shown = cached_read.read(options.warehouse, "overview", selection)
    except (OSError, ValueError) as error:
        raise RunmartError(str(error)) from None
    text = pages.report(title, selection, shown, datetime.now(UTC))
    try:
        to.write_text(text, "utf-8")
    except OSError as error:
        raise RunmartError(f"{to} (--to) cannot be written: {error.strerror or error}") from None
    size = to.stat().st_size
    if options.json:
        echo_json({"warehouse": str(options.warehouse), "to": str(to), "bytes": size, **asked.address()})
    else:
        echo(f"{to}: {asked.since} to {asked.until} by {asked.grain}, {size:,} bytes")
    return 0


def _day(given: str | None, setting: str) -> str | None:
    """A day as addresses have it."""
    if given is None:
        return None
    return datetime.fromtimestamp(durations.instant(given, setting, time.time()), UTC).date().isoformat()
