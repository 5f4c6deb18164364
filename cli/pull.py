"""`runmart pull`: runs from live servers, once or again and again."""

import asyncio
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from runmart.cli import durations, settings
from runmart.cli.app import EXIT_FAILED, EXIT_REJECTS
from runmart.cli.content import KEEP, ContentOptions
from runmart.cli.logs import Event, log
from runmart.cli.options import DEFAULT, Options
from runmart.cli.output import echo, echo_json, warn
from runmart.cli.publishing import NOT_ASKED, PublishOptions, as_dict, echo_published
from runmart.cli.settings import SourceSettings
from runmart.ingest.errors import RunmartError, SettingsError
from runmart.ingest.pull.providers import ProfileName, Server
from runmart.ingest.warehouse.location import Location

if TYPE_CHECKING:
    from runmart.ingest.pull.credentials import Key
    from runmart.ingest.pull.runner import Outcome, Request

_FLAG = Parameter(negative="")
_DEFAULT_CONCURRENCY = 8


def pull(
    sources: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    /,
    *,
    base_url: str | None = None,
    profile: ProfileName | None = None,
    source: str = "default",
    api_version: str | None = None,
    api_key_env: str | None = None,
    api_key_file: str | None = None,
    api_key_command: str | None = None,
    entra: Annotated[bool | None, _FLAG] = None,
    threads: str | None = None,
    threads_sql: str | None = None,
    known: Annotated[bool | None, _FLAG] = None,
    list_threads: Annotated[bool | None, _FLAG] = None,
    run: Annotated[list[str] | None, Parameter(negative="")] = None,
    steps: Annotated[bool | None, _FLAG] = None,
    since: str | None = None,
    full: Annotated[bool, _FLAG] = False,
    concurrency: int | None = None,
    deadline: str | None = None,
    save: str | None = None,
    every: str | None = None,
    metrics: Path | None = None,
    log_format: Literal["text", "json"] = "text",
    content: ContentOptions = KEEP,
    publishing: PublishOptions = NOT_ASKED,
    options: Options = DEFAULT,
) -> int:
    """Bring the warehouse up to date with servers that speak the threads/runs API.

    A thread in which nothing is new costs one request; one in which nothing has happened for a day or more is asked
    for again after a tenth of that time, at most a week. Open runs are looked up until they end. What a pull was
    interrupted in, the next one completes. Settings may stand in runmart.toml, a table [sources.NAME] for each server,
    named as the options are (base_url = "…"); environment variables (RUNMART_BASE_URL, …) and options override it.

    Args:
        sources: Servers named in runmart.toml; all of them when neither these nor --base-url are given.
        base_url: The server's address: https://api.example.com, an Azure OpenAI resource, a Foundry project.
        profile: What kind of server it is.
        source: A label for its runs; of servers in runmart.toml, their name.
        api_version: Azure's API version, instead of a tested one; v1 for Azure OpenAI's undated API.
        api_key_env: The environment variable that holds the key.
        api_key_file: The file that holds the key.
        api_key_command: A command that prints the key; it is run without a shell.
        entra: Use an Entra token of the environment, managed identity or az login; needs runmart[azure].
        threads: A file of thread ids, one a line; - for standard input.
        threads_sql: A query for DuckDB that gives thread ids: "select thread_id from 'app.parquet'".
        known: The threads of this source that the warehouse knows.
        list_threads: The threads that the server lists; with --known by default where no others are named and the
            profile has such a list.
        run: Single runs, as THREAD/RUN; may be repeated.
        steps: Load the steps of new and changed runs, too.
        since: Leave out runs created before this date, instant, or so long ago (90d).
        full: Take nothing as known: walk all threads from end to end, the quiet and forgotten ones, too.
        concurrency: Requests under way at the same time; 8 by default.
        deadline: Stop after so long (30m); the next pull goes on.
        save: Also keep the raw answers in this folder, compressed, for `runmart ingest`.
        every: Pull again and again, so often (15m), until SIGTERM.
        metrics: Write what was done to this file, for the Prometheus node exporter.
        log_format: json logs events as JSON lines on standard error, for schedulers.
    """
    given = SourceSettings(
        base_url=base_url,
        profile=profile,
        api_version=api_version,
        api_key_env=api_key_env,
        api_key_file=api_key_file,
        api_key_command=api_key_command,
        entra=entra,
        threads="-" if threads == "/dev/stdin" else threads,
        threads_sql=threads_sql,
        known=known,
        list_threads=list_threads,
        steps=steps,
        since=since,
        concurrency=concurrency,
        deadline=deadline,
        save=save,
    )
    chosen = _chosen(sources or [], source, given, settings.read(publishing.config))
    runs = [_run(one) for one in run or []]
    every_seconds = durations.seconds(every, "--every") if every is not None else None
    publishing.check(options)
    rules = content.rules()
    requests = {
        name: replace(_request(name, one, runs, full=full, options=options), content=rules)
        for name, one in chosen.items()
    }
    with log(log_format) as event:
        job = _Job(requests, chosen, options, event, metrics, publishing, is_quiet=log_format == "json")
        return asyncio.run(job.run(every_seconds))


