"""The warehouse: a DuckDB file, opened by one process at a time for writing."""

import re
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runmart.ingest.errors import LockedError, WarehouseError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STORAGE_VERSION = "v1.4.0"
"""Every DuckDB shell since 1.4 opens a file of this storage version."""

WRITER_MEMORY = "256MB"
"""What DuckDB may keep in memory while it loads; by default it keeps what it has written, up to most of the RAM."""

DEFAULT_LOCK_TIMEOUT_SECONDS = 30.0
_RETRY_SECONDS = 0.1
_VERSIONS = ".versions"
_HOLDER = re.compile(r"Conflicting lock is held in (?P<program>.*?) \(PID (?P<pid>\d+)\)")


@contextmanager
def open_for_writing(path: Path, lock_timeout_seconds: float) -> Generator["DuckDBPyConnection"]:
    """A connection to the warehouse, created if need be; its schema and its views are up to date.

    Raises:
        LockedError: Another process still uses it after `lock_timeout_seconds`.
        WarehouseError: It cannot be opened or brought up to date.
    """
    from runmart.ingest.schema import migrate

    if is_version(path):
        raise WarehouseError(
            f"{path}: this is a published copy, which the next one replaces; write to the warehouse itself"
        )
    if not path.parent.is_dir():
        raise WarehouseError(f"{path}: the folder {path.parent} does not exist; create it first")
    with _connected(path, lock_timeout_seconds, read_only=False) as connection:
        connection.execute("set timezone = 'UTC'")
        migrate(connection)
        yield connection


def versions_folder(path: Path) -> Path:
    """The folder of the versions to which a published name leads; see `publish`."""
    return path.with_name(f".{path.name}{_VERSIONS}")


def is_version(path: Path) -> bool:
    """Whether a path leads to a published copy, over however many links, or did before that was removed."""
    folder = path.resolve().parent.name
    return folder.startswith(".") and folder.endswith(_VERSIONS)


@contextmanager
def open_for_reading(path: Path, lock_timeout_seconds: float) -> Generator["DuckDBPyConnection"]:
    """A read-only connection to an existing warehouse.

    Raises:
        LockedError: Another process still writes to it after `lock_timeout_seconds`.
        WarehouseError: There is none, or it is not a warehouse.
    """
    from runmart.ingest.schema import schema_version

    if not path.exists():
        raise WarehouseError(f"{path}: no such warehouse; create it with: runmart ingest PAGES --warehouse {path}")
    with _connected(path, lock_timeout_seconds, read_only=True) as connection:
        if schema_version(connection) == 0:
            raise WarehouseError("it is a DuckDB file, but no runmart warehouse; check --warehouse")
        connection.execute("set timezone = 'UTC'")
        yield connection


@contextmanager
def _connected(path: Path, lock_timeout_seconds: float, *, read_only: bool) -> Generator["DuckDBPyConnection"]:
    import duckdb

    try:
        connection = _connect(path, lock_timeout_seconds, read_only=read_only)
        try:
            yield connection
        finally:
            connection.close()
    except duckdb.Error as error:
        raise WarehouseError(f"{path}: {_sentence(error)}") from error
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


def _sentence(error: Exception) -> str:
    """DuckDB's message without its kind, its advice for developers and its addresses."""
    text = str(error).splitlines()[0].partition(". See ")[0]
    return text.removeprefix("IO Error: ").removeprefix("Serialization Error: ")
