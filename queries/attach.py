"""Opens each version of a warehouse once per process, for all of its readers.

POSIX file locks belong to a process: closing a file releases all of the process's locks on it, also those of its other
readers, and a writer could then open it. So all readers of a version share one open file.
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
    """A warehouse that is open at one version; closed when its last reader drops it."""

    __slots__ = ("__weakref__", "_connection", "version")

    def __init__(self, connection: "DuckDBPyConnection", version: Version) -> None:
        """See `attached`."""
        self._connection = connection
        self.version = version

    def cursor(self) -> "DuckDBPyConnection":
        """A new connection to the warehouse, with the time zone UTC."""
        cursor = self._connection.cursor()
        cursor.execute(f"use {NAME}; set timezone = 'UTC'")
        return cursor

    def __del__(self) -> None:
        """Close the warehouse."""
        self._connection.close()


_open: WeakValueDictionary[Version, Attached] = WeakValueDictionary()
_lock = Lock()


def attached(location: Location) -> Attached:
    """The current version of a warehouse.

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
                if attachment.is_certain:  # else the file may already be a newer version
                    _open[attachment.version] = found
                return found
    raise FileNotFoundError(f"{backend}: no such warehouse")


def version_of(location: Location) -> Version | None:
    """The version that a new reader would get; None when there is none, or it cannot be reached."""
    return parse_location(location).version()
