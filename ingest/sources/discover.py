"""Sources: what the command line names becomes inputs, one file or response each. Nothing is opened here.

Folders are walked as they are read, so a million files are never a list in memory.
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
        SourceError: A source names nothing. All local ones are looked at before the first input is given.
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


_MAX_LOOKED_AT = 10_000


def amount(sources: Iterable[str], since: float, enough: int) -> int:
    """About how many bytes the local `sources` hold in files that have changed `since`, in seconds since 1970.

    An estimate: no more is counted than `enough`, and not more than some files are looked at.
    """
    found = looked_at = 0
    for source in filter(_is_local, sources):
        for item in _local(source):
            looked_at += 1
            found += (item.size or 0) * (max(item.modified_at, item.changed_at) > since * 1_000_000)
            if found >= enough or looked_at >= _MAX_LOOKED_AT:
                return found
    return found


def reopened(source: str, found: Input) -> Input:
    """An input that `inputs` found for a source, in another process, where only its address and its path are known."""
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
    """The files below `folder`, by name; hidden ones and links to folders are left out."""
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
    """The absolute path, its links as they are; what is not UTF-8 in it is written with escapes."""
    return os.fsencode(os.path.abspath(path)).decode(errors="backslashreplace")  # noqa: PTH100 - resolve() follows links


def _unreadable(path: Path, error: OSError) -> Input:
    def fail() -> BinaryIO:
        raise InputError(f"cannot be read: {error.strerror or error}")

    return Input(_address(path), None, time.time_ns() // 1000, fail)


def _standard_input() -> Input:
    """Standard input; if it was redirected from a file, it has that file's time."""
    status = os.fstat(sys.stdin.fileno())
    is_regular = stat.S_ISREG(status.st_mode)
    return Input(
        STANDARD_INPUT,
        None,
        status.st_mtime_ns // 1000 if is_regular else time.time_ns() // 1000,
        lambda: cast("BinaryIO", io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False))),
    )
