"""`runmart pull`: load runs and responses from live servers, once or periodically."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from runmart.cli import durations, settings
from runmart.cli.content import KEEP, ContentOptions
from runmart.cli.logs import log
from runmart.cli.options import DEFAULT, Options
from runmart.cli.publishing import NOT_ASKED, PublishOptions
from runmart.cli.pull_options import NO_OPTIONS, PullOptions
from runmart.cli.settings import SourceSettings
from runmart.ingest.errors import SettingsError


def pull(
    sources: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    /,
    *,
    pulling: PullOptions = NO_OPTIONS,
    source: str = "default",
    run: Annotated[list[str] | None, Parameter(negative="")] = None,
    response: Annotated[list[str] | None, Parameter(negative="")] = None,
    full: Annotated[bool, Parameter(negative="")] = False,
    every: str | None = None,
    metrics: Path | None = None,
    log_format: Literal["text", "json"] = "text",
    content: ContentOptions = KEEP,
    publishing: PublishOptions = NOT_ASKED,
    options: Options = DEFAULT,
) -> int:
    """Bring the warehouse up to date with servers that speak the threads/runs API or the Responses API.

    Pulls are incremental: a thread, or a list of responses, without new ones costs one request, a thread idle for a day
    or more is polled after a tenth of its idle time (at most a week), and open runs and responses are looked up until
    they end. An interrupted pull is completed by the next one. Settings may be in runmart.toml, one table
    [sources.NAME] per server, with the names of the options (base_url = "…"); environment variables
    (RUNMART_BASE_URL, …) and options override them.

    Args:
        sources: Servers named in runmart.toml; all of them when neither these nor --base-url are given.
        source: The label of the runs; for servers in runmart.toml, their name.
        run: Pull a single run, as THREAD/RUN; may be repeated.
        response: Pull a single response by its id, where a server lists none; may be repeated.
        full: Full refresh: ignore watermarks, and read every thread completely, idle and missing ones included.
        every: Pull periodically, at this interval (15m), until SIGTERM.
        metrics: Write metrics to this file, for the Prometheus node exporter's textfile collector.
        log_format: json logs events as JSON lines on standard error, for schedulers.
    """
    from runmart.models import arrow

    arrow.leave_pandas_out()
    from runmart.cli.pull_job import Job
    from runmart.cli.pull_lists import Files, Lists
    from runmart.cli.pull_request import build, parse_run
    from runmart.ingest.pull.names import given_ids

    chosen = _chosen(sources or [], source, pulling.settings(), settings.read(publishing.config))
    runs = [parse_run(text) for text in run or []]
    responses = given_ids(response or [])
    every_seconds = durations.positive_seconds(every, "--every") if every is not None else None
    publishing.check(options)
    policy = content.rules()
    requests = {
        name: build(name, one, runs, responses, policy, full=full, options=options) for name, one in chosen.items()
    }
    with log(log_format) as event:
        lists = Lists({name: Files(one.threads, one.responses) for name, one in chosen.items()})
        job = Job(requests, lists, options, event, metrics, publishing, is_quiet=log_format == "json")
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
