"""Provider profiles: paths, headers and API versions of the APIs with runs and responses, per vendor."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal
from urllib.parse import quote, urlsplit

from runmart.ingest.errors import SettingsError
from runmart.ingest.pull import names
from runmart.ingest.pull.errors import GoneError
from runmart.ingest.pull.ids import fault, shown

ProfileName = Literal[
    "openai", "azure-openai", "azure-foundry", "foundry-v2", "llama-stack", "ogx", "langgraph", "compatible"
]

KeyHeader = Literal["authorization", "api-key", "x-api-key", "either"]
"""The header of the key; either: `authorization` for a token, `api-key` for a key."""

PAGE_SIZE = 100
"""Items per page: the most that the API allows."""

UNVERSIONED = "v1"
"""The version that stands for an API without dated versions."""

_DATED = re.compile(r"[0-9]{4}-")
_THREAD = "{thread_id}"
_RUNS_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}|\{thread_id\})+)+")
"""A path whose segments are neither empty nor `.` or `..`."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Paths, headers and API version of one vendor's servers.

    Sources: the API references of OpenAI (Assistants v2, Responses, Chat Completions), Azure OpenAI
    (`2024-05-01-preview` and later, v1), Azure AI Foundry Agents (`2025-05-01`), Microsoft Foundry (v1) and LangGraph
    Agent Server (0.16), and the source of Llama Stack, which is called OGX now.
    """

    threads: str
    """The path of the threads, after the base URL."""
    base_suffix: str = ""
    """The first part of the path, which a base URL may already end in."""
    unversioned_threads: str | None = None
    """The path of the threads when the API version is `v1`, which is then no query parameter."""
    key_header: KeyHeader = "authorization"
    key_variable: str | None = None
    """The environment variable that holds the key, by custom."""
    needs_key: bool = True
    """Whether all such servers want the key; others may be without."""
    api_version: str | None = None
    """The query parameter `api-version`, unless another is given."""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType(dict[str, str]()))
    lists_threads: bool = False
    """Whether the server has a list of all threads."""
    token_scope: str | None = None
    """The scope of Entra tokens."""
    has_threads: bool = True
    has_steps: bool = True
    """Whether runs of threads have steps."""
    has_offsets: bool = False
    """Whether lists are read by `limit` and `offset`, and threads by a search."""
    records: str | None = None
    """The root of responses and stored completions; None where another profile is for them."""
    dated_records: str | None = None
    """That root when the API version is a date, which is then a query parameter."""
    lists_responses: bool = False
    """Whether the server's list of responses is what a pull without names reads."""

    def threads_url(self, base_url: str, api_version: str | None) -> str:
        """The address of the threads on a server."""
        path = self.threads
        if api_version == UNVERSIONED and self.unversioned_threads is not None:
            path = self.unversioned_threads
        return base_url.rstrip("/").removesuffix(self.base_suffix) + path

    def records_url(self, base_url: str, api_version: str | None) -> str:
        """The root of the addresses of responses and stored completions on a server.

        Raises:
            SettingsError: The profile is for threads only.
        """
        is_dated = api_version is not None and _DATED.match(api_version) is not None
        path = self.dated_records if is_dated and self.dated_records is not None else self.records
        if path is None:
            raise SettingsError("this --profile is for threads only")
        return _joined(base_url.rstrip("/"), path)


def _joined(base: str, path: str) -> str:
    """A path behind a base URL, which may already end in the beginning of it."""
    steps = path.split("/")[1:]
    for count in range(len(steps), 0, -1):
        if base.endswith(beginning := "/" + "/".join(steps[:count])):
            return base.removesuffix(beginning) + path
    return base + path


_LLAMA_STACK = Profile("/threads", has_threads=False, records="/v1", lists_responses=True)

