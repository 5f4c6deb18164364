"""Discovery of inputs: files, folders, globs, URLs and standard input, as named on the command line.

Folders are listed lazily, so that a million files are never in memory at once.
"""

import glob
import io
import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

from runmart.ingest.errors import InputError, SourceError
from runmart.ingest.sources.input import Input

STANDARD_INPUT = "-"
STANDARD_INPUTS = (STANDARD_INPUT, "/dev/stdin")


def inputs(sources: Iterable[str]) -> Iterator[Input]:
    """The inputs that `sources` name, in a fixed order: files, folders (recursive), globs, `-`, URLs.

    Raises:
        SourceError: A source names nothing; all local sources are checked before the first input is returned.
    """
    sources = list(sources)
    for source in sources:
        if _is_local(source) and not os.path.exists(source) and not _matches(source):  # noqa: PTH110 - never raises
            raise SourceError(f"{source}: no such file or folder, and no file matches it; check the path")
    for source in sources:
        if source in STANDARD_INPUTS:
            yield _standard_input()
        elif _is_local(source):
            yield from _local(source)
        else:
            from runmart.ingest.sources import remote_files

            yield from remote_files.inputs(source)


_MAX_COUNTED_FILES = 10_000


def estimated_bytes(sources: Iterable[str], since: float, enough: int) -> int:
    """The size in bytes of the files of local `sources` that changed after `since`, in seconds since 1970.

    An estimate: counting ends at `enough` bytes or after `_MAX_COUNTED_FILES` files.
    """
    found = files = 0
    for source in filter(_is_local, sources):
        for item in _local(source):
            files += 1
            found += (item.size or 0) * (max(item.modified_at, item.changed_at) > since * 1_000_000)
            if found >= enough or files >= _MAX_COUNTED_FILES:
                return found
    return found


def reopened(source: str, found: Input) -> Input:
    """An input that can be opened in this process, from one that another process has found with `inputs`."""
    if not _is_local(source):
        from runmart.ingest.sources import remote_files

        return remote_files.reopened(source, found)
    path = found.path

    def open_again() -> BinaryIO:
        if path is None:
            raise InputError("cannot be read")
        return Path(path).open("rb")

    return replace(found, open=open_again)


def _is_local(source: str) -> bool:
    return source not in STANDARD_INPUTS and "://" not in source


def _matches(source: str) -> list[str]:
    return sorted(glob.glob(source, recursive=True)) if glob.has_magic(source) else []  # noqa: PTH207 - absolute ones, too


def _local(source: str) -> Iterator[Input]:
    for path in map(Path, [source] if os.path.exists(source) else _matches(source)):  # noqa: PTH110 - never raises
        try:
            yield from _walk(path) if path.is_dir() else [_file(path, path.stat())]
        except OSError as error:
            yield _unreadable(path, error)


def _walk(folder: Path) -> Iterator[Input]:
    """The files below `folder`, in order of names; hidden files and links to folders are skipped."""
    try:
        with os.scandir(folder) as listing:
            entries = sorted(
                (entry for entry in listing if not entry.name.startswith(".")), key=lambda entry: entry.name
            )
    except OSError as error:
        yield _unreadable(folder, error)
        return
    for entry in entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path))
            elif stat.S_ISREG((status := entry.stat()).st_mode):
                yield _file(Path(entry.path), status)
        except OSError as error:
            yield _unreadable(Path(entry.path), error)


def _file(path: Path, status: os.stat_result) -> Input:
    is_regular = stat.S_ISREG(status.st_mode)
    return Input(
        _address(path),
        status.st_size if is_regular else None,
        status.st_mtime_ns // 1000 if is_regular else time.time_ns() // 1000,
        lambda: path.open("rb"),
        status.st_ctime_ns // 1000,
        str(path) if is_regular else None,
    )


def _address(path: Path) -> str:
    """The absolute path, with symbolic links not resolved, and bytes that are not UTF-8 escaped."""
    return os.fsencode(os.path.abspath(path)).decode(errors="backslashreplace")  # noqa: PTH100 - resolve() follows links


def _unreadable(path: Path, error: OSError) -> Input:
    def fail() -> BinaryIO:
        raise InputError(f"cannot be read: {error.strerror or error}")

    return Input(_address(path), None, time.time_ns() // 1000, fail)


def _standard_input() -> Input:
    """Standard input, with the modification time of the file that it is redirected from, else the current time."""
    status = os.fstat(sys.stdin.fileno())
    is_regular = stat.S_ISREG(status.st_mode)
    return Input(
        STANDARD_INPUT,
        None,
        status.st_mtime_ns // 1000 if is_regular else time.time_ns() // 1000,
        lambda: cast("BinaryIO", io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False))),
    )
