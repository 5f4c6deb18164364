"""The warehouse: a DuckDB file, opened by one process at a time for writing, or a DuckLake, which many write to."""

import re
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from runmart.ingest.errors import LockedError, WarehouseError
from runmart.ingest.warehouse.location import DuckLake, Location

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STORAGE_VERSION = "v1.4.0"
"""Every DuckDB shell since 1.4 opens a file of this storage version."""

WRITER_MEMORY = "256MB"
"""What DuckDB may keep in memory while it loads; by default it keeps what it has written, up to most of the RAM."""

LAKE_WRITER_MEMORY = "1GB"
"""What DuckDB may keep in memory while it loads into a lake, whose files it writes and reads whole row groups of."""

DEFAULT_LOCK_TIMEOUT_SECONDS = 30.0
_RETRY_SECONDS = 0.1
_VERSIONS = ".versions"
_HOLDER = re.compile(r"Conflicting lock is held in (?P<program>.*?) \(PID (?P<pid>\d+)\)")


@contextmanager
def open_for_writing(path: Location, lock_timeout_seconds: float) -> Generator["DuckDBPyConnection"]:
    """A connection to the warehouse, created if need be; its schema is up to date.

    Raises:
        LockedError: Another process still uses it after `lock_timeout_seconds`.
        WarehouseError: It cannot be opened or brought up to date.
    """
    from runmart.ingest.warehouse.migrations import migrate

    if isinstance(path, DuckLake):
        with _errors_of(path), _lake_for_writing(path, lock_timeout_seconds) as connection:
            yield connection
        return
    if is_version(path):
        raise WarehouseError(
            f"{path}: this is a published copy, which the next one replaces; write to the warehouse itself"
        )
    if not path.parent.is_dir():
        raise WarehouseError(f"{path}: the folder {path.parent} does not exist; create it first")
    with _connected(path, lock_timeout_seconds, read_only=False) as connection:
        connection.execute("set timezone = 'UTC'")
        if lake := viewed_lake(connection):
            raise WarehouseError(
                f"it only shows the lake {lake}: load there with runmart lake load, then bring this up to date with "
                "runmart lake open"
            )
        migrate(connection)
        yield connection


def viewed_lake(connection: "DuckDBPyConnection") -> str | None:
    """The lake that a file shows; None when it is a warehouse of its own, or none."""
    found = connection.execute(
        "select 1 from duckdb_tables() where schema_name = 'runmart' and table_name = 'window'"
    ).fetchall()
    return connection.execute("select lake from runmart.window").fetchall()[0][0] if found else None


def versions_folder(path: Path) -> Path:
    """The folder of the versions to which a published name leads; see `publish`."""
    return path.with_name(f".{path.name}{_VERSIONS}")


def is_version(path: Path) -> bool:
    """Whether a path leads to a published copy, over however many links, or did before that was removed."""
    folder = path.resolve().parent.name
    return folder.startswith(".") and folder.endswith(_VERSIONS)


@contextmanager
def open_for_reading(path: Location, lock_timeout_seconds: float) -> Generator["DuckDBPyConnection"]:
    """A read-only connection to an existing warehouse.

    Raises:
        LockedError: Another process still writes to it after `lock_timeout_seconds`.
        WarehouseError: There is none, or it is not a warehouse.
    """
    from runmart.ingest.warehouse.migrations import schema_version

    if isinstance(path, DuckLake):
        with _errors_of(path), _lake_for_reading(path) as connection:
            if schema_version(connection) == 0:
                raise WarehouseError("it is a DuckLake, but no runmart warehouse; check --warehouse")
            yield connection
        return
    if not path.exists():
        raise WarehouseError(f"{path}: no such warehouse; create it with: runmart ingest PAGES --warehouse {path}")
    with _connected(path, lock_timeout_seconds, read_only=True) as connection:
        if schema_version(connection) == 0:
            raise WarehouseError("it is a DuckDB file, but no runmart warehouse; check --warehouse")
        connection.execute("set timezone = 'UTC'")
        yield connection


