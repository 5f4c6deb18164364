"""The lookup of a host's name, which a name server that gives no answer must not hold up."""

import asyncio
import socket
from contextlib import suppress
from threading import Thread
from urllib.parse import urlsplit

from runmart.ingest.pull.unreachable import Failure, lookup_failure, proxy_variable


class NameLookup:
    """Looks up the name of a server once, before the first request to it."""

    def __init__(self, base_url: str) -> None:
        """Nothing is looked up where a proxy does that."""
        parts = urlsplit(base_url)
        self._host = parts.hostname or ""
        self._port = parts.port or 0
        self._is_needed = proxy_variable(parts.scheme, self._host) is None
        self._task: asyncio.Task[OSError | None] | None = None

    async def failure(self, seconds: float) -> Failure | None:
        """Why there is no address after so many seconds; None where there is one."""
        if not self._is_needed:
            return None
        self._task = self._task or asyncio.create_task(look_up(self._host, self._port))
        await asyncio.wait({self._task}, timeout=seconds)
        if waiting := self.waiting():
            return waiting
        error = self._task.result()
        return lookup_failure(error, self._host) if error else None

    def waiting(self) -> Failure | None:
        """Why there is no address yet, where the name servers were asked and have not answered."""
        is_waiting = self._task is not None and not self._task.done()
        return lookup_failure(None, self._host) if is_waiting else None


async def look_up(host: str, port: int) -> OSError | None:
    """Look up the name of a host; why that failed, or None.

    The thread is a daemon: when a program ends, asyncio waits for those of its executor, and the system's resolver may
    ask silent name servers for half a minute.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[OSError | None] = loop.create_future()

    def settle(error: OSError | None) -> None:
        if not found.done():  # it may have been cancelled
            found.set_result(error)

    def ask() -> None:
        error: OSError | None = None
        try:
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as reason:
            error = reason
        except UnicodeError:  # such as a label of more than 63 characters
            error = socket.gaierror(socket.EAI_NONAME, "no host name")
        with suppress(RuntimeError):  # the loop may be closed
            loop.call_soon_threadsafe(settle, error)

    Thread(target=ask, name="name lookup", daemon=True).start()
    return await found
