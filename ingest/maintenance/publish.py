"""Publish: read-only snapshots of a warehouse behind a stable symlink.

The symlink points to the current version, a read-only file of its own: `runs.duckdb` to
`.runs.duckdb.versions/<state>-<prunes>.duckdb`. It is switched to a new version atomically; readers of the old version
keep reading it. DuckDB writes its log beside the target of the symlink, so that the log of an old version, which root
can write to, is never applied to a new one.
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
"""Called with a writer of a new copy that lacks column comments; the commands install the views here."""

GRACE_SECONDS = 10.0
"""Minimum age of a replaced version before it is removed: a reader may have resolved the symlink, and open it next."""

_READ_ONLY = 0o444
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Published(NamedTuple):
    """Result of publishing."""

    path: Path
    version: Path
    bytes: int
    how: CopyMethod | Literal["unchanged"]
    seconds: float


def publish(
    warehouse: Location,
    path: Path,
    lock_timeout_seconds: float,
    finish: Finish = lambda _writer: None,
    fresh_seconds: float = 0.0,
) -> Published:
    """Publish the current state of a warehouse, which must not be open in this process.

    The previous version stays for one more publish, unless runs were pruned since.

    Args:
        warehouse: The warehouse.
        path: The symlink that readers open.
        lock_timeout_seconds: How long to wait for other processes that write or publish.
        finish: Installs the views in a copy of a warehouse whose backend keeps fewer comments than a DuckDB file.
        fresh_seconds: A published version stays that is younger than this, unless runs were pruned since.

    Raises:
        LockedError: Another process writes to the warehouse, or publishes it, for longer than the timeout.
        WarehouseError: It could not be published; the previous version stays published.
    """
    started = time.monotonic()
    backend = parse_location(warehouse)
    check_publish_path(backend, path)
    versions = versions_folder(path)
    try:
        versions.mkdir(exist_ok=True)
        with _publish_lock(versions, lock_timeout_seconds):
            fresh = _fresh(path, fresh_seconds)
            version, how = _new_version(backend, versions, lock_timeout_seconds, finish, fresh)
            _switch(path, version)
            _remove_old(versions, version)
    except (OSError, WarehouseError) as error:
        kind = LockedError if isinstance(error, LockedError) else WarehouseError
        raise kind(
            f"{path}: what was written to the warehouse is committed, but could not be published; {_reason(error)}. "
            "The next command that writes publishes it, too"
        ) from None
    return Published(path, version, version.stat().st_size, how, time.monotonic() - started)


def check_publish_path(backend: Backend, path: Path) -> None:
    """Check that `path` is free or a symlink of an earlier publish.

    Raises:
        WarehouseError: It is something else, or its folder does not exist.
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
    """Hold the exclusive lock of publishing to one path."""
    with (versions / "lock").open("ab") as file:
        wait_for(versions, file.fileno(), lock_timeout_seconds, is_shared=False)
        yield


def _fresh(path: Path, seconds: float) -> Path | None:
    """The published version, where it is younger than this."""
    version = path.parent / path.readlink() if path.is_symlink() else None
    if version is None or not version.exists() or time.time() - version.stat().st_mtime >= seconds:
        return None
    return version


def _new_version(
    backend: Backend, versions: Path, lock_timeout_seconds: float, finish: Finish, fresh: Path | None
) -> tuple[Path, CopyMethod | Literal["unchanged"]]:
    """The version of the warehouse's current state, created unless it exists, and how it was created."""
    _remove_partial(versions)
    with backend.snapshot(lock_timeout_seconds) as snapshot:
        version = versions / f"{snapshot.name}-{snapshot.prunes}.duckdb"
        if fresh is not None and _prunes(fresh) == str(snapshot.prunes):
            return fresh, "unchanged"
        if version.exists():
            return version, "unchanged"
        with _partial(version) as partial:
            return version, _copy(snapshot, partial, finish)


def _copy(snapshot: Snapshot, partial: Path, finish: Finish) -> CopyMethod:
    how = snapshot.copy_to(partial)
    if not snapshot.has_column_comments:
        with duckdb.connect(partial) as copied:
            finish(FileWriter(copied))
    return how


@contextmanager
def _partial(version: Path) -> Generator[Path]:
    """A path to write to; the file becomes the version when the block ends without an error."""
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
    """Point the symlink to a version atomically, and set the time of the replaced version to now, for `_remove_old`."""
    target = Path(version.parent.name) / version.name
    replaced = path.readlink() if path.is_symlink() else None
    if replaced == target:
        return
    link = version.parent / "link.partial"
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    link.replace(path)
    sync(path.parent)
    if replaced is not None:
        with suppress(OSError):
            os.utime(path.parent / replaced)


def _remove_old(versions: Path, current: Path) -> None:
    """Remove all versions except the current, the previous, and those replaced within GRACE_SECONDS.

    Versions from before a prune are removed at once, since they hold pruned data. They are recognised by the number of
    prunes in their names, so that they are removed even if the prune itself did not publish.
    """
    others = sorted(
        (file for file in versions.glob("*.duckdb") if file != current), key=lambda file: file.stat().st_mtime_ns
    )
    stays_from = time.time() - GRACE_SECONDS
    for file in others:
        is_expired = file != others[-1] and file.stat().st_mtime < stays_from
        if is_expired or _prunes(file) != _prunes(current):
            _remove(file)
            _remove(file.with_name(f"{file.name}.wal"))


def _prunes(version: Path) -> str:
    """The number of prunes before a version, from its file name."""
    return version.stem.rpartition("-")[2]


def _remove_partial(versions: Path) -> None:
    """Remove unfinished copies, with their logs and DuckDB's spill folders."""
    for left in versions.glob("*.partial*"):
        _remove(left)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)  # the spill folder of a process that was killed
    else:
        path.unlink(missing_ok=True)
