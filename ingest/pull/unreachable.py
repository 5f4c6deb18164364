"""Why no answer came from a server, in a sentence: names, routes, ports, TLS and certificates."""

import errno
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2

_NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL}
_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
"""What OpenSSL makes of an answer that is no TLS."""
_EXPIRED, _NOT_YET_VALID, _OTHER_HOST, _OTHER_ADDRESS = 10, 9, 62, 64
"""OpenSSL's codes of what is wrong with a certificate."""

_UP = "is the server up, and is --base-url right?"


class Failure(NamedTuple):
    """Why no answer came."""

    sentence: str
    is_final: bool = False
    """Whether another attempt is pointless, even where the server has answered before."""
    is_dropped: bool = False
    """Whether there was a connection, which may have been closed by chance."""


def failure(error: httpx2.HTTPError, url: str, connect_seconds: float) -> Failure:
    """Why a request failed.

    Args:
        error: What the HTTP client has raised.
        url: The address of the request.
        connect_seconds: How long the client has tried to connect.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    via = proxy_variable(parts.scheme, host)
    if via and isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout) and not _is_tls(error):
        return Failure(f"there is no connection to the proxy in {via}; is it up, and is its address right?")
    found = _failure(error, host, port, connect_seconds, is_plain=parts.scheme == "http")
    return found._replace(sentence=f"{found.sentence} (Requests go through the proxy in {via}.)") if via else found


def lookup_failure(error: OSError | None, host: str) -> Failure:
    """Why a name has no address; no error means that the name servers did not answer in time."""
    if error is None or error.errno == socket.EAI_AGAIN:
        return Failure(f"the name {host} cannot be looked up now; is the network up, and is --base-url spelt right?")
    return Failure(f"there is no host {host}; is --base-url spelt right?")


def _failure(error: httpx2.HTTPError, host: str, port: int, connect_seconds: float, *, is_plain: bool) -> Failure:
    if isinstance(error, httpx2.ProxyError):
        return Failure(f"the proxy does not lead to {host}; see HTTPS_PROXY, HTTP_PROXY and NO_PROXY")
    if isinstance(error, httpx2.ConnectTimeout):
        return Failure(
            f"there is no connection to {host}, port {port}, within {connect_seconds:g} s; {_UP} "
            "A firewall may stand between"
        )
    known = (_of_system(cause, host, port) for cause in _causes(error))
    if found := next((one for one in known if one), None):
        return found
    if isinstance(error, httpx2.ConnectError):
        return Failure(f"there is no connection to {host}, port {port}; {_UP}")
    if isinstance(error, httpx2.TimeoutException):
        return Failure(f"{host} accepts connections and does not answer")
    hint = "; if it wants TLS, --base-url must begin with https://" if is_plain else ""
    return Failure(f"{host} closed the connection without a whole answer{hint}", is_dropped=True)


def _is_tls(error: httpx2.HTTPError) -> bool:
    return any(isinstance(cause, ssl.SSLError) for cause in _causes(error))


def _of_system(error: BaseException, host: str, port: int) -> Failure | None:
    """What an error of the system or of OpenSSL means; None for others."""
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLWantReadError | ssl.SSLWantWriteError):
        return _tls(error, host, port)
    if isinstance(error, socket.gaierror):
        return lookup_failure(error, host)
    if isinstance(error, ConnectionRefusedError):
        return Failure(f"{host} refuses connections to port {port}; {_UP}")
    if isinstance(error, OSError) and error.errno in _NO_ROUTE:
        return Failure(f"there is no route to {host}; is the network up, and is --base-url right?")
    return None


def _tls(error: ssl.SSLError, host: str, port: int) -> Failure:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure(_certificate(error.verify_code, host), is_final=True)
    reason: str | None = getattr(error, "reason", None)
    if reason in _NO_TLS:
        return Failure(
            f"{host} does not speak TLS at port {port}; is the port of --base-url right? For a server without TLS it "
            "begins with http://, and the key is sent unencrypted",
            is_final=True,
        )
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Failure(f"{host} closed the connection before TLS was agreed on, at port {port}", is_dropped=True)
    return Failure(f"{host} and this machine do not agree on TLS at port {port}: {reason or 'no reason given'}")


def _certificate(code: int, host: str) -> str:
    if code in {_OTHER_HOST, _OTHER_ADDRESS}:
        return f"the certificate of {host} is for another host; is --base-url spelt right?"
    if code == _EXPIRED:
        return f"the certificate of {host} has expired; tell who runs the server, or set the clock of this machine"
    if code == _NOT_YET_VALID:
        return f"the certificate of {host} is not valid yet; is the clock of this machine right?"
    return (
        f"the certificate of {host} cannot be verified; if your own authority has signed it, name the authority's file "
        "in SSL_CERT_FILE"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what caused it, and what caused that; a host with several addresses has several causes."""
    while error is not None:
        if isinstance(error, BaseExceptionGroup):
            for one in cast("BaseExceptionGroup[BaseException]", error).exceptions:
                yield from _causes(one)
            return
        yield error
        error = error.__cause__ or error.__context__


def proxy_variable(scheme: str, host: str) -> str | None:
    """The environment variable with the proxy for a host, whose value may hold a password."""
    names = [name for name in (scheme, "all") if name in getproxies()]
    return f"{names[0].upper()}_PROXY" if names and not proxy_bypass(host) else None