def _chosen(names: Sequence[str], source: str, given: SourceSettings, file: settings.File) -> dict[str, SourceSettings]:
    """The settings of each source, by label."""
    environment = settings.from_environment()
    if not names and (given.base_url or environment.base_url or not file.sources):
        return {source: settings.merged(environment, given)}
    unknown = [name for name in names if name not in file.sources]
    if unknown:
        known = ", ".join(file.sources) or "none"
        raise SettingsError(f"there is no [sources.{unknown[0]}] in runmart.toml; there is: {known}")
    return {name: settings.merged(file.sources[name], environment, given) for name in names or file.sources}


def _run(text: str) -> tuple[str, str]:
    thread_id, separator, run_id = text.partition("/")
    if not (separator and thread_id and run_id) or "/" in run_id:
        raise SettingsError(f"--run must be THREAD/RUN, not {text!r}")
    return thread_id, run_id


def _request(
    name: str, one: SourceSettings, runs: Sequence[tuple[str, str]], *, full: bool, options: Options
) -> "Request":
    """What to pull, of settings.

    Raises:
        SettingsError: Something is missing, or wrong.
    """
    from runmart.ingest.pull.runner import Request
    from runmart.ingest.pull.schedule import Selection
    from runmart.queries import install

    if one.base_url is None or one.profile is None:
        missing = "base_url" if one.base_url is None else "profile"
        raise SettingsError(
            f"{name}: {missing} is missing; give --{missing.replace('_', '-')}, or put it into runmart.toml"
        )
    server = Server(one.base_url, one.profile, one.api_version)
    is_named = bool(one.threads or one.threads_sql or one.known or one.list_threads or runs)
    if not is_named and not server.profile.lists_threads:
        raise SettingsError(
            f"{name}: which threads? This kind of server does not list them: give --threads, --threads-sql or --known"
        )
    if one.concurrency is not None and one.concurrency < 1:
        raise SettingsError(f"{name}: --concurrency must be 1 or more")
    return Request(
        server,
        _key(name, one, server),
        options.warehouse,
        name,
        Selection((), one.threads_sql, one.known or not is_named),
        list_threads=one.list_threads or not is_named,
        runs=runs,
        steps=one.steps or False,
        since=None if one.since is None else durations.instant(one.since, "--since", time.time()),
        full=full,
        concurrency=one.concurrency or _DEFAULT_CONCURRENCY,
        deadline_seconds=None if one.deadline is None else durations.seconds(one.deadline, "--deadline"),
        lock_timeout_seconds=options.lock_timeout,
        save=None if one.save is None else Path(one.save),
        prepare=install,
    )


def _key(name: str, one: SourceSettings, server: Server) -> "Key | None":
    """The key, from the one place that is named, or from where it is by custom."""
    import os

    from runmart.ingest.pull import credentials

    named = [value for value in (one.api_key_env, one.api_key_file, one.api_key_command, one.entra) if value]
    if len(named) > 1:
        raise SettingsError(f"{name}: name one place of the key: api_key_env, api_key_file, api_key_command or entra")
    if one.api_key_file:
        return credentials.from_file(Path(one.api_key_file))
    if one.api_key_command:
        return credentials.from_command(one.api_key_command)
    if one.entra:
        if server.profile.token_scope is None:
            raise SettingsError(f"{name}: --entra is for the profiles azure-openai and azure-foundry")
        return credentials.from_entra(server.profile.token_scope)
    variable = one.api_key_env or server.profile.key_variable
    if variable is None or (one.api_key_env is None and variable not in os.environ and server.name == "compatible"):
        return None
    return credentials.from_environment(variable)


