"""Attach: a warehouse's file, opened for reading once in this process, whoever reads it; or a lake.

Locks of files belong to the process: whatever closes a file ends the locks that others in the process have on it, and
a writer would get in beside them. So those who read the same file share what opened it.
"""

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakValueDictionary

from runmart.ingest.errors import WarehouseError
from runmart.ingest.warehouse import ducklake
from runmart.ingest.warehouse.location import DuckLake, Location

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ATTEMPTS = 10
"""A link that is switched, and its old file removed, while it is being opened is followed again, so often."""


class FileVersion(NamedTuple):
    """Tells one state of a file from another."""

    device: int
    inode: int
    size: int
    modified_ns: int


class LakeVersion(NamedTuple):
    """Tells one state of a lake from another."""

    lake: DuckLake
    snapshot: int


Version = FileVersion | LakeVersion


class Attached:
    """A file, or a lake at one of its snapshots, that is open; it is closed once nobody holds this any more."""

    __slots__ = ("__weakref__", "_connection", "version")

    def __init__(self, connection: "DuckDBPyConnection", version: Version) -> None:
        """See `attached`."""
        self._connection = connection
        self.version = version

    def cursor(self) -> "DuckDBPyConnection":
        """A connection of its own to it, with UTC for its time zone."""
        cursor = self._connection.cursor()
        cursor.execute("use warehouse; set timezone = 'UTC'")
        return cursor

    def __del__(self) -> None:
        """Let it go."""
        self._connection.close()


_open: WeakValueDictionary[Version, Attached] = WeakValueDictionary()
_watchers: "dict[DuckLake, DuckDBPyConnection]" = {}
_lock = Lock()


def attached(path: Location) -> Attached:
    """The file that is there now, or the newest snapshot of a lake.

    Raises:
        FileNotFoundError: There is none.
        BlockingIOError: Another process writes to the file.
        ConnectionError: The lake's catalog, or an extension that it takes, cannot be reached.
        ValueError: It is no warehouse.
    """
    with _lock:
        if isinstance(path, DuckLake):
            return _attached_lake(path)
        for _ in range(_ATTEMPTS):
            version = version_of(path)
            if version is None:
                break
            if found := _open.get(version):
                return found
            connection = _connected(path, version)
            if connection is not None:
                found = Attached(connection, version)
                if version_of(path) == version:  # else it may be a newer one, which nobody must take for this one
                    _open[version] = found
                return found
    raise FileNotFoundError(f"{path}: no such warehouse")


def version_of(path: Location) -> Version | None:
    """The state of a file, or of a lake; None when it is not there, or cannot be reached."""
    if isinstance(path, DuckLake):
        with _lock:
            return _version_of_lake(path)
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return FileVersion(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _attached_lake(lake: DuckLake) -> Attached:
    import duckdb

    if lake in _watchers and (known := _version_of_lake(lake)) and (found := _open.get(known)):
        return found
    try:
        connection = ducklake.attach(lake, read_only=True)
    except (duckdb.Error, WarehouseError) as error:
        raise ConnectionError(f"{lake}: {ducklake.explained(str(error), lake)}") from None
    if connection is None:
        raise FileNotFoundError(f"{lake}: no such warehouse")
    version = LakeVersion(lake, ducklake.snapshot(connection))
    if not _has_bookkeeping(connection):
        connection.close()
        raise ValueError(f"{lake}: it is a DuckLake, but no runmart warehouse")
    found = _open[version] = Attached(connection, version)
    return found


def _version_of_lake(lake: DuckLake) -> LakeVersion | None:
    """The newest snapshot, by a connection that is kept: to make one takes a quarter of a second."""
    import duckdb

    try:
        watcher = _watchers.get(lake) or ducklake.attach(lake, read_only=True, is_pinned=False)
        if watcher is None:
            return None
        _watchers[lake] = watcher
        return LakeVersion(lake, ducklake.snapshot(watcher))
    except (duckdb.Error, WarehouseError):
        if watcher := _watchers.pop(lake, None):
            watcher.close()
        return None


def _connected(path: Path, version: Version) -> "DuckDBPyConnection | None":
    """A connection to a file; None when it fails, and there is another version by now.

    It is attached to a database in memory, since DuckDB gives a process that connects to a path again what it had
    opened there before, even when the file is another by now.
    """
    import duckdb

    connection = duckdb.connect()
    try:
        name = str(path.resolve()).replace("'", "''")
        connection.execute(f"attach '{name}' as warehouse (read_only)")
        is_ours = _has_bookkeeping(connection)
    except duckdb.Error as error:
        connection.close()
        if version_of(path) != version:
            return None
        raise _explained(path, error) from None
    if not is_ours:
        connection.close()
        raise ValueError(f"{path}: it is a DuckDB file, but no runmart warehouse")
    return connection


def _has_bookkeeping(connection: "DuckDBPyConnection") -> bool:
    tables = connection.execute(
        "select 1 from duckdb_tables() where database_name = 'warehouse' and schema_name = 'runmart'"
    ).fetchall()
    return bool(tables)


def _explained(path: Path, error: Exception) -> OSError | ValueError:
    reason = str(error).splitlines()[0].removeprefix("IO Error: ")
    if "Could not set lock" in reason:
        return BlockingIOError(f"{path}: another process writes to it; try again when that is done")
    if "Permission denied" in reason:
        return PermissionError(f"{path}: you may not read it")
    return ValueError(f"{path}: it is no DuckDB file, a damaged one, or too new for this DuckDB: {reason}")
