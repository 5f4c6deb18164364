"""What `runmart pull` asks of a server, built from the settings of a source."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from runmart.cli import durations
from runmart.cli.options import Options
from runmart.cli.pull_choice import choose
from runmart.cli.settings import SourceSettings
from runmart.ingest.errors import SettingsError
from runmart.ingest.pull import credentials, headers
from runmart.ingest.pull.credentials import Key
from runmart.ingest.pull.ids import fault, shown
from runmart.ingest.pull.providers import Server
from runmart.ingest.pull.request import Request
from runmart.ingest.pull.schedule import Selection
from runmart.models.redaction_policy import RedactionPolicy
from runmart.queries import install

Parsed = TypeVar("Parsed")

_DEFAULT_CONCURRENCY = 8


def build(
    name: str,
    one: SourceSettings,
    runs: Sequence[tuple[str, str]],
    responses: Sequence[str],
    policy: RedactionPolicy,
    *,
    full: bool,
    options: Options,
) -> Request:
    """The request to pull from one source.

    Args:
        name: The label of the source.
        one: Its settings.
        runs: Single runs to look up, as thread and run ids.
        responses: Single responses to look up, by their names.
        policy: What is redacted.
        full: Whether watermarks are ignored.
        options: The warehouse, and how long to wait for it.

    Raises:
        SettingsError: A setting is missing or wrong.
    """
    server = _server(name, one)
    wanted = choose(name, one, server, has_runs=bool(runs), has_responses=bool(responses))
    return Request(
        server,
        _key(name, one, server),
        options.warehouse,
        name,
        Selection((), one.threads_sql, wanted.known),
        list_threads=wanted.list_threads,
        runs=runs,
        records=[*wanted.lists, *responses],
        responses_sql=one.responses_sql,
        steps=one.steps or False,
        since=_if_given(one.since, lambda text: durations.instant(text, "--since", time.time())),
        full=full,
        concurrency=_concurrency(name, one),
        deadline_seconds=_if_given(one.deadline, lambda text: durations.positive_seconds(text, "--deadline")),
        lock_timeout_seconds=options.lock_timeout,
        save=_if_given(one.save, Path),
        content=policy,
        prepare=install,
    )


def parse_run(text: str) -> tuple[str, str]:
    """The thread and run ids in THREAD/RUN.

    Raises:
        SettingsError: The text has another form.
    """
    thread_id, separator, run_id = text.partition("/")
    if not (separator and thread_id and run_id) or "/" in run_id:
        raise SettingsError(f"--run must be THREAD/RUN, not {shown(text)}")
    for kind, one in (("thread", thread_id), ("run", run_id)):
        if why := fault(one):
            raise SettingsError(f"--run {shown(text)}: {shown(one)} is no {kind} id ({why})")
    return thread_id, run_id


def _if_given(text: str | None, parse: Callable[[str], Parsed]) -> Parsed | None:
    return None if text is None else parse(text)


def _server(name: str, one: SourceSettings) -> Server:
    if one.base_url is None or one.profile is None:
        missing = "base_url" if one.base_url is None else "profile"
        raise SettingsError(
            f"{name}: {missing} is missing; give --{missing.replace('_', '-')}, or put it into runmart.toml"
        )
    values = headers.from_environment(one.headers or {})
    return Server(one.base_url, one.profile, one.api_version, one.runs_path, values)


def _concurrency(name: str, one: SourceSettings) -> int:
    if one.concurrency is None:
        return _DEFAULT_CONCURRENCY
    if one.concurrency < 1:
        raise SettingsError(f"{name}: --concurrency must be 1 or more")
    return one.concurrency


def _key(name: str, one: SourceSettings, server: Server) -> Key | None:
    """The key from the place that the settings name, else from the profile's environment variable."""
    named = [value for value in (one.api_key_env, one.api_key_file, one.api_key_command, one.entra) if value]
    if len(named) > 1:
        raise SettingsError(f"{name}: give one of api_key_env, api_key_file, api_key_command or entra")
    if one.api_key_file:
        return credentials.from_file(Path(one.api_key_file))
    if one.api_key_command:
        return credentials.from_command(one.api_key_command)
    if one.entra:
        if server.profile.token_scope is None:
            raise SettingsError(f"{name}: --entra is for the profiles azure-openai, azure-foundry and foundry-v2")
        return credentials.from_entra(server.profile.token_scope)
    return _key_of_environment(one.api_key_env, server)


def _key_of_environment(named: str | None, server: Server) -> Key | None:
    """The key in the named variable, or in the profile's; a self-hosted server may do without one."""
    if named:
        return credentials.from_environment(named)
    variable = server.profile.key_variable
    if variable is None or (variable not in os.environ and not server.profile.needs_key):
        return None
    return credentials.from_environment(variable)