PROFILES: Mapping[ProfileName, Profile] = MappingProxyType(
    {
        "openai": Profile(
            "/v1/threads",
            base_suffix="/v1",
            key_variable="OPENAI_API_KEY",
            headers=MappingProxyType({"openai-beta": "assistants=v2"}),
            records="/v1",
        ),
        "azure-openai": Profile(
            "/openai/threads",
            base_suffix="/openai",
            unversioned_threads="/openai/v1/threads",
            key_header="api-key",
            key_variable="AZURE_OPENAI_API_KEY",
            api_version="2024-05-01-preview",
            token_scope="https://cognitiveservices.azure.com/.default",  # noqa: S106 - a scope is no secret
            records="/openai/v1",
            dated_records="/openai",
        ),
        "azure-foundry": Profile(
            "/threads",
            key_variable="AZURE_AI_TOKEN",
            api_version="2025-05-01",
            lists_threads=True,
            token_scope="https://ai.azure.com/.default",  # noqa: S106
        ),
        "foundry-v2": Profile(
            "/threads",
            key_header="either",
            key_variable="AZURE_AI_TOKEN",
            token_scope="https://ai.azure.com/.default",  # noqa: S106
            has_threads=False,
            records="/openai/v1",
            dated_records="/openai",
            lists_responses=True,
        ),
        "llama-stack": _LLAMA_STACK,
        "ogx": _LLAMA_STACK,
        "langgraph": Profile(
            "/threads",
            key_header="x-api-key",
            key_variable="LANGSMITH_API_KEY",
            needs_key=False,
            lists_threads=True,
            has_steps=False,
            has_offsets=True,
        ),
        "compatible": Profile("/threads", needs_key=False, lists_threads=True, records=""),
    }
)


@dataclass(frozen=True, slots=True)
class Server:
    """One server and its addresses."""

    base_url: str
    name: ProfileName
    api_version: str | None = None
    runs_path: str | None = None
    """The path of a thread's runs after the base URL, with `{thread_id}`, where it is not the profile's."""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType(dict[str, str]()), repr=False)
    """More headers, by name in lower case. Their values are secrets, and sent to the host of the base URL only."""

    def __post_init__(self) -> None:
        """Check the base URL, the path of runs and the names of headers.

        Raises:
            SettingsError: The base URL is no HTTP address, or holds a user, a password or a query; the path is none; or
                a header is the profile's.
        """
        try:
            parts = urlsplit(self.base_url)
            is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:  # no port, or brackets without an address
            is_address, parts = False, urlsplit("")
        if not is_address or re.search(r"\s", self.base_url):
            raise SettingsError("--base-url must be an address such as https://api.example.com")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise SettingsError(
                "--base-url must hold no user, password or query: give the key with --api-key-env or "
                "--api-key-command, the version with --api-version"
            )
        path = self.runs_path
        if path is not None and (not _RUNS_PATH.fullmatch(path) or path.count(_THREAD) != 1):
            raise SettingsError(
                "--runs-path must be a path after the base URL with {thread_id} in it once, and no query, such as "
                f"/agents/threads/{_THREAD}/runs"
            )
        if taken := set(self.headers) & set(self.profile.headers):
            raise SettingsError(f"--header cannot set {min(taken)}, which --profile {self.name} sets")

    @property
    def profile(self) -> Profile:
        """The profile of its vendor."""
        return PROFILES[self.name]

    @property
    def threads(self) -> str:
        """The address of the threads."""
        return self.profile.threads_url(self.base_url, self.api_version)

    @property
    def records(self) -> str:
        """The root of the addresses of responses and stored completions."""
        return self.profile.records_url(self.base_url, self.api_version)

    def runs(self, thread_id: str) -> str:
        """The address of a thread's runs, or of a list by its name.

        Raises:
            GoneError: The id can be none.
        """
        if names.is_record(thread_id):
            return self.records + names.path_of(thread_id)
        quoted = _step(thread_id)
        if self.runs_path is not None:
            return self.base_url.rstrip("/") + self.runs_path.replace(_THREAD, quoted)
        return f"{self.threads}/{quoted}/runs"

    def run(self, thread_id: str, run_id: str) -> str:
        """The address of a run, or of a record in a list.

        Raises:
            GoneError: The id can be none.
        """
        return f"{self.runs(thread_id)}/{_step(run_id)}"

    def steps(self, thread_id: str, run_id: str) -> str:
        """The address of a run's steps."""
        return f"{self.run(thread_id, run_id)}/steps"

    def parameters(self, address: str) -> dict[str, str]:
        """The query parameters of every request to an address."""
        version = self.api_version or self.profile.api_version
        if self.profile.records is not None and address.startswith(
            tuple(self.records + path for path in names.OBJECTS)
        ):
            version = self.api_version
        return {"api-version": version} if version and version != UNVERSIONED else {}


def _step(text: str) -> str:
    """An id as a step in a path; others would lead elsewhere."""
    if why := fault(text):
        raise GoneError(f"no server can be asked for {shown(text)}: {why}")
    return quote(text, safe="")
