"""HTTP client for one server, with rate limiting and retries.

Transient failures (429, 5xx, broken connections, truncated responses) are retried with exponential back-off; a back-off
that the server asks for holds all requests. Other failures are errors of the thread, or of the pull.
"""

import asyncio
import email.utils
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import urlsplit

import httpx2
import tenacity

from runmart.ingest.digest import content_digest
from runmart.ingest.pull.credentials import Key, KeyAuth
from runmart.ingest.pull.errors import GoneError, PullError, RefusedError, ThreadError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from runmart.ingest.pull.providers import Server

MAX_BODY_BYTES = 256 << 20
_MAX_REDIRECTS = 5
_FAILED_REQUESTS = 20
"""Failed requests in a row, retries included, after which the server counts as down."""

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)(ms|s|m|h|d))")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_TRANSIENT = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
"""Statuses that are retried."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Limits of retries and time-outs."""

    attempts: int = 8
    throttled_attempts: int = 40
    """Attempts after status 429: the server works, and limits the rate."""
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 60.0
    longest_asked_seconds: float = 900.0
    """The longest back-off that a server may ask for; beyond it the pull ends."""
    connect_seconds: float = 10.0
    answer_seconds: float = 120.0
    """The time-out of a response, to its last byte."""


@dataclass(slots=True)
class Counters:
    """Counts of requests."""

    requests: int = 0
    """Sent, retries included."""
    retries: int = 0
    throttled: int = 0
    """Responses with status 429."""
    bytes: int = 0
    """Of good responses."""


class Response(NamedTuple):
    """One good response."""

    address: str
    body: bytes
    observed_at: int
    """When it was received, in microseconds since 1970."""

    @property
    def digest(self) -> str:
        """The content digest of the body."""
        return content_digest(self.body)


