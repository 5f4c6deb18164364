"""Compact: rewrite a warehouse's file without the space that deleted rows have left."""

import os
import struct
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from runmart.ingest.errors import LockedError, WarehouseError
from runmart.ingest.warehouse import STORAGE_VERSION

_MEMORY = "512MB"
_RETRY_SECONDS = 0.1

_HELD_SECONDS = 0.2
"""So long the old file stays locked once it is replaced: who has opened it just before is refused, and tries again."""


def compact(path: Path, lock_timeout_seconds: float) -> None:
    """Replace a warehouse, which nobody in this process has open, by a copy of all that is in it.

    Comments, and what the user has added, are copied, too. Readers that have the old file open go on with that.

    Raises:
        LockedError: Another process writes to it for too long.
        WarehouseError: It could not be copied; the warehouse stays as it was.
    """
    path = path.resolve()
    copy = path.with_name(f".{path.name}.compact")
    with _no_writers(path, lock_timeout_seconds):
        if path.with_name(f"{path.name}.wal").exists():  # it would meet the new file, which it is not for
            raise WarehouseError(f"{path}: a write to it was cut short; run this again for a smaller file")
        try:
            _copy(path, copy)
            copy.chmod(path.stat().st_mode & 0o7777)
            _sync(copy)
            copy.replace(path)
            _sync(path.parent)
            time.sleep(_HELD_SECONDS)
        finally:
            for left in (copy, copy.with_name(f"{copy.name}.wal")):
                left.unlink(missing_ok=True)


def _copy(path: Path, copy: Path) -> None:
    import duckdb

    copy.unlink(missing_ok=True)
    try:
        with duckdb.connect(config={"memory_limit": _MEMORY, "temp_directory": f"{copy}.tmp"}) as connection:
            connection.execute(f"attach {_quoted(path)} as old (read_only)")
            connection.execute(f"attach {_quoted(copy)} as compacted (storage_version '{STORAGE_VERSION}')")
            connection.execute("copy from database old to compacted")
            connection.execute("detach compacted")
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise WarehouseError(
            f"{path}: it could not be rewritten to a smaller file, and stays as it is: {reason}"
        ) from None


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


@contextmanager
def _no_writers(path: Path, lock_timeout_seconds: float) -> Generator[None]:
    """While this lasts, no other process can open the file for writing.

    The lock is one of Linux that belongs to the open file (`F_OFD_SETLK`): a lock of the process, such as DuckDB's,
    would end when DuckDB closes the file. Elsewhere there is none; no load must be started while a file is rewritten.
    """
    with path.open("rb") as file:
        deadline = time.monotonic() + lock_timeout_seconds
        while not _locked(file.fileno()):
            if time.monotonic() >= deadline:
                raise LockedError(f"{path}: locked by another process; what was pruned is gone, the file is as large")
            time.sleep(_RETRY_SECONDS)
        yield


def _locked(descriptor: int) -> bool:
    """Whether we could take a lock that writers conflict with."""
    try:
        import fcntl
    except ImportError:
        return True
    if not hasattr(fcntl, "F_OFD_SETLK"):
        return True
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, struct.pack("hhqqi", fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0))
    except OSError:
        return False
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
