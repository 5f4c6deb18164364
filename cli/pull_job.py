"""Pulls from some sources, once or periodically: exit code, output, metrics and publishing."""

import asyncio
import shlex
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runmart.cli.app import EXIT_FAILED, EXIT_REJECTS
from runmart.cli.logs import Event
from runmart.cli.options import Options
from runmart.cli.output import echo, echo_json, warn
from runmart.cli.publishing import PublishOptions, as_dict, echo_published
from runmart.cli.pull_lists import Lists
from runmart.cli.pull_progress import progress
from runmart.ingest.errors import RunmartError
from runmart.ingest.maintenance.publish import Published
from runmart.ingest.pull.metrics import Pulled, write
from runmart.ingest.pull.request import Outcome, Request
from runmart.ingest.pull.runner import pull as pull_runs
from runmart.ingest.warehouse.location import Location

_QUIET_PUBLISH_SECONDS = 3600.0
"""How often pulls without new runs are published, for the time of the last complete pull."""


@dataclass
class Job:
    """Pulls from some sources, once or periodically."""

    requests: Mapping[str, Request]
    """What to pull from each source, by label."""
    lists: Lists
    """The lists of threads and responses of each source."""
    options: Options
    event: Event
    metrics: Path | None
    publishing: PublishOptions
    is_quiet: bool
    """Whether events are logged instead of lines for people."""

    async def run(self, every_seconds: float | None) -> int:
        """Pull once, or every `every_seconds` until SIGTERM.

        Returns:
            The exit code of the only round; 0 when SIGTERM ends periodic pulls.

        Raises:
            KeyboardInterrupt: The pull was interrupted.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker
        is_stopped = False

        def stop() -> None:
            nonlocal is_stopped
            is_stopped = True
            task.cancel()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
        started = time.monotonic()
        try:
            while True:
                code = await self._round()
                if every_seconds is None:
                    return code
                behind = time.monotonic() - started
                await asyncio.sleep(every_seconds - behind % every_seconds)
        except asyncio.CancelledError:
            if every_seconds is not None and is_stopped:
                return 0
            raise KeyboardInterrupt from None

    async def _round(self) -> int:
        """Pull from each source once; the exit code of the worst."""
        results: dict[str, Outcome | RunmartError] = {}
        pulls: dict[str, Pulled] = {}
        for name, request in self.requests.items():
            result = results[name] = await self._pull(name, request)
            pulls[name] = Pulled(result if isinstance(result, Outcome) else None, time.time())
        metrics_code = self._write_metrics(pulls)
        published, publish_code = self._publish(results)
        self._report(results, published)
        return _exit_code(results) or metrics_code or publish_code

    async def _pull(self, name: str, request: Request) -> Outcome | RunmartError:
        """Pull from one source, and report it; an error is returned, so that other sources are still pulled."""
        try:
            request = self._with_lists(name, request)
            async with progress(name, self.event, is_quiet=self.is_quiet) as show:
                outcome = await pull_runs(request, show)
        except RunmartError as error:
            self.event("pull failed", level="error", source=name, error=str(error))
            if not self.is_quiet:
                warn(f"runmart: {name}: {error}")
            return error
        self.event("pull finished", **summary(name, outcome))
        if not self.options.json and not self.is_quiet:
            _echo_outcome(self.options.warehouse, name, outcome)
        return outcome

    def _with_lists(self, name: str, request: Request) -> Request:
        """The request with what the lists of its source name, with a warning for each that is empty.

        Raises:
            SettingsError: A list cannot be read, or holds something that is no id.
        """
        found = self.lists.read(name)
        for option, file in found.empty:
            self.event(f"no {option}", level="warning", source=name, **{option: file})
            if not self.is_quiet:
                warn(f"runmart: {name}: {file} (--{option}) names no {option}")
        selection = request.selection._replace(ids=found.threads)
        return replace(request, selection=selection, records=[*request.records, *found.responses])

    def _write_metrics(self, pulls: Mapping[str, Pulled]) -> int:
        """Write the metrics file, if one was asked for; the exit code."""
        if self.metrics is None:
            return 0
        try:
            write(self.metrics, pulls)
        except OSError as error:
            warn(f"runmart: {self.metrics} (--metrics) cannot be written: {error.strerror}")
            return EXIT_FAILED
        return 0

    def _publish(self, results: Mapping[str, Outcome | RunmartError]) -> tuple[Published | None, int]:
        """Publish the warehouse unless all sources failed; what was published, and the exit code."""
        outcomes = [result for result in results.values() if isinstance(result, Outcome)]
        if not outcomes:
            return None, 0
        has_written = any(outcome.load_id is not None for outcome in outcomes)
        try:
            return self.publishing.after(self.options, 0.0 if has_written else _QUIET_PUBLISH_SECONDS), 0
        except RunmartError as error:
            warn(f"runmart: {error}")
            return None, error.exit_code

    def _report(self, results: Mapping[str, Outcome | RunmartError], published: Published | None) -> None:
        """Print the summary of a round."""
        if self.options.json:
            summaries = [
                summary(name, result) if isinstance(result, Outcome) else {"source": name, "error": str(result)}
                for name, result in results.items()
            ]
            found = {"warehouse": str(self.options.warehouse), "pulls": summaries}
            echo_json({**found, "published": as_dict(published)})
        elif not self.is_quiet:
            echo_published(published)
        sys.stdout.flush()


def _exit_code(results: Mapping[str, Outcome | RunmartError]) -> int:
    """The code of the first error; else 3 when something was rejected, failed or ran out of time."""
    for result in results.values():
        if isinstance(result, RunmartError):
            return result.exit_code
    outcomes = [result for result in results.values() if isinstance(result, Outcome)]
    is_partial = any(outcome.totals.rejected or outcome.failures or outcome.deadline_reached for outcome in outcomes)
    return EXIT_REJECTS if is_partial else 0


def summary(name: str, outcome: Outcome) -> dict[str, Any]:
    """What a pull did, for --json and logs."""
    totals, counters = outcome.totals, outcome.counters
    return {
        "source": name,
        "load_id": outcome.load_id,
        "seconds": round(outcome.seconds, 3),
        "is_complete": outcome.is_complete,
        "threads": outcome.threads,
        "threads_changed": outcome.changed,
        "threads_quiet": outcome.idle,
        "threads_gone": outcome.gone,
        "responses_ended": outcome.ended,
        "failures": dict(outcome.failures),
        "first_failure": outcome.first_failure,
        "given_up": outcome.given_up,
        "requests": counters.requests,
        "retries": counters.retries,
        "throttled": counters.throttled,
        "observations": totals.observations,
        "new_runs": totals.new_runs,
        "updated_runs": totals.updated_runs,
        "unchanged": totals.unchanged,
        "rejected": totals.rejected,
        "pruned": totals.pruned,
    }


def _echo_outcome(warehouse: Location, name: str, outcome: Outcome) -> None:
    """One line for people, and warnings."""
    totals, counters = outcome.totals, outcome.counters
    skipped = [(outcome.idle, "idle"), (outcome.gone, "unknown to the server"), (outcome.ended, "ended")]
    idle = ", ".join(f"{count:,} {why} skipped" for count, why in skipped if count)
    idle = f" ({idle})" if idle else ""
    retries = f", {counters.retries:,} retries" if counters.retries else ""
    read = f"{outcome.threads:,} {outcome.unit}"
    echo(
        f"{warehouse}: {name}: {totals.new_runs:,} new runs, {totals.updated_runs:,} updated, "
        f"{totals.rejected:,} rejected; {read}{idle}, {counters.requests:,} requests{retries} "
        f"in {outcome.seconds:.1f} s"
    )
    if outcome.deadline_reached:
        warn(f"runmart: {name}: hit its time limit; partial results are committed, the next pull continues")
    if outcome.failures:
        count = outcome.failures.total()
        others = "; see also runmart.threads, column error, and runmart.unread_steps" if count > 1 else ""
        warn(f"runmart: {name}: {count:,} could not be read; first {outcome.first_failure}{others}")
    if outcome.given_up:
        warn(f"runmart: {name}: {outcome.given_up:,} open runs were abandoned as stale; see runmart.given_up_runs")
    if totals.rejected:
        where = shlex.quote(str(warehouse))
        warn(f"runmart: {totals.rejected:,} items were rejected; see: runmart rejects --warehouse {where}")
