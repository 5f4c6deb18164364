"""Compact: rewrite a warehouse's file without the space that deleted rows have left."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from runmart.ingest.errors import WarehouseError
from runmart.ingest.warehouse.connection import STORAGE_VERSION
from runmart.ingest.warehouse.file_lock import no_writers

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MEMORY = "512MB"

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
    """Write all that a warehouse holds to a new file, without its free space; nobody may write to it meanwhile.

    Raises:
        WarehouseError: It could not be copied.
    """
    import duckdb

    copy.unlink(missing_ok=True)
    try:
        with duckdb.connect(config={"memory_limit": _MEMORY, "temp_directory": f"{copy}.tmp"}) as connection:
            connection.execute(f"attach {_quoted(path)} as old (read_only)")
            copy_to(connection, "old", copy)
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise WarehouseError(
            f"{path}: it could not be rewritten to a smaller file, and stays as it is: {reason}"
        ) from None


def copy_to(connection: "DuckDBPyConnection", database: str, copy: Path) -> None:
    """Write all that a database which is attached holds to a new file.

    Raises:
        duckdb.Error: It could not be written.
    """
    connection.execute(f"attach {_quoted(copy)} as compacted (storage_version '{STORAGE_VERSION}')")
    connection.execute(f"copy from database {database} to compacted")
    connection.execute("detach compacted")


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def sync(path: Path) -> None:
    """Have a file, or what a folder lists, on the disk before anything that follows."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
