"""Publish: a copy of a warehouse for those who read, under a name that never changes.

The name is a link to a version, a file of its own that nobody writes to: `runs.duckdb` to
`.runs.duckdb.versions/<state>-<prunes>.duckdb`. A new version takes the place of the old one at once; who reads the old
one goes on with it. DuckDB puts its log beside the file that the link leads to, so that what somebody wrote to an old
version never meets a new one.
"""

import errno
import os
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, NamedTuple

from runmart.ingest.errors import LockedError, WarehouseError
from runmart.ingest.maintenance.compact import copy_to, rewrite, sync
from runmart.ingest.warehouse.connection import open_for_reading, open_for_writing, versions_folder
from runmart.ingest.warehouse.ducklake import NAME, snapshot
from runmart.ingest.warehouse.file_lock import no_writers, wait_for
from runmart.ingest.warehouse.info import size
from runmart.ingest.warehouse.location import DuckLake, Location

if TYPE_CHECKING:
    from collections.abc import Callable

    from duckdb import DuckDBPyConnection

How = Literal["cloned", "copied", "rewritten", "unchanged"]

FREE_SHARE, FREE_BYTES = 0.25, 64 << 20
"""A warehouse of which as much is free space is written anew: the copy is as small as it can be, but takes longer."""

GRACE_SECONDS = 10.0
"""An old version stays at least so long: somebody may have followed the link, and be about to open it."""

_READ_ONLY = 0o444
_FICLONE = 0x40049409
_CHUNK_BYTES = 1 << 30
_BUFFER_BYTES = 1 << 20
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _Seen(NamedTuple):
    """What was seen in a warehouse before it is copied."""

    is_hollow: bool
    """Whether much of the file holds nothing any more."""
    used_bytes: int
    prunes: int


class Published(NamedTuple):
    """What was published."""

    path: Path
    version: Path
    bytes: int
    how: How
    seconds: float


def publish(
    warehouse: Location,
    path: Path,
    lock_timeout_seconds: float,
    finish: "Callable[[DuckDBPyConnection], None]" = lambda _connection: None,
) -> Published:
    """Let `path` be a copy of the warehouse as it is now, which nobody in this process has open.

    The version before stays for a while, unless something was pruned since.

    Args:
        warehouse: The warehouse.
        path: The name for readers.
        lock_timeout_seconds: How long to wait while another process writes.
        finish: Installs the views in what was copied out of a lake, which has less to tell of them than a file.

    Raises:
        LockedError: Another process writes to the warehouse, or publishes it, for too long.
        WarehouseError: It could not be published; the version before stays.
    """
    started = time.monotonic()
    warehouse = warehouse if isinstance(warehouse, DuckLake) else warehouse.resolve()
    check_name(warehouse, path)
    versions = versions_folder(path)
    try:
        versions.mkdir(exist_ok=True)
        with _turn(versions, lock_timeout_seconds):
            if isinstance(warehouse, DuckLake):
                version, how = _version_of_lake(warehouse, versions, finish)
            else:
                _write_log_away(warehouse, lock_timeout_seconds)
                with no_writers(warehouse, lock_timeout_seconds):
                    version, how = _version(warehouse, versions)
            _switch(path, version)
            _remove_old(versions, version)
    except (OSError, WarehouseError) as error:
        kind = LockedError if isinstance(error, LockedError) else WarehouseError
        raise kind(
            f"{path}: what was written to the warehouse is committed, but could not be published; {_reason(error)}. "
            "The next command that writes publishes it, too"
        ) from None
    return Published(path, version, version.stat().st_size, how, time.monotonic() - started)


def check_name(warehouse: Location, path: Path) -> None:
    """Refuse a name that is in use for something else.

    Raises:
        WarehouseError: It is, or its folder is not there.
    """
    if not path.parent.is_dir():
        raise WarehouseError(f"{path}: the folder {path.parent} does not exist; create it first")
    if isinstance(warehouse, Path) and path.resolve() == warehouse.resolve():
        raise WarehouseError(f"{path}: this is the warehouse itself; publish it under another name")
    is_ours = path.is_symlink() and path.readlink().parent == Path(versions_folder(path).name)
    if (path.exists() or path.is_symlink()) and not is_ours:
        raise WarehouseError(f"{path}: there is something that was not published; remove it, or choose another name")


def _reason(error: OSError | WarehouseError) -> str:
    if isinstance(error, WarehouseError):
        return str(error)
    full = "there is no room for it: " if error.errno in _NO_SPACE else ""
    return f"{full}{error.strerror or error}"


@contextmanager
def _turn(versions: Path, lock_timeout_seconds: float) -> Generator[None]:
    """One publishes at a time."""
    with (versions / "lock").open("ab") as file:
        wait_for(versions, file.fileno(), lock_timeout_seconds, is_shared=False)
        yield


def _write_log_away(warehouse: Path, lock_timeout_seconds: float) -> None:
    """Bring what a killed process has left in the log into the file, which alone is copied."""
    if warehouse.with_name(f"{warehouse.name}.wal").exists():
        with open_for_writing(warehouse, lock_timeout_seconds):
            pass


