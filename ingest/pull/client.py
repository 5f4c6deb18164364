"""HTTP client for one server, with rate limiting and retries.

Transient failures (429, 5xx, broken connections, truncated responses) are retried with exponential back-off; a back-off
that the server asks for holds all requests. Other failures are errors of the thread, or of the pull. A server that has
not answered yet is not waited for: see `unreachable`.
"""

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import httpx2
import tenacity

from runmart.ingest import http_environment
from runmart.ingest.digest import content_digest
from runmart.ingest.errors import SettingsError
from runmart.ingest.pull.answers import server_words
from runmart.ingest.pull.credentials import Key, KeyAuth, origin
from runmart.ingest.pull.errors import PullError, RefusedError, ThreadError
from runmart.ingest.pull.masking import masked
from runmart.ingest.pull.name_lookup import NameLookup
from runmart.ingest.pull.rate_limits import Gate, reset_seconds, retry_after, sent
from runmart.ingest.pull.refusals import REDIRECTS, Refusals, redirect, refusal, said, wants_tls
from runmart.ingest.pull.unreachable import Failure, failure

if TYPE_CHECKING:
    from types import TracebackType

    from runmart.ingest.pull.providers import Server

MAX_BODY_BYTES = 256 << 20
_SHORTEST_SECRET = 8
"""Characters; shorter ones may be words."""

_MAX_REDIRECTS = 5
_FIRST_ATTEMPTS = 3
"""Attempts where a server closes connections without having answered before."""

_FAILED_REQUESTS = 20
"""Failed requests in a row, retries included, after which the server counts as down."""

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
    connect_seconds: float = 7.0
    """The time-out of looking up the server's name, and of each connection."""
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
    waiting_until: float = 0.0
    """Until when the server lets nothing be requested, on the monotonic clock, in seconds."""

    def waiting_seconds(self) -> float:
        """How long nothing will be requested because of the server's rate limit."""
        return max(0.0, self.waiting_until - time.monotonic())


class Response(NamedTuple):
    """One good response."""

    address: str
    body: bytes
    observed_at: int
    """When it was received, in microseconds since 1970."""
    sent: float | None = None
    """When it was sent by the server's own clock, in seconds since 1970; None where it does not say."""

    @property
    def digest(self) -> str:
        """The content digest of the body."""
        return content_digest(self.body)


