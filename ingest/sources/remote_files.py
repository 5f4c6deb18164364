"""Inputs behind a URL: `https://` by httpx2, object storage (`s3://`, `gs://`, `abfss://`) by pyarrow's file systems.

Credentials come from where these libraries look for them (environment, profile, role). User information, query and
fragment of a URL may be secrets, and are left out of addresses and messages.
"""

import fnmatch
import io
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

from runmart.ingest import http_environment
from runmart.ingest.errors import InputError, SourceError
from runmart.ingest.sources.input import Input

_TIMEOUT_SECONDS = 60.0
_NUMBER = re.compile(r"^\[Errno [0-9-]+\] ")


def inputs(source: str) -> Iterator[Input]:
    """The inputs behind one URL. Opening one raises SourceError when the server cannot be reached, or refuses.

    Raises:
        SourceError: Its scheme is unknown, or it cannot be listed.
    """
    try:
        scheme = urlsplit(source).scheme
    except ValueError as error:
        raise SourceError(f"{source.partition(':')[0]}://…: {error}; check the host") from None
    if scheme in {"http", "https"}:
        yield _response(source)
    elif scheme in {"s3", "gs", "gcs", "abfs", "abfss", "file", "hdfs"}:
        yield from _objects(source)
    else:
        raise SourceError(f"{public_address(source)}: expected a path, https:// or s3://, got {scheme}://")


def public_address(url: str) -> str:
    """`url` without its parts that may be secrets; a path is returned unchanged."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _response(url: str) -> Input:
    address = public_address(url)

    def fetch() -> BinaryIO:
        import httpx2

        try:
            client = httpx2.Client(follow_redirects=True, timeout=_TIMEOUT_SECONDS)
        except Exception as error:  # noqa: BLE001 - of the system, of OpenSSL, of urllib, of the library, by what is wrong
            raise SourceError(f"{address}: cannot be reached: {http_environment.problem(error)}") from None
        try:
            response = client.send(client.build_request("GET", url), stream=True)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            client.close()
            raise SourceError(f"{address}: cannot be reached: {_cause(error)}") from None
        if not response.is_success:
            client.close()
            answer = f"{response.status_code} {response.reason_phrase}".strip()
            raise SourceError(f"{address}: cannot be fetched: the server answered {answer}; {_advice(response)}")
        return cast("BinaryIO", io.BufferedReader(_Body(response, client)))

    return Input(address, None, time.time_ns() // 1000, fetch)


def _cause(error: Exception) -> str:
    """Why a server cannot be reached, and what to do; without the parts of the address that may be secrets."""
    import httpx2

    if isinstance(error, httpx2.TimeoutException):
        return f"no answer within {_TIMEOUT_SECONDS:g} s; try again later"
    if isinstance(error, httpx2.ConnectError):  # in the words of the system, which knows the host alone
        return f"{_NUMBER.sub('', str(error)) or 'no connection'}; check the address and the network"
    if isinstance(error, httpx2.TooManyRedirects):
        return "it is redirected again and again; check the address"
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol):
        return "the address, or one that it is redirected to, is not well-formed; check it"
    return f"the connection failed ({type(error).__name__}); try again later"


def _advice(response: Any) -> str:
    if response.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return "check the address, and whether it holds what permits to read it"
    is_for_later = response.is_server_error or response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    return "try again later" if is_for_later else "check the address"


class _Body(io.RawIOBase):
    """The body of a response as a file."""

    def __init__(self, response: Any, client: Any) -> None:
        self._response = response
        self._client = client
        self._parts = response.iter_bytes()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        import httpx2

        try:
            while not self._rest:
                part = next(self._parts, None)
                if part is None:
                    return 0
                self._rest = part
        except httpx2.HTTPError as error:
            raise InputError(f"the download broke off: {type(error).__name__}; run the command again") from None
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        self._client.close()
        super().close()


def _objects(url: str) -> Iterator[Input]:
    from pyarrow import ArrowException, fs

    address = public_address(url)
    prefix = url.partition("*")[0] if "*" in url else url
    try:
        system, path = fs.FileSystem.from_uri(prefix.rpartition("/")[0] if "*" in url else url)
        if "*" in url:
            pattern = address.partition("://")[2]
            found = [info for info in _files(system, path) if fnmatch.fnmatch(info.path, pattern)]
        else:
            info = system.get_file_info(path)
            found = [info] if info.type == fs.FileType.File else _files(system, path)
    except (OSError, ArrowException) as error:
        raise SourceError(f"{address}: cannot be listed: {_reason(error, url)}") from None
    scheme = address.partition("://")[0]
    for info in found:
        modified_at = info.mtime_ns // 1000 if info.mtime_ns else time.time_ns() // 1000
        yield Input(f"{scheme}://{info.path}", info.size, modified_at, _opener(system, info.path))


def reopened(source: str, found: Input) -> Input:
    """An input that can be opened in this process, from one that another process has found with `inputs`.

    Raises:
        InputError: The storage cannot be reached.
    """
    from pyarrow import ArrowException, fs

    if urlsplit(source).scheme in {"http", "https"}:
        return replace(_response(source), modified_at=found.modified_at)
    try:
        system, _ = fs.FileSystem.from_uri(source.partition("*")[0].rpartition("/")[0] if "*" in source else source)
    except (OSError, ArrowException) as error:
        raise InputError(f"cannot be opened: {_reason(error, source)}") from None
    return replace(found, open=_opener(system, found.address.partition("://")[2]))


def _reason(error: Exception, url: str) -> str:
    """The message of a library's error, unless it repeats a part of `url` that may be a secret."""
    parts = urlsplit(url)
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    message = str(error).splitlines()[0]
    is_secret = any(part and part in message for part in (user, password, parts.query, parts.fragment))
    return "the address is not well-formed" if is_secret else message


def _files(system: Any, path: str) -> list[Any]:
    from pyarrow import fs

    listing = system.get_file_info(fs.FileSelector(path, recursive=True))
    return sorted((info for info in listing if info.type == fs.FileType.File), key=lambda info: info.path)


def _opener(system: Any, path: str) -> Any:
    return lambda: system.open_input_stream(path, compression=None)