class _TransientError(Exception):
    """A failure that is retried; `pause` is the back-off that the server asked for, in seconds."""

    def __init__(self, reason: str, status: int | None = None, pause: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.pause = pause

    @property
    def is_throttle(self) -> bool:
        """Whether the server limits the rate of requests."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS


@dataclass(slots=True)
class _Gate:
    """Holds all requests during a back-off that the server asks for."""

    until: float = 0.0
    clock: "Callable[[], float]" = field(default=time.monotonic)

    def close(self, seconds: float) -> None:
        self.until = max(self.until, self.clock() + seconds)

    async def pass_(self) -> None:
        while (seconds := self.until - self.clock()) > 0:
            await asyncio.sleep(seconds * random.uniform(1.0, 1.1))  # noqa: S311 - jitter


class Client:
    """Sends requests to one server."""

    def __init__(self, server: "Server", key: Key | None, concurrency: int, patience: Patience | None = None) -> None:
        """At most `concurrency` requests run at a time."""
        self.counters = Counters()
        self._server = server
        self._key = key
        self._patience = patience or Patience()
        self._gate = _Gate()
        self._failed_in_a_row = 0
        self._slots = asyncio.Semaphore(concurrency)
        self._http = httpx2.AsyncClient(
            auth=KeyAuth(key, server) if key else None,
            headers={**server.profile.headers, "accept": "application/json", "user-agent": "runmart"},
            limits=httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
            timeout=httpx2.Timeout(self._patience.answer_seconds, connect=self._patience.connect_seconds),
        )  # redirects are not followed by the library: it would carry an `api-key` header to another host

    async def __aenter__(self) -> Self:
        """The client itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, address: str, parameters: Mapping[str, str | int] | None = None) -> Response:
        """A good response from `address`, which is one of the server's.

        Raises:
            GoneError: The server does not know it.
            ThreadError: The server refuses it, or all attempts failed.
            PullError: The key is refused, or the server is down.
        """
        url = httpx2.URL(address, params={**self._server.parameters, **(parameters or {})})
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(_TransientError),
            stop=self._is_last_attempt,
            wait=self._backoff,
            before_sleep=self._count_retry,
            reraise=True,
        )
        try:
            response: Response = await retrying(self._once, url)
        except _TransientError as error:
            self._failed_in_a_row += 1
            if self._failed_in_a_row >= _FAILED_REQUESTS or (self.counters.bytes == 0 and error.status is None):
                raise PullError(
                    f"{self._server.base_url} does not answer as it should: {error.reason}; "
                    "is it up, and is --base-url right?"
                ) from None
            raise ThreadError(f"{error.reason}, after {self._patience.attempts} attempts") from None
        self._failed_in_a_row = 0
        return response

    async def _once(self, url: httpx2.URL) -> Response:
        async with self._slots:
            await self._gate.pass_()
            for _ in range(_MAX_REDIRECTS):
                status, headers, body = await self._send(url)
                if status not in {301, 302, 303, 307, 308}:
                    break
                url = self._redirected(url, headers.get("location", ""))
            else:
                raise ThreadError(f"more than {_MAX_REDIRECTS} redirects")
        self._apply_limits(status, headers)
        if status == HTTPStatus.OK:
            self.counters.bytes += len(body)
            return Response(str(url), body, time.time_ns() // 1000)
        raise self._error(status, headers)

    async def _send(self, url: httpx2.URL) -> tuple[int, Mapping[str, str], bytes]:
        self.counters.requests += 1
        try:
            async with (
                asyncio.timeout(self._patience.answer_seconds),
                self._http.stream("GET", url) as response,
            ):
                parts: list[bytes] = []
                size = 0
                async for part in response.aiter_bytes():
                    size += len(part)
                    if size > MAX_BODY_BYTES:
                        raise ThreadError(f"an answer of more than {MAX_BODY_BYTES >> 20} MiB")
                    parts.append(part)
                return response.status_code, response.headers, b"".join(parts)
        except TimeoutError:
            raise _TransientError(f"no whole answer within {self._patience.answer_seconds:g} s") from None
        except httpx2.HTTPError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise PullError(
                    f"the certificate of {url.host} cannot be verified; if your own authority has signed it, name the "
                    "authority's file in SSL_CERT_FILE"
                ) from None
            raise _TransientError(f"{type(error).__name__} from {url.host}") from None

    def _error(self, status: int, headers: Mapping[str, str]) -> Exception:
        """The error for a status other than 200."""
        host = urlsplit(self._server.base_url).hostname
        if status in _TRANSIENT:
            pause = _retry_after(headers)
            if pause is not None and pause > self._patience.longest_asked_seconds:
                return PullError(f"{host} asks to come back in {pause:.0f} s; run the pull again then, it goes on")
            return _TransientError(f"status {status}", status, pause)
        if status == HTTPStatus.UNAUTHORIZED:
            source = f"refused the key from {self._key.setting}" if self._key else "wants a key: give --api-key-env"
            return PullError(f"401: {host} {source}; check that it belongs to this server and --profile")
        if status == HTTPStatus.NOT_FOUND:
            return GoneError("404: the server does not know it")
        if status == HTTPStatus.FORBIDDEN:
            return RefusedError("403: the key may not read it")
        return RefusedError(f"status {status}")

    def _redirected(self, url: httpx2.URL, location: str) -> httpx2.URL:
        """The address of a redirect, which is on the same server.

        Raises:
            PullError: It is on another server.
        """
        target = url.join(location)
        if (target.scheme, target.host, target.port) != (url.scheme, url.host, url.port):
            raise PullError(
                f"{url.host} redirects to {target.scheme}://{target.netloc.decode()}: the key was not sent there. "
                "If that is the server's address, give it as --base-url"
            )
        return target

    def _apply_limits(self, status: int, headers: Mapping[str, str]) -> None:
        """Hold all requests when the rate limit is used up, or the server asks for a back-off."""
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self.counters.throttled += 1
            self._gate.close(min(_retry_after(headers) or 0.0, self._patience.longest_asked_seconds))
        elif headers.get("x-ratelimit-remaining-requests") == "0":
            reset = _duration(headers.get("x-ratelimit-reset-requests", ""))
            self._gate.close(min(reset or 0.0, self._patience.longest_pause_seconds))

    def _is_last_attempt(self, state: tenacity.RetryCallState) -> bool:
        error = _error_of(state)
        limit = self._patience.throttled_attempts if error.is_throttle else self._patience.attempts
        return state.attempt_number >= limit

    def _backoff(self, state: tenacity.RetryCallState) -> float:
        """Seconds until the next attempt: what the server asked for, or exponential with jitter."""
        asked = _error_of(state).pause
        if asked is not None:
            return asked * random.uniform(1.0, 1.1)  # noqa: S311
        grown = self._patience.first_pause_seconds * 2.0 ** min(state.attempt_number - 1, 16)
        return min(grown, self._patience.longest_pause_seconds) * random.uniform(0.5, 1.0)  # noqa: S311

    def _count_retry(self, _state: tenacity.RetryCallState) -> None:
        self.counters.retries += 1


def _error_of(state: tenacity.RetryCallState) -> _TransientError:
    error: Any = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, _TransientError) else _TransientError("")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The back-off that the server asks for, in seconds: a number or a date (RFC 9110, 10.2.3), or milliseconds."""
    if (milliseconds := _number(headers.get("retry-after-ms", ""))) is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "")
    if (seconds := _number(value)) is not None:
        return seconds
    try:
        moment = email.utils.parsedate_to_datetime(value)
        now = email.utils.parsedate_to_datetime(headers["date"]) if "date" in headers else None
    except ValueError:
        return None
    now_seconds = now.timestamp() if now else time.time()  # by the server's clock, if it is known
    return max(0.0, moment.timestamp() - now_seconds)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


def _duration(text: str) -> float | None:
    """Seconds in `1s`, `6m0s`, `20ms` or a plain number."""
    parts = _DURATION.findall(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts) if parts else _number(text)
