"""What a refusal means: for one thread, for the list of threads, or for the whole server, with fitting advice."""

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

from runmart.ingest.errors import RunmartError, SettingsError
from runmart.ingest.pull.errors import GoneError, PullError, RefusedError
from runmart.ingest.pull.providers import Server

REPEATED = 10
"""Refusals with the same words, and nothing besides, after which the pull ends: they are not a thread's."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NO_ADDRESS = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE, HTTPStatus.NOT_IMPLEMENTED}
_VERSION = re.compile(r"\bapi[ _-]?versions?\b", re.IGNORECASE)
_WANTS_TLS = re.compile(rb"to (?:an )?https (?:port|server)|ssl-enabled server port", re.IGNORECASE)

_MEANINGS: dict[int, str] = {
    HTTPStatus.FORBIDDEN: "the key may not read it",
    HTTPStatus.NOT_FOUND: "the server does not know it",
    HTTPStatus.METHOD_NOT_ALLOWED: "the server has nothing to read at this address",
}


def refusal(
    status: int, words: str, server: Server, key: str | None, sent: str | None = None
) -> PullError | RefusedError:
    """The error for an answer that another attempt would not change.

    Args:
        status: The HTTP status of the answer.
        words: What it says, without secrets; "" for nothing.
        server: The server.
        key: The setting of the key; None where there is none.
        sent: The API version that was sent.
    """
    host = urlsplit(server.base_url).hostname
    if status == HTTPStatus.UNAUTHORIZED:
        what = f"refused the key from {key}" if key else "wants a key: give --api-key-env"
        return PullError(f"401: {host} {what}{said(words)}; check that it belongs to this server and --profile")
    if _VERSION.search(words):
        version = f"the API version {sent}" if sent else "requests without an API version"
        return PullError(f"{status}: {host} does not take {version}{said(words)}; give another with --api-version")
    meaning = _MEANINGS.get(status, "the server does not accept the request")
    kind = GoneError if status == HTTPStatus.NOT_FOUND else RefusedError
    return kind(f"{status}: {meaning}{said(words)}", status, words)


def redirect(host: str, target: str, status: int) -> RefusedError:
    """The error for a redirect to another server, which gets no request."""
    return RefusedError(
        f"{host} redirects to {target}: the key was not sent there. If that is the server's address, give it as "
        "--base-url",
        status,
        target,
    )


def said(words: str) -> str:
    """A server's words as a part of a sentence."""
    return f', saying "{words}"' if words else ""


def wants_tls(url: str, body: bytes) -> bool:
    """Whether an answer to plain HTTP says that the port is for TLS, as those of nginx, Apache and Go do."""
    return url.startswith("http:") and bool(_WANTS_TLS.search(body[:4096]))


_NAMED = {
    "threads": "--threads, --threads-sql, --known",
    "responses": "--response, --responses, --responses-sql",
}
"""How to name what a server does not list."""


def list_refused(error: RefusedError, server: Server, what: str = "threads") -> RunmartError:
    """The error for a refused list, without which there is nothing to read.

    Args:
        error: The refusal.
        server: The server.
        what: What is in the list.
    """
    named = _NAMED.get(what)
    if error.status in _NO_ADDRESS:
        advice = f"name them: {named}. If it should list them, check" if named else "check"
        return SettingsError(
            f"{server.base_url} lists no {what} ({error}); {advice} --base-url, --profile and --api-version"
        )
    advice = f", or name the {what}: {named}" if named else ""
    return PullError(f"{server.base_url} refuses the list of {what}: {error}; check the key and --profile{advice}")


@dataclass(slots=True)
class Refusals:
    """Tells refusals of single threads from those of the whole server, by whether it has let anything be read."""

    server: Server
    key: str | None
    has_read: bool = False
    """Whether a run, or a page of runs, came from the server: then it knows the paths, and takes the key."""
    _found: list[RefusedError] = field(default_factory=list[RefusedError])

    def add(self, error: RefusedError) -> None:
        """Count the refusal of a thread or a run.

        Raises:
            PullError: It is the server that refuses, whatever it is asked.
        """
        if self.has_read:
            return
        self._found.append(error)
        same = {(one.status, one.words) for one in self._found}
        if len(self._found) >= REPEATED and len(same) == 1:
            raise self._of_server()

    def check(self, *, is_all: bool) -> None:
        """Check at the end of a pull that not all was refused; unknown threads may have been deleted, though.

        Args:
            is_all: Whether all threads of the source were asked, so that none has been read earlier.

        Raises:
            PullError: All was refused.
        """
        is_many = len(self._found) >= REPEATED
        is_refused = any(not isinstance(error, GoneError) for error in self._found)
        if self._found and not self.has_read and (is_many or (is_all and is_refused)):
            raise self._of_server()

    def _of_server(self) -> PullError:
        error = next((one for one in self._found if not isinstance(one, GoneError)), self._found[0])
        host = urlsplit(self.server.base_url).hostname
        status, words = error.status, said(error.words)
        if status in REDIRECTS:
            return PullError(f"nothing could be read: {error}")
        if status == HTTPStatus.FORBIDDEN:
            key = f"lets the key from {self.key}" if self.key else "lets a request without a key"
            return PullError(
                f"403: {host} {key} read nothing of what was asked for{words}; check what the key may read, and "
                "that it belongs to this server and --profile"
            )
        if status in _NO_ADDRESS:
            return PullError(
                f"{status}: {host} knows nothing of what was asked for{words}; check --base-url, --profile, "
                "--runs-path and the ids"
            )
        return PullError(f"{status}: {host} accepts no request{words}; check --base-url, --profile and --api-version")
