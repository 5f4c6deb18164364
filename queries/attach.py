"""Attach: a warehouse, opened for reading once in this process, whoever reads it.

Locks of files belong to the process: whatever closes a file ends the locks that others in the process have on it, and
a writer would get in beside them. So those who read the same file share what opened it.
"""

from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from runmart.ingest.warehouse.backend import NAME, Version
from runmart.ingest.warehouse.location import Location, parse_location

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ATTEMPTS = 10
"""How often a warehouse is opened again that was replaced while it was being opened."""


class Attached:
    """A warehouse that is open at one of its versions; it is closed once nobody holds this any more."""

    __slots__ = ("__weakref__", "_connection", "version")

    def __init__(self, connection: "DuckDBPyConnection", version: Version) -> None:
        """See `attached`."""
        self._connection = connection
        self.version = version

    def cursor(self) -> "DuckDBPyConnection":
        """A connection of its own to it, with UTC for its time zone."""
        cursor = self._connection.cursor()
        cursor.execute(f"use {NAME}; set timezone = 'UTC'")
        return cursor

    def __del__(self) -> None:
        """Close it."""
        self._connection.close()


_open: WeakValueDictionary[Version, Attached] = WeakValueDictionary()
_lock = Lock()


def attached(location: Location) -> Attached:
    """The warehouse at its version of now.

    Raises:
        FileNotFoundError: There is none.
        PermissionError: It may not be read.
        BlockingIOError: Another process writes to the file.
        ConnectionError: The catalog of a DuckLake, or an extension that it needs, cannot be reached.
        ValueError: It is no warehouse, or a damaged one.
    """
    backend = parse_location(location)
    with _lock:
        for _ in range(_ATTEMPTS):
            version = backend.known_version()
            if version is not None and (found := _open.get(version)):
                return found
            if attachment := backend.attach():
                found = Attached(attachment.connection, attachment.version)
                if attachment.is_certain:  # else it may be a newer one, which nobody must take for this one
                    _open[attachment.version] = found
                return found
    raise FileNotFoundError(f"{backend}: no such warehouse")


def version_of(location: Location) -> Version | None:
    """The version that readers would see now; None when there is none, or it cannot be reached."""
    return parse_location(location).version()
