"""File locks: keep writers out of a warehouse's file while it is copied or replaced."""

import os
import struct
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from runmart.ingest.errors import LockedError

_RETRY_SECONDS = 0.1


@contextmanager
def no_writers(path: Path, lock_timeout_seconds: float) -> Generator[None]:
    """While this lasts, no other process can open the file for writing.

    The lock is one of Linux that belongs to the open file (`F_OFD_SETLK`): a lock of the process, such as DuckDB's,
    would end when DuckDB closes the file. Elsewhere there is none; no load must be started meanwhile.

    Raises:
        LockedError: Another process writes to it for too long.
    """
    with path.open("rb") as file:
        wait_for(path, file.fileno(), lock_timeout_seconds, is_shared=True)
        yield


def wait_for(path: Path, descriptor: int, lock_timeout_seconds: float, *, is_shared: bool) -> None:
    """Lock an open file until it is closed, on systems that have such locks.

    Raises:
        LockedError: Another process holds a conflicting lock for too long.
    """
    deadline = time.monotonic() + lock_timeout_seconds
    while not _locked(descriptor, is_shared=is_shared):
        if time.monotonic() >= deadline:
            raise LockedError(f"{path}: locked by another process; waited {lock_timeout_seconds:g} s")
        time.sleep(_RETRY_SECONDS)


def _locked(descriptor: int, *, is_shared: bool) -> bool:
    try:
        import fcntl
    except ImportError:
        return True
    if not hasattr(fcntl, "F_OFD_SETLK"):
        return True
    kind = fcntl.F_RDLCK if is_shared else fcntl.F_WRLCK
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, struct.pack("hhqqi", kind, os.SEEK_SET, 0, 0, 0))
    except OSError:
        return False
    return True
