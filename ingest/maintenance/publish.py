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
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, NamedTuple

import duckdb

from runmart.ingest.errors import LockedError, WarehouseError
from runmart.ingest.warehouse.backend import Backend, CopyMethod, Snapshot
from runmart.ingest.warehouse.file_backend import FileWriter, versions_folder
from runmart.ingest.warehouse.file_copy import sync
from runmart.ingest.warehouse.file_lock import wait_for
from runmart.ingest.warehouse.location import Location, parse_location
from runmart.ingest.warehouse.writer import Writer

Finish = Callable[[Writer], None]
"""Called with a new copy that lacks comments; installs the views."""

GRACE_SECONDS = 10.0
"""How long an old version stays at least: a reader may have followed the link, and be about to open it."""

_READ_ONLY = 0o444
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Published(NamedTuple):
    """What was published."""

    path: Path
    version: Path
    bytes: int
    how: CopyMethod | Literal["unchanged"]
    seconds: float


def publish(
    warehouse: Location, path: Path, lock_timeout_seconds: float, finish: Finish = lambda _writer: None
) -> Published:
    """Let `path` be a copy of the warehouse as it is now, which nobody in this process has open.

    The version before stays for a while, unless something was pruned since.

    Args:
        warehouse: The warehouse.
        path: The name for readers.
        lock_timeout_seconds: How long to wait while another process writes.
        finish: Installs the views in a copy of a warehouse whose backend keeps fewer comments than a DuckDB file.

    Raises:
        LockedError: Another process writes to the warehouse, or publishes it, for too long.
        WarehouseError: It could not be published; the version before stays.
    """
    started = time.monotonic()
    backend = parse_location(warehouse)
    check_name(backend, path)
    versions = versions_folder(path)
    try:
        versions.mkdir(exist_ok=True)
        with _publish_lock(versions, lock_timeout_seconds):
            version, how = _new_version(backend, versions, lock_timeout_seconds, finish)
            _switch(path, version)
            _remove_old(versions, version)
    except (OSError, WarehouseError) as error:
        kind = LockedError if isinstance(error, LockedError) else WarehouseError
        raise kind(
            f"{path}: what was written to the warehouse is committed, but could not be published; {_reason(error)}. "
            "The next command that writes publishes it, too"
        ) from None
    return Published(path, version, version.stat().st_size, how, time.monotonic() - started)


def check_name(backend: Backend, path: Path) -> None:
    """Refuse a name that is in use for something else.

    Raises:
        WarehouseError: It is, or its folder is not there.
    """
    if not path.parent.is_dir():
        raise WarehouseError(f"{path}: the folder {path.parent} does not exist; create it first")
    if backend.file is not None and path.resolve() == backend.file.resolve():
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
def _publish_lock(versions: Path, lock_timeout_seconds: float) -> Generator[None]:
    """Only one process publishes under a name while this lasts."""
    with (versions / "lock").open("ab") as file:
        wait_for(versions, file.fileno(), lock_timeout_seconds, is_shared=False)
        yield


def _new_version(
    backend: Backend, versions: Path, lock_timeout_seconds: float, finish: Finish
) -> tuple[Path, CopyMethod | Literal["unchanged"]]:
    """The version of the warehouse's state, made unless it exists, and how it was made."""
    _remove_partial(versions)
    with backend.snapshot(lock_timeout_seconds) as snapshot:
        version = versions / f"{snapshot.name}-{snapshot.prunes}.duckdb"
        if version.exists():
            return version, "unchanged"
        with _made(version) as partial:
            return version, _copy(snapshot, partial, finish)


def _copy(snapshot: Snapshot, partial: Path, finish: Finish) -> CopyMethod:
    how = snapshot.copy_to(partial)
    if not snapshot.has_column_comments:
        with duckdb.connect(partial) as copied:
            finish(FileWriter(copied))
    return how


@contextmanager
def _made(version: Path) -> Generator[Path]:
    """A file that becomes a version once it is complete."""
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
