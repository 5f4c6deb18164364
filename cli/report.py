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
    """Write the overview dashboard to one self-contained HTML file, which can be mailed and opened offline.

    Args:
        to: The file.
        since: First day: a date, or a duration ago (7d); default 30 days up to the newest run.
        until: Last day, included; default the day of the newest run.
        grain: Interval of the charts: hour, day, week or month; default by the length of the period.
        source: Only these sources; may be repeated.
        model: Only these models; may be repeated.
        assistant: Only these assistants; may be repeated.
        title: Title of the report.
    """
    try:
        from runmart.notebooks import filters_state, query_cache
        from runmart.notebooks import report as pages
    except ModuleNotFoundError as error:
        raise RunmartError(
            f"a report needs {error.name}, which is not installed; run: pip install 'runmart[notebooks]'"
        ) from None
    query = {"since": _day(since, "--since"), "until": _day(until, "--until"), "grain": grain}
    names = {"source": list(source), "model": list(model), "assistant": list(assistant)}
    try:
        choices = filters_state.known(options.warehouse)
        filters = filters_state.parse_filters({**query, **names}, choices)
        filters_state.check(names, choices, grain)
        selection = filters.selection(choices.last or filters.until)
        figures = query_cache.read(options.warehouse, "overview", selection)
    except (OSError, ValueError) as error:
        raise RunmartError(str(error)) from None
    text = pages.report(title, selection, figures, datetime.now(UTC))
    try:
        to.write_text(text, "utf-8")
    except OSError as error:
        raise RunmartError(f"{to} (--to) cannot be written: {error.strerror or error}") from None
    size = to.stat().st_size
    if options.json:
        echo_json({"warehouse": str(options.warehouse), "to": str(to), "bytes": size, **filters.address()})
    else:
        echo(f"{to}: {filters.since} to {filters.until} by {filters.grain}, {size:,} bytes")
    return 0


def _day(given: str | None, setting: str) -> str | None:
    """A day in the form of a URL query."""
    if given is None:
        return None
    return datetime.fromtimestamp(durations.instant(given, setting, time.time()), UTC).date().isoformat()
