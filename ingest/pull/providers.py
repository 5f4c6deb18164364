"""Provider profiles: paths, headers and API versions of the threads/runs API, per vendor."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal
from urllib.parse import quote, urlsplit

from runmart.ingest.errors import SettingsError
from runmart.ingest.pull.errors import GoneError
from runmart.ingest.pull.ids import fault, shown

ProfileName = Literal["openai", "azure-openai", "azure-foundry", "compatible"]

PAGE_SIZE = 100
"""Items per page: the most that the API allows."""

UNVERSIONED = "v1"
"""The version that stands for an API without dated versions."""

_THREAD = "{thread_id}"
_RUNS_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}|\{thread_id\})+)+")
"""A path whose segments are neither empty nor `.` or `..`."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Paths, headers and API version of one vendor's servers.

    Sources: the API references of OpenAI (Assistants v2), Azure OpenAI (`2024-05-01-preview` and later) and Azure AI
    Foundry Agents (`2025-05-01`).
    """

    threads: str
    """The path of the threads, after the base URL."""
    base_suffix: str = ""
    """The first part of the path, which a base URL may already end in."""
    unversioned_threads: str | None = None
    """The path of the threads when the API version is `v1`, which is then no query parameter."""
    key_header: Literal["authorization", "api-key"] = "authorization"
    key_variable: str | None = None
    """The environment variable that holds the key, by custom."""
    api_version: str | None = None
    """The query parameter `api-version`, unless another is given."""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType(dict[str, str]()))
    lists_threads: bool = False
    """Whether the server has a list of all threads."""
    token_scope: str | None = None
    """The scope of Entra tokens."""

    def threads_url(self, base_url: str, api_version: str | None) -> str:
        """The address of the threads on a server."""
        path = self.threads
        if api_version == UNVERSIONED and self.unversioned_threads is not None:
            path = self.unversioned_threads
        return base_url.rstrip("/").removesuffix(self.base_suffix) + path


PROFILES: Mapping[ProfileName, Profile] = MappingProxyType(
    {
        "openai": Profile(
            "/v1/threads",
            base_suffix="/v1",
            key_variable="OPENAI_API_KEY",
            headers=MappingProxyType({"openai-beta": "assistants=v2"}),
        ),
        "azure-openai": Profile(
            "/openai/threads",
            base_suffix="/openai",
            unversioned_threads="/openai/v1/threads",
            key_header="api-key",
            key_variable="AZURE_OPENAI_API_KEY",
            api_version="2024-05-01-preview",
            token_scope="https://cognitiveservices.azure.com/.default",  # noqa: S106 - a scope is no secret
        ),
        "azure-foundry": Profile(
            "/threads",
            key_variable="AZURE_AI_TOKEN",
            api_version="2025-05-01",
            lists_threads=True,
            token_scope="https://ai.azure.com/.default",  # noqa: S106
        ),
        "compatible": Profile("/threads", lists_threads=True),
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

    def runs(self, thread_id: str) -> str:
        """The address of a thread's runs.

        Raises:
            GoneError: The id can be none.
        """
        quoted = _step(thread_id)
        if self.runs_path is not None:
            return self.base_url.rstrip("/") + self.runs_path.replace(_THREAD, quoted)
        return f"{self.threads}/{quoted}/runs"

    def run(self, thread_id: str, run_id: str) -> str:
        """The address of a run.

        Raises:
            GoneError: The id can be none.
        """
        return f"{self.runs(thread_id)}/{_step(run_id)}"

    def steps(self, thread_id: str, run_id: str) -> str:
        """The address of a run's steps."""
        return f"{self.run(thread_id, run_id)}/steps"

    @property
    def parameters(self) -> dict[str, str]:
        """The query parameters of every request."""
        version = self.api_version or self.profile.api_version
        return {"api-version": version} if version and version != UNVERSIONED else {}


def _step(text: str) -> str:
    """An id as a step in a path; others would lead elsewhere."""
    if why := fault(text):
        raise GoneError(f"no server can be asked for {shown(text)}: {why}")
    return quote(text, safe="")