@dataclass
class _Job:
    """Pulls from some sources, once or again and again."""

    requests: "dict[str, Request]"
    settings: dict[str, SourceSettings]
    options: Options
    event: Event
    metrics: Path | None
    publishing: PublishOptions
    is_quiet: bool

    async def run(self, every_seconds: float | None) -> int:
        """Exit code of the last round; SIGTERM ends the rounds with 0."""
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
        """One pull from each source; the worst exit code."""
        from runmart.ingest.pull.metrics import Pulled, write

        pulls: dict[str, Pulled] = {}
        summaries: list[dict[str, Any]] = []
        code = 0
        for name, request in self.requests.items():
            outcome = await self._one(name, request)
            pulls[name] = Pulled(None if isinstance(outcome, RunmartError) else outcome, time.time())
            if isinstance(outcome, RunmartError):
                code = outcome.exit_code if code in {0, EXIT_REJECTS} else code
                summaries.append({"source": name, "error": str(outcome)})
                continue
            summaries.append(summary(name, outcome))
            if code == 0 and (outcome.totals.rejected or outcome.failures or outcome.is_late):
                code = EXIT_REJECTS
        if self.metrics is not None:
            try:
                write(self.metrics, pulls)
            except OSError as error:
                warn(f"runmart: {self.metrics} (--metrics) cannot be written: {error.strerror}")
                code = code or EXIT_FAILED
        published = None
        if any("error" not in found for found in summaries):
            try:
                published = self.publishing.after(self.options)
            except RunmartError as error:
                warn(f"runmart: {error}")
                code = code or error.exit_code
        if self.options.json:
            found = {"warehouse": str(self.options.warehouse), "pulls": summaries}
            echo_json({**found, "published": as_dict(published)})
        elif not self.is_quiet:
            echo_published(published)
        sys.stdout.flush()
        return code

    async def _one(self, name: str, request: "Request") -> "Outcome | RunmartError":
        """Pull from one source, and tell."""
        from runmart.ingest.pull.runner import pull as pull_runs

        try:
            selection = request.selection._replace(ids=_ids(self.settings[name].threads))
            outcome = await pull_runs(replace(request, selection=selection))
        except RunmartError as error:
            self.event("pull failed", level="error", source=name, error=str(error))
            if not self.is_quiet:
                warn(f"runmart: {name}: {error}")
            return error
        self.event("pull finished", **summary(name, outcome))
        if not self.options.json and not self.is_quiet:
            _tell(self.options.warehouse, name, outcome)
        return outcome


def _ids(threads: str | None) -> list[str]:
    """The thread ids in a file.

    Raises:
        SettingsError: It cannot be read.
    """
    from runmart.ingest.pull.schedule import lines

    if threads is None:
        return []
    try:
        if threads == "-":
            return list(lines(sys.stdin))
        with Path(threads).open(encoding="utf-8") as file:
            return list(lines(file))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError(f"{threads} (--threads) cannot be read: {reason}") from None


def summary(name: str, outcome: "Outcome") -> dict[str, Any]:
    """What a pull did, for machines."""
    totals, counters = outcome.totals, outcome.counters
    return {
        "source": name,
        "load_id": outcome.load_id,
        "seconds": round(outcome.seconds, 3),
        "is_complete": not outcome.is_late,
        "threads": outcome.threads,
        "threads_changed": outcome.changed,
        "threads_quiet": outcome.quiet,
        "threads_gone": outcome.gone,
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


def _tell(warehouse: Location, name: str, outcome: "Outcome") -> None:
    totals, counters = outcome.totals, outcome.counters
    left_out = f" ({outcome.quiet:,} quiet ones left out)" if outcome.quiet else ""
    retries = f", {counters.retries:,} retries" if counters.retries else ""
    echo(
        f"{warehouse}: {name}: {totals.new_runs:,} new runs, {totals.updated_runs:,} updated, "
        f"{totals.rejected:,} rejected; {outcome.threads:,} threads{left_out}, {counters.requests:,} requests{retries} "
        f"in {outcome.seconds:.1f} s"
    )
    if outcome.is_late:
        warn(f"runmart: {name}: the deadline came before the end; what was found is stored, the next pull goes on")
    if outcome.failures:
        warn(f"runmart: {name}: {outcome.failures.total():,} could not be read; first {outcome.first_failure}")
    if outcome.given_up:
        warn(f"runmart: {name}: {outcome.given_up:,} open runs were given up; see runmart.given_up_runs")
    if totals.rejected:
        where = shlex.quote(str(warehouse))
        warn(f"runmart: {totals.rejected:,} items were rejected; see: runmart rejects --warehouse {where}")