def _version(warehouse: Path, versions: Path) -> tuple[Path, How]:
    """The version of the warehouse's state, made unless it is there."""
    _remove_partial(versions)
    if warehouse.with_name(f"{warehouse.name}.wal").exists():
        raise LockedError(f"{warehouse}: somebody has just written to it; publish it again")
    state, seen = warehouse.stat(), _seen(warehouse)
    version = versions / f"{state.st_mtime_ns:x}-{state.st_size:x}-{seen.prunes}.duckdb"
    if version.exists():
        return version, "unchanged"
    with _made(version) as partial:
        how = _copy(warehouse, partial, seen)
    return version, how


def _version_of_lake(
    lake: DuckLake, versions: Path, finish: "Callable[[DuckDBPyConnection], None]"
) -> tuple[Path, How]:
    """The version of a lake's newest snapshot, made unless it is there; who writes need not wait."""
    import duckdb

    _remove_partial(versions)
    with open_for_reading(lake, 0) as connection:
        [(made, prunes)] = connection.execute("""
            select (select epoch_us(min(applied_at)) from runmart.schema_version), (select count(*) from runmart.prunes)
            """).fetchall()
        version = versions / f"{made:x}-{snapshot(connection):x}-{prunes}.duckdb"
        if version.exists():
            return version, "unchanged"
        with _made(version) as partial:
            _require_room(versions, size(connection))
            copy_to(connection, NAME, partial)
            with duckdb.connect(partial) as copied:
                finish(copied)
    return version, "rewritten"


@contextmanager
def _made(version: Path) -> Generator[Path]:
    """A file that becomes a version once it is whole."""
    partial = version.with_name(f"{version.name}.partial")
    try:
        yield partial
        partial.chmod(_READ_ONLY)
        sync(partial)
        partial.replace(version)
        sync(version.parent)
    except BaseException:
        _remove_partial(version.parent)
        raise


def _copy(warehouse: Path, partial: Path, seen: _Seen) -> How:
    if seen.is_hollow:
        _require_room(partial.parent, seen.used_bytes)
        rewrite(warehouse, partial)
        return "rewritten"
    with warehouse.open("rb") as source, partial.open("wb") as target:
        if _cloned(source, target):
            return "cloned"
        size = os.fstat(source.fileno()).st_size
        _require_room(partial.parent, size)
        _copied(source, target, size)
    return "copied"


def _require_room(folder: Path, size: int) -> None:
    if (free := shutil.disk_usage(folder).free) < size:
        raise OSError(errno.ENOSPC, f"it takes {size:,} bytes, and {free:,} are free")


def _seen(warehouse: Path) -> _Seen:
    import duckdb

    try:
        with duckdb.connect(warehouse, read_only=True) as connection:
            [(free, total, size, prunes)] = connection.execute("""
                select free_blocks, total_blocks, block_size, (select count(*) from runmart.prunes)
                from pragma_database_size()""").fetchall()
    except duckdb.Error as error:
        raise WarehouseError(f"{warehouse}: {str(error).splitlines()[0]}") from None
    is_hollow = free >= total * FREE_SHARE and free * size >= FREE_BYTES
    return _Seen(is_hollow, (total - free) * size, prunes)


def _cloned(source: IO[bytes], target: IO[bytes]) -> bool:
    """Have both files share their blocks, where the file system can."""
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


def _switch(path: Path, version: Path) -> None:
    """Let the name lead to a version, in one step; the version that it led to is dated, see `_remove_old`."""
    target = Path(version.parent.name) / version.name
    old = path.readlink() if path.is_symlink() else None
    if old == target:
        return
    link = version.parent / "link.partial"
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    link.replace(path)
    sync(path.parent)
    if old is not None:
        with suppress(OSError):
            os.utime(path.parent / old)


def _remove_old(versions: Path, current: Path) -> None:
    """Remove versions but the current one, the one before, and those that were current a moment ago.

    Those of before a prune go at once, since what was pruned must be gone: their names tell, so that they also go when
    the prune itself could not publish, or was not asked to.
    """
    others = sorted(
        (file for file in versions.glob("*.duckdb") if file != current), key=lambda file: file.stat().st_mtime_ns
    )
    stays_from = time.time() - GRACE_SECONDS
    for file in others:
        is_late = file != others[-1] and file.stat().st_mtime < stays_from
        if is_late or _prunes(file) != _prunes(current):
            _remove(file)
            _remove(file.with_name(f"{file.name}.wal"))


def _prunes(version: Path) -> str:
    """How many prunes there were before a version, as its name tells."""
    return version.stem.rpartition("-")[2]


def _remove_partial(versions: Path) -> None:
    """Remove what was begun: the copy, its log, and what DuckDB spilt."""
    for left in versions.glob("*.partial*"):
        _remove(left)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)  # what DuckDB spilt while it was killed
    else:
        path.unlink(missing_ok=True)