def exists(path: Location) -> bool:
    """Whether there is a warehouse already.

    Raises:
        WarehouseError: It cannot be told.
    """
    if isinstance(path, Path):
        return path.exists()
    from runmart.ingest.warehouse import ducklake
    from runmart.ingest.warehouse.migrations import schema_version

    with _errors_of(path):
        connection = ducklake.attach(path, read_only=True)
        try:
            return connection is not None and schema_version(connection) > 0  # else somebody is making it
        finally:
            if connection is not None:
                connection.close()


@contextmanager
def _lake_for_writing(lake: DuckLake, lock_timeout_seconds: float) -> Generator["DuckDBPyConnection"]:
    from runmart.ingest.warehouse import ducklake, write_lock
    from runmart.ingest.warehouse.migrations import is_current, migrate

    turn = write_lock.WriteLock(lake, lock_timeout_seconds)
    try:
        connection = ducklake.attach(lake, read_only=False, memory=LAKE_WRITER_MEMORY)
        if connection is None:
            with turn.taken():  # two that make it at once would get in each other's way
                connection = ducklake.attach(lake, read_only=False, memory=LAKE_WRITER_MEMORY)
                connection = connection or ducklake.create(lake, LAKE_WRITER_MEMORY)
        try:
            write_lock.begin(connection, turn)
            if not is_current(connection):
                write_lock.in_turn(connection, partial(migrate, connection))
            yield connection
        finally:
            connection.close()
    finally:
        turn.locks.close()


@contextmanager
def _lake_for_reading(lake: DuckLake) -> Generator["DuckDBPyConnection"]:
    from runmart.ingest.warehouse import ducklake

    connection = ducklake.attach(lake, read_only=True)
    if connection is None:
        raise WarehouseError(
            f"no such warehouse; create it with: runmart ingest PAGES --warehouse '{lake}' --data s3://BUCKET/FOLDER"
        )
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def _connected(path: Path, lock_timeout_seconds: float, *, read_only: bool) -> Generator["DuckDBPyConnection"]:
    with _errors_of(path):
        connection = _connect(path, lock_timeout_seconds, read_only=read_only)
        try:
            yield connection
        finally:
            connection.close()


@contextmanager
def _errors_of(path: Location) -> Generator[None]:
    """Errors of the warehouse as sentences that begin with its name."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise WarehouseError(f"{path}: {_sentence(error, path)}") from (None if isinstance(path, DuckLake) else error)
    except WarehouseError as error:
        if str(error).startswith(str(path)):
            raise
        raise type(error)(f"{path}: {error}") from error.__cause__


def _connect(path: Path, lock_timeout_seconds: float, *, read_only: bool) -> "DuckDBPyConnection":
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {}
    if not read_only:
        config |= {"storage_compatibility_version": STORAGE_VERSION, "memory_limit": WRITER_MEMORY}
    deadline = time.monotonic() + lock_timeout_seconds
    while True:
        try:
            return duckdb.connect(path, read_only=read_only, config=config)
        except duckdb.IOException as error:
            if "Could not set lock" not in str(error):
                raise
            if time.monotonic() >= deadline:
                raise LockedError(_locked(str(error), lock_timeout_seconds)) from None
        time.sleep(_RETRY_SECONDS)


def _locked(message: str, waited_seconds: float) -> str:
    holder = _HOLDER.search(message)
    who = f"{Path(holder['program']).name} (process {holder['pid']})" if holder else "another process"
    return (
        f"locked by {who}; waited {waited_seconds:g} s. Close it there, open it with -readonly in a shell, "
        "or wait longer with --lock-timeout"
    )


def is_interrupt(error: BaseException) -> bool:
    """Whether `error` is Ctrl-C: DuckDB turns it into an error of its own when it arrives in the middle of a query."""
    words = ("Query interrupted", "INTERRUPT Error", "KeyboardInterrupt")
    return isinstance(error, KeyboardInterrupt) or any(word in str(error) for word in words)


def _sentence(error: Exception, path: Location) -> str:
    """DuckDB's message without its kind, its advice for developers and its addresses."""
    if isinstance(path, DuckLake):
        from runmart.ingest.warehouse.ducklake import explained

        return explained(str(error), path)
    text = str(error).splitlines()[0].partition(". See ")[0]
    return text.removeprefix("IO Error: ").removeprefix("Serialization Error: ")