class _TransientError(Exception):
    """A failure that is retried; `pause` is the back-off that the server asked for, in seconds."""

    def __init__(
        self, reason: str, status: int | None = None, pause: float | None = None, *, is_dropped: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.pause = pause
        self.is_dropped = is_dropped

    @property
    def is_throttle(self) -> bool:
        """Whether the server limits the rate of requests."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS


class Client:
    """Sends requests to one server."""

    def __init__(self, server: "Server", key: Key | None, concurrency: int, patience: Patience | None = None) -> None:
        """At most `concurrency` requests run at a time.

        Raises:
            SettingsError: The environment names proxies or certificates that cannot be used.
        """
        self.counters = Counters()
        self.refusals = Refusals(server, key.setting if key else None)
        self._server = server
        self._key = key
        self._patience = patience or Patience()
        self._gate = Gate()
        self._name = NameLookup(server.base_url)
        self._has_answered = False
        self._failed_in_a_row = 0
        self._slots = asyncio.Semaphore(concurrency)
        try:
            self._http = httpx2.AsyncClient(
                auth=KeyAuth(key, server) if key else None,
                headers={**server.profile.headers, "accept": "application/json", "user-agent": "runmart"},
                limits=httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
                timeout=httpx2.Timeout(self._patience.answer_seconds, connect=self._patience.connect_seconds),
            )  # redirects are not followed by the library: it would carry an `api-key` header to another host
        except Exception as error:  # noqa: BLE001 - of the system, of OpenSSL, of urllib, of the library, by what is wrong
            raise SettingsError(http_environment.problem(error)) from None

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
            PullError: The key is refused, all is refused, or the server is down or cannot be reached.
        """
        given = parameters or {}
        url = httpx2.URL(address, params={**self._server.parameters(address), **given})
        is_telling = address != self._server.threads and not {"after", "before"} & given.keys()  # a cursor may be gone
        try:
            response = await self._retried(url)
        except RefusedError as error:
            if is_telling:
                self.refusals.add(error)
            raise
        self._failed_in_a_row = 0
        self.refusals.has_read |= address != self._server.threads
        return response

    async def post(self, address: str, sent: Mapping[str, Any]) -> Response:
        """A good response to a search for threads, which is sent as JSON.

        Raises:
            GoneError: The server does not know the address.
            ThreadError: The server refuses it, or all attempts failed.
            PullError: The key is refused, all is refused, or the server is down or cannot be reached.
        """
        response = await self._retried(httpx2.URL(address), sent)
        self._failed_in_a_row = 0
        return response

    def check_answered(self, deadline_seconds: float | None) -> None:
        """Check at the deadline that the server has answered at all.

        Raises:
            PullError: It was asked, and has not.
        """
        if self.counters.requests and not self._has_answered:
            if waiting := self._name.waiting():
                raise PullError(waiting.sentence)
            raise PullError(
                f"{self._server.base_url} answered nothing within {deadline_seconds:g} s (--deadline); "
                "is the server up, and is --base-url right?"
            )

    async def _retried(self, url: httpx2.URL, sent: Mapping[str, Any] | None = None) -> Response:
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(_TransientError),
            stop=self._is_last_attempt,
            wait=self._backoff,
            before_sleep=self._count_retry,
            reraise=True,
        )
        try:
            response: Response = await retrying(self._once, url, sent)
        except _TransientError as error:
            self._failed_in_a_row += 1
            if not self._has_answered:
                raise PullError(error.reason) from None
            if self._failed_in_a_row >= _FAILED_REQUESTS or (self.counters.bytes == 0 and error.status is None):
                raise PullError(
                    f"{self._server.base_url} does not answer as it should: {error.reason}; "
                    "is it up, and is --base-url right?"
                ) from None
            raise ThreadError(f"{error.reason}, after {self._patience.attempts} attempts") from None
        return response

    async def _once(self, url: httpx2.URL, posted: Mapping[str, Any] | None) -> Response:
        asked = url  # a redirect may put the key into an address
        async with self._slots:
            await self._gate.pass_()
            for _ in range(_MAX_REDIRECTS):
                status, headers, body = await self._send(url, posted)
                if status not in REDIRECTS:
                    break
                url = self._redirected(url, status, headers.get("location", ""))
            else:
                raise ThreadError(f"more than {_MAX_REDIRECTS} redirects")
        self._apply_limits(status, headers)
        if status == HTTPStatus.OK:
            self.counters.bytes += len(body)
            return Response(str(asked), self._without_secrets(body), time.time_ns() // 1000, sent(headers))
        raise self._error(url, asked.params.get("api-version"), status, headers, body)

    async def _send(self, url: httpx2.URL, posted: Mapping[str, Any] | None) -> tuple[int, Mapping[str, str], bytes]:
        self.counters.requests += 1
        if not self._has_answered and (why := await self._name.failure(self._patience.connect_seconds)):
            raise self._failed(why)
        is_own = origin(str(url)) == origin(self._server.base_url)
        headers = self._server.headers if is_own else None
        try:
            async with (
                asyncio.timeout(self._patience.answer_seconds),
                self._http.stream("GET" if posted is None else "POST", url, headers=headers, json=posted) as response,
            ):
                self._has_answered = True
                return response.status_code, response.headers, await _body(response)
        except TimeoutError:
            raise self._failed(
                Failure(f"{url.host} gives no whole answer within {self._patience.answer_seconds:g} s")
            ) from None
        except httpx2.HTTPError as error:
            raise self._failed(failure(error, str(url), self._patience.connect_seconds)) from None

    def _failed(self, why: Failure) -> Exception:
        """The error of a request without a whole answer."""
        if why.is_final:
            return PullError(why.sentence)
        return _TransientError(why.sentence, is_dropped=why.is_dropped)

    def _error(
        self, url: httpx2.URL, version: str | None, status: int, headers: Mapping[str, str], body: bytes
    ) -> Exception:
        """The error for a status other than 200; `version` is the API version that was sent."""
        words = server_words(body, self._secrets())
        if status in _TRANSIENT:
            pause = retry_after(headers)
            if pause is not None and pause > self._patience.longest_asked_seconds:
                return PullError(
                    f"{url.host} asks to come back in {pause:.0f} s{said(words)}; run the pull again then, it goes on"
                )
            return _TransientError(f"status {status}{said(words)}", status, pause)
        if wants_tls(str(url), body):
            return PullError(f"{url.host} wants TLS at this port: --base-url must begin with https://")
        return refusal(status, words, self._server, self._key.setting if self._key else None, version)

    def _secrets(self) -> set[str]:
        """What must not be shown, whoever says it."""
        return {*(self._key.values if self._key else ()), *self._server.headers.values()}

    def _without_secrets(self, body: bytes) -> bytes:
        """A body in which the server does not repeat what it was given: bodies are stored."""
        for secret in self._secrets():
            if len(secret) >= _SHORTEST_SECRET and secret.encode() in body:
                body = body.replace(secret.encode(), b"***")
        return body

    def _redirected(self, url: httpx2.URL, status: int, location: str) -> httpx2.URL:
        """The address of a redirect, which is on the same server.

        Raises:
            RefusedError: It is on another server.
            ThreadError: It is none.
        """
        try:
            target = url.join(location)
            is_own = origin(str(target)) == origin(str(url))
        except (httpx2.InvalidURL, ValueError):
            raise ThreadError(f"{url.host} redirects to what is no address") from None
        if is_own:
            return target
        port = "" if target.port is None else f":{target.port}"
        raise redirect(url.host, masked(f"{target.scheme}://{target.host}{port}", self._secrets()), status)

    def _apply_limits(self, status: int, headers: Mapping[str, str]) -> None:
        """Hold all requests when the rate limit is used up, or the server asks for a back-off."""
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self.counters.throttled += 1
            self._gate.close(min(retry_after(headers) or 0.0, self._patience.longest_asked_seconds))
        elif (seconds := reset_seconds(headers)) is not None:
            self._gate.close(min(seconds, self._patience.longest_pause_seconds))
        self.counters.waiting_until = self._gate.until

    def _is_last_attempt(self, state: tenacity.RetryCallState) -> bool:
        error = _error_of(state)
        if not self._has_answered:
            return state.attempt_number >= (_FIRST_ATTEMPTS if error.is_dropped else 1)
        limit = self._patience.throttled_attempts if error.is_throttle else self._patience.attempts
        return state.attempt_number >= limit

    def _backoff(self, state: tenacity.RetryCallState) -> float:
        """Seconds until the next attempt: what the server asked for, or exponential with jitter."""
        error = _error_of(state)
        grown = self._patience.first_pause_seconds * 2.0 ** min(state.attempt_number - 1, 16)
        seconds = min(grown, self._patience.longest_pause_seconds) * random.uniform(0.5, 1.0)  # noqa: S311
        if error.pause is not None:
            seconds = error.pause * random.uniform(1.0, 1.1)  # noqa: S311
        if error.is_throttle or error.pause is not None:  # until another request is answered
            self.counters.waiting_until = max(self.counters.waiting_until, time.monotonic() + seconds)
        return seconds

    def _count_retry(self, _state: tenacity.RetryCallState) -> None:
        self.counters.retries += 1


def _error_of(state: tenacity.RetryCallState) -> _TransientError:
    error: Any = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, _TransientError) else _TransientError("")


async def _body(response: httpx2.Response) -> bytes:
    """The whole body of a response.

    Raises:
        ThreadError: It is too large.
    """
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise ThreadError(f"an answer of more than {MAX_BODY_BYTES >> 20} MiB")
        parts.append(part)
    return b"".join(parts)
