"""Copies of DuckDB files: whole ones, and rewritten ones without the space that deleted rows have left."""

import errno
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from runmart.ingest.errors import WarehouseError
from runmart.ingest.sql_text import quoted
from runmart.ingest.warehouse.file_lock import no_writers

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STORAGE_VERSION = "v1.4.0"
"""The storage version of new files, which every DuckDB shell since 1.4 opens."""

_MEMORY = "512MB"

_HELD_SECONDS = 0.2
"""How long the old file stays locked after it was replaced: whoever opened it just before is refused, and retries."""

_FICLONE = 0x40049409
_CHUNK_BYTES = 1 << 30
_BUFFER_BYTES = 1 << 20


def compact(path: Path, lock_timeout_seconds: float) -> None:
    """Replace a warehouse, which nobody in this process has open, by a copy without its free space.

    Comments and the user's own tables and views are copied. Readers that have the old file open go on with that.

    Raises:
        LockedError: Another process writes to it for too long.
        WarehouseError: It could not be copied; the warehouse stays as it was.
    """
    path = path.resolve()
    copy = path.with_name(f".{path.name}.compact")
    with no_writers(path, lock_timeout_seconds):
        if path.with_name(f"{path.name}.wal").exists():  # it would meet the new file, which it is not for
            raise WarehouseError(f"{path}: a write to it was cut short; run this again for a smaller file")
        try:
            rewrite(path, copy)
            copy.chmod(path.stat().st_mode & 0o7777)
            sync(copy)
            copy.replace(path)
            sync(path.parent)
            time.sleep(_HELD_SECONDS)
        finally:
            for left in (copy, copy.with_name(f"{copy.name}.wal")):
                left.unlink(missing_ok=True)


def rewrite(path: Path, copy: Path) -> None:
    """Copy a warehouse to a new file, without its free space; nobody may write to it meanwhile.

    Raises:
        WarehouseError: It could not be copied.
    """
    import duckdb

    copy.unlink(missing_ok=True)
    try:
        with duckdb.connect(config={"memory_limit": _MEMORY, "temp_directory": f"{copy}.tmp"}) as connection:
            connection.execute(f"attach {quoted(path)} as old (read_only)")
            copy_database(connection, "old", copy)
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise WarehouseError(
            f"{path}: it could not be rewritten to a smaller file, and stays as it is: {reason}"
        ) from None


def copy_database(connection: "DuckDBPyConnection", database: str, copy: Path) -> None:
    """Copy an attached database to a new file.

    Raises:
        duckdb.Error: It could not be written.
    """
    connection.execute(f"attach {quoted(copy)} as compacted (storage_version '{STORAGE_VERSION}')")
    connection.execute(f"copy from database {database} to compacted")
    connection.execute("detach compacted")


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def clone_or_copy(path: Path, copy: Path) -> Literal["cloned", "copied"]:
    """Copy a file to a new one, which shares its blocks where the file system can do that.

    Raises:
        OSError: The disk is full, or fails.
    """
    with path.open("rb") as source, copy.open("wb") as target:
        if _cloned(source, target):
            return "cloned"
        size = os.fstat(source.fileno()).st_size
        require_space(copy.parent, size)
        _copied(source, target, size)
    return "copied"


def require_space(folder: Path, size: int) -> None:
    """Check that a number of bytes fits into a folder.

    Raises:
        OSError: They do not.
    """
    if (free := shutil.disk_usage(folder).free) < size:
        raise OSError(errno.ENOSPC, f"it takes {size:,} bytes, and {free:,} are free")


def _cloned(source: IO[bytes], target: IO[bytes]) -> bool:
    """Let both files share their blocks, where the file system can; returns whether it can."""
    try:
        import fcntl

        fcntl.ioctl(target.fileno(), _FICLONE, source.fileno())
    except (ImportError, OSError):
        return False
    return True


def _copied(source: IO[bytes], target: IO[bytes], size: int) -> None:
    """Copy within the kernel, where that can do it."""
    done = 0
    with suppress(AttributeError, OSError):
        while count := os.copy_file_range(source.fileno(), target.fileno(), _CHUNK_BYTES):
            done += count
    if done < size:
        source.seek(done)
        target.seek(done)
        shutil.copyfileobj(source, target, _BUFFER_BYTES)
