"""Progress of a pull: a live line on a terminal, a line a minute in a log, an event a minute for schedulers."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from runmart.cli.logs import Event
from runmart.cli.output import has_live_line, live_line, warn
from runmart.ingest.pull.request import Outcome, Progress

LOG_SECONDS = 60.0
"""The time between two lines or events."""

_LIVE_SECONDS = 0.2
"""The time between two states of the live line."""

Report = Callable[[Outcome], None]


@asynccontextmanager
async def progress(name: str, event: Event, *, is_quiet: bool) -> AsyncGenerator[Progress]:
    """Show the progress of a pull on standard error, also while it waits.

    Args:
        name: The label of the source.
        event: Logs events.
        is_quiet: Whether events are logged instead of lines for people.
    """
    latest = Outcome()

    def take(outcome: Outcome) -> None:
        nonlocal latest
        latest = outcome

    with _report(name, event, is_quiet=is_quiet) as (report, seconds):
        ticker = asyncio.create_task(_tick(lambda: report(latest), seconds))
        try:
            yield take
        finally:
            ticker.cancel()
            with suppress(asyncio.CancelledError):
                await ticker


async def _tick(report: Callable[[], None], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        with suppress(OSError):  # a pull goes on without those who look on
            report()


@contextmanager
def _report(name: str, event: Event, *, is_quiet: bool) -> Generator[tuple[Report, float]]:
    """How progress is shown, and how often, in seconds."""
    started = time.monotonic()
    if is_quiet:
        yield (
            lambda outcome: event("pull progress", source=name, **facts(outcome, time.monotonic() - started)),
            LOG_SECONDS,
        )
    elif has_live_line():
        with live_line() as show:
            show(f"{name}: starting")
            yield lambda outcome: show(f"{name}: {words(outcome)}"), _LIVE_SECONDS
    else:
        yield lambda outcome: warn(f"runmart: {name}: {words(outcome)}"), LOG_SECONDS


def facts(outcome: Outcome, seconds: float) -> dict[str, Any]:
    """How far a pull is, as fields of an event; `threads_in_all` is null until all threads are known."""
    return {
        "threads": outcome.threads,
        "threads_in_all": outcome.threads_in_all,
        "runs_found": outcome.runs_found,
        "requests": outcome.counters.requests,
        "seconds": round(seconds, 3),
        "waiting_seconds": round(outcome.counters.waiting_seconds(), 3),
    }


def words(outcome: Outcome) -> str:
    """How far a pull is, for people."""
    in_all = outcome.threads_in_all
    unit = outcome.unit
    threads = f"looking for {unit}" if in_all is None else f"{outcome.threads:,} of {in_all:,} {unit}"
    waiting = outcome.counters.waiting_seconds()
    pause = f"; waiting {waiting:.0f} s for the rate limit" if waiting >= 1 else ""
    return f"{threads}, {outcome.runs_found:,} runs found, {outcome.counters.requests:,} requests{pause}"
