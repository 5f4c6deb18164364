"""The options of `runmart pull` that are also settings of a source in `runmart.toml`."""

from dataclasses import asdict, dataclass
from typing import Annotated

from cyclopts import Parameter

from runmart.cli.app import STANDARD_INPUT
from runmart.cli.settings import SourceSettings
from runmart.ingest.pull import headers, names
from runmart.ingest.pull.providers import ProfileName

_FLAG = Parameter(negative="")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PullOptions:
    """One option for each field of `SourceSettings`; None where it was not given."""

    base_url: str | None = None
    """The server's address: https://api.example.com, an Azure OpenAI resource, a Foundry project."""
    profile: ProfileName | None = None
    """The kind of server."""
    api_version: str | None = None
    """Azure's API version, instead of a tested one; v1 for Azure OpenAI's undated API."""
    runs_path: str | None = None
    """Where runs are after the base URL, if elsewhere: /agents/threads/{thread_id}/runs."""
    header: Annotated[list[str] | None, _FLAG] = None
    """Send one more header, as NAME=VARIABLE: the environment variable holds the value. May be repeated."""
    api_key_env: str | None = None
    """The environment variable that holds the key."""
    api_key_file: str | None = None
    """The file that holds the key."""
    api_key_command: str | None = None
    """A command that prints the key; it is run without a shell."""
    entra: Annotated[bool | None, _FLAG] = None
    """Use an Entra token from the environment, a managed identity or az login; needs runmart[azure]."""
    threads: str | None = None
    """Pull the threads in this list: lines, CSV or JSON Lines of ids or addresses; - for standard input."""
    threads_sql: str | None = None
    """Pull the threads that a DuckDB query returns: "select thread_id from 'app.parquet'"."""
    known: Annotated[bool | None, _FLAG] = None
    """Pull the threads of this source that are in the warehouse."""
    list_threads: Annotated[bool | None, _FLAG] = None
    """Pull the threads that the server lists. With --known, the default when nothing is named."""
    list_responses: Annotated[bool | None, _FLAG] = None
    """Pull the responses that the server lists; the default of foundry-v2, llama-stack, ogx when nothing is named."""
    list_completions: Annotated[bool | None, _FLAG] = None
    """Pull the stored chat completions that the server lists."""
    filter: Annotated[list[str] | None, _FLAG] = None
    """Only what the server selects in these lists by NAME=VALUE (agent_name=support). May be repeated."""
    responses: str | None = None
    """Pull the responses in this list, one id a line; - for standard input. Ended ones are requested once."""
    responses_sql: str | None = None
    """Pull the responses that a DuckDB query returns: "select response_id from 'app.parquet'"."""
    steps: Annotated[bool | None, _FLAG] = None
    """Also load the steps of new and changed runs; the output items of responses come with them."""
    since: str | None = None
    """Skip runs created before this date, instant or duration ago (90d)."""
    concurrency: int | None = None
    """Maximum number of concurrent requests; 8 by default."""
    deadline: str | None = None
    """Maximum run time (30m); what was read until then is committed, and the next pull continues."""
    save: str | None = None
    """Also write the raw responses to this folder, compressed, for `runmart ingest`."""

    def settings(self) -> SourceSettings:
        """The same as settings of a source.

        Raises:
            SettingsError: A header is not NAME=VARIABLE, or a filter not NAME=VALUE.
        """
        fields = asdict(self)
        header: list[str] | None = fields.pop("header")
        found: list[str] | None = fields.pop("filter")
        given = SourceSettings(
            **fields,
            headers=None if header is None else headers.parse(header),
            filters=None if found is None else names.filters(found),
        )
        given.threads = "-" if given.threads == STANDARD_INPUT else given.threads
        given.responses = "-" if given.responses == STANDARD_INPUT else given.responses
        return given


NO_OPTIONS = PullOptions()
