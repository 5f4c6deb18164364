"""What a pull reads of a server: threads, lists, single responses; and what cannot be read together."""

from typing import NamedTuple

from runmart.cli.settings import SourceSettings
from runmart.ingest.errors import SettingsError
from runmart.ingest.pull.names import COMPLETIONS, RESPONSES, list_name
from runmart.ingest.pull.providers import Profile, Server


class Choice(NamedTuple):
    """What is read besides what is named."""

    known: bool
    list_threads: bool
    lists: list[str]
    """Names of lists: see `names`."""


def choose(name: str, one: SourceSettings, server: Server, *, has_runs: bool, has_responses: bool) -> Choice:
    """What a pull reads: what the settings ask for, else all that the kind of server lists.

    Args:
        name: The label of the source.
        one: Its settings.
        server: Its server.
        has_runs: Whether single runs are named.
        has_responses: Whether single responses are named.

    Raises:
        SettingsError: The kind of server does not have what is asked for, or nothing is.
    """
    profile = server.profile
    of_threads = {
        "--threads": one.threads,
        "--threads-sql": one.threads_sql,
        "--known": one.known,
        "--list-threads": one.list_threads,
        "--run": has_runs,
        "--runs-path": one.runs_path,
    }
    of_records = {
        "--list-responses": one.list_responses,
        "--list-completions": one.list_completions,
        "--response": has_responses,
        "--responses": one.responses,
        "--responses-sql": one.responses_sql,
    }
    threads = [option for option, value in of_threads.items() if value]
    records = [option for option, value in of_records.items() if value]
    _check(name, server, threads, records)
    is_named = bool([option for option in threads if option != "--runs-path"] or records)
    if not (is_named or profile.lists_threads or profile.lists_responses):
        raise SettingsError(
            f"{name}: which threads? This kind of server does not list them: give --threads, --threads-sql or --known; "
            "or, for responses, --response, --responses or --responses-sql; for chat completions, --list-completions"
        )
    lists = _lists(one, is_all=not is_named and profile.lists_responses)
    if one.filters and not lists:
        raise SettingsError(f"{name}: --filter is for lists of responses and completions: give --list-responses")
    reads_threads = bool(threads) or (not is_named and profile.lists_threads)
    _check_steps(name, one, profile, reads_threads=reads_threads)
    is_all = not is_named and profile.lists_threads
    return Choice(bool(one.known) or is_all, bool(one.list_threads) or is_all, lists)


def _lists(one: SourceSettings, *, is_all: bool) -> list[str]:
    wanted = ((RESPONSES, one.list_responses or is_all), (COMPLETIONS, one.list_completions))
    return [list_name(path, one.filters or {}) for path, is_wanted in wanted if is_wanted]


def _check(name: str, server: Server, threads: list[str], records: list[str]) -> None:
    profile = server.profile
    if threads and not profile.has_threads:
        raise SettingsError(
            f"{name}: {threads[0]} is for threads and their runs, and --profile {server.name} is for responses; "
            "leave it out, or use another profile"
        )
    if records and profile.records is None:
        other = "foundry-v2 for the same project" if profile.token_scope else "compatible for a server that has them"
        raise SettingsError(
            f"{name}: {records[0]} is for responses and completions, and --profile {server.name} is for threads and "
            f"their runs; use --profile {other}"
        )


def _check_steps(name: str, one: SourceSettings, profile: Profile, *, reads_threads: bool) -> None:
    if one.steps and not profile.has_steps:
        raise SettingsError(f"{name}: runs have no steps on this kind of server: leave out --steps")
    if one.steps and not (profile.has_threads and reads_threads):
        raise SettingsError(
            f"{name}: --steps is for runs of threads: the output items of responses come with them, and are stored as "
            "steps without it; leave it out"
        )
