"""Profiles: how each kind of server spells the threads/runs API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal
from urllib.parse import quote, urlsplit

from runmart.ingest.errors import SettingsError

ProfileName = Literal["openai", "azure-openai", "azure-foundry", "compatible"]

PAGE_SIZE = 100
"""The most that the API allows."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of server.

    Sources: the API references of OpenAI (Assistants v2), Azure OpenAI (`2024-05-01-preview` and later) and Azure AI
    Foundry Agents (`2025-05-01`).
    """

    threads: str
    """The path of the threads, behind the base URL."""
    key_header: Literal["authorization", "api-key"] = "authorization"
    key_variable: str | None = None
    """The environment variable that holds the key, by custom."""
    api_version: str | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType(dict[str, str]()))
    lists_threads: bool = False
    token_scope: str | None = None
    """What an Entra token is asked for."""


PROFILES: Mapping[ProfileName, Profile] = MappingProxyType(
    {
        "openai": Profile(
            "/v1/threads", key_variable="OPENAI_API_KEY", headers=MappingProxyType({"openai-beta": "assistants=v2"})
        ),
        "azure-openai": Profile(
            "/openai/threads",
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

_UNVERSIONED = "v1"
"""Azure OpenAI's API without dated versions has a path of its own."""


@dataclass(frozen=True, slots=True)
class Server:
    """One server, and the addresses on it."""

    base_url: str
    name: ProfileName
    api_version: str | None = None

    def __post_init__(self) -> None:
        """Check the base URL.

        Raises:
            SettingsError: It is no http address, or holds what does not belong there.
        """
        parts = urlsplit(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise SettingsError("--base-url must be an address such as https://api.example.com")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise SettingsError(
                "--base-url must hold no user, password or query: give the key with --api-key-env or "
                "--api-key-command, the version with --api-version"
            )

    @property
    def profile(self) -> Profile:
        """What is common to servers of its kind."""
        return PROFILES[self.name]

    @property
    def threads(self) -> str:
        """The address of the threads."""
        base, path = self.base_url.rstrip("/"), self.profile.threads
        if self.name == "openai" and base.endswith("/v1"):
            path = path.removeprefix("/v1")
        if self.name == "azure-openai":
            base = base.removesuffix("/openai")
            path = "/openai/v1/threads" if self.api_version == _UNVERSIONED else path
        return base + path

    def runs(self, thread_id: str) -> str:
        """The address of a thread's runs."""
        return f"{self.threads}/{quote(thread_id, safe='')}/runs"

    def run(self, thread_id: str, run_id: str) -> str:
        """The address of a run."""
        return f"{self.runs(thread_id)}/{quote(run_id, safe='')}"

    def steps(self, thread_id: str, run_id: str) -> str:
        """The address of a run's steps."""
        return f"{self.run(thread_id, run_id)}/steps"

    @property
    def parameters(self) -> dict[str, str]:
        """What every request asks with."""
        version = self.api_version or self.profile.api_version
        return {"api-version": version} if version and version != _UNVERSIONED else {}
