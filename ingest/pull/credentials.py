"""API keys from the environment, a file, a command or Entra, sent in one header to one host only and never shown."""

import asyncio
import os
import shlex
import subprocess
import time
from collections.abc import AsyncGenerator, Callable
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import urlsplit

import httpx2

from runmart.ingest.errors import SettingsError
from runmart.ingest.pull.errors import PullError

if TYPE_CHECKING:
    from runmart.ingest.pull.providers import KeyHeader, Server

COMMAND_SECONDS = 60.0
"""How long a command may take to print a key."""

_RENEWED_SECONDS = 300.0
"""A token is renewed this long before it expires; a key from a file or a command is read again after this long."""


_WEB_TOKEN = "eyJ"  # noqa: S105 - the Base64 of `{"`
"""How a JSON Web Token begins, as those of Entra do."""


class _Token(Protocol):
    """A token of Azure's identity library."""

    token: str
    expires_on: int


class _Credential(Protocol):
    def get_token(self, *scopes: str) -> _Token: ...


class Key:
    """A key that is read when it is first needed, and again when it has expired."""

    def __init__(self, setting: str, read: Callable[[], tuple[str, float | None]]) -> None:
        """A key.

        Args:
            setting: Where it comes from, for messages.
            read: Returns the key, and when it expires, in seconds since 1970; None for never.
        """
        self.setting = setting
        self._read = read
        self._value = ""
        self._until: float | None = 0.0
        self.values: set[str] = set()
        """What was read until now, to keep it out of messages."""

    def __repr__(self) -> str:
        """Where the key comes from, without the key."""
        return f"Key({self.setting})"

    def value(self, *, renew: bool = False) -> str:
        """The key.

        Raises:
            SettingsError: There is none.
            PullError: It cannot be read or renewed.
        """
        if renew or not self.is_current:
            self._value, self._until = self._read()
            if not self._value:
                raise SettingsError(f"the key from {self.setting} is empty")
            if not (self._value.isascii() and self._value.isprintable()):
                raise SettingsError(f"the key from {self.setting} holds characters that no header can carry")
            self.values.add(self._value)
        return self._value

    @property
    def is_current(self) -> bool:
        """Whether it was read and has not expired."""
        return self._until is None or time.time() < self._until

    @property
    def can_change(self) -> bool:
        """Whether reading it again may give another key."""
        return self._until is not None


def from_environment(variable: str) -> Key:
    """The key in an environment variable."""

    def read() -> tuple[str, None]:
        if variable not in os.environ:
            raise SettingsError(f"the environment variable {variable} is not set: put the key there (--api-key-env)")
        return os.environ[variable].strip(), None

    return Key(f"${variable} (--api-key-env)", read)


def from_file(path: Path) -> Key:
    """The key in a file."""

    def read() -> tuple[str, float]:
        try:
            return path.read_text("utf-8").strip(), time.time() + _RENEWED_SECONDS
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise SettingsError(f"{path} (--api-key-file) cannot be read: {reason}") from None

    return Key(f"{path} (--api-key-file)", read)


def from_command(command: str) -> Key:
    """The key that a command prints; it is run without a shell."""

    def read() -> tuple[str, float]:
        try:
            done = subprocess.run(  # noqa: S603 - the user's own command
                shlex.split(command), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
            )
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise PullError(f"--api-key-command did not run: {type(error).__name__}; try it by hand") from None
        if done.returncode:
            raise PullError(f"--api-key-command ended with exit code {done.returncode}; try it by hand")
        return done.stdout.strip(), time.time() + _RENEWED_SECONDS

    return Key("--api-key-command", read)


def from_entra(scope: str) -> Key:
    """A token from Azure's identity library, for the present identity: a service, a managed identity, `az login`."""
    credential: list[_Credential] = []

    def read() -> tuple[str, float]:
        try:
            from azure.identity import DefaultAzureCredential  # pyright: ignore
        except ImportError:
            raise SettingsError("Entra tokens need another package: pip install 'runmart[azure]'") from None
        from azure.core.exceptions import AzureError  # pyright: ignore

        if not credential:
            credential.append(cast("_Credential", DefaultAzureCredential()))
        try:
            token = credential[0].get_token(scope)
        except cast("type[Exception]", AzureError) as error:
            raise PullError(f"no Entra token for {scope}: {type(error).__name__}; try: az login") from None
        return token.token, token.expires_on - _RENEWED_SECONDS

    return Key("Entra (--entra)", read)


class KeyAuth(httpx2.Auth):
    """Adds the key to requests to its own server, and renews it once when it is refused."""

    def __init__(self, key: Key, server: "Server") -> None:
        self._key = key
        self._header: KeyHeader = "authorization" if key.setting.startswith("Entra") else server.profile.key_header
        self._origin = origin(server.base_url)
        self._lock = asyncio.Lock()

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """The request, and a second one after a renewal."""
        if origin(str(request.url)) != self._origin:
            yield request  # another host gets no key
            return
        sent = await self._put(request)
        response = yield request
        if response.status_code == HTTPStatus.UNAUTHORIZED and self._key.can_change:
            await self._put(request, instead_of=sent)
            yield request

    async def _put(self, request: httpx2.Request, instead_of: str | None = None) -> str:
        async with self._lock:  # a key is read once, not by each waiting request
            value = self._key.value() if self._key.is_current else await asyncio.to_thread(self._key.value)
            if value == instead_of:
                value = await asyncio.to_thread(self._key.value, renew=True)
        header = self._header
        if header == "either":
            header = "authorization" if value.startswith(_WEB_TOKEN) else "api-key"
        request.headers[header] = f"Bearer {value}" if header == "authorization" else value
        return value


def origin(url: str) -> tuple[str, str | None, int | None]:
    """The scheme, the host and the port of an address."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
