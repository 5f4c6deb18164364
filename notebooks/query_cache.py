"""Cached reads: figures are read once per version of the warehouse, which is open only while they are read.

A reader that keeps a DuckDB file open blocks loads into it, and a load blocks readers. A published snapshot has no such
conflict; the same code reads both.
"""

import time
from collections.abc import Callable
from threading import Lock
from typing import Any

from runmart.ingest.warehouse.location import Location
from runmart.notebooks import figures
from runmart.queries import Selection, Warehouse, connect
from runmart.queries.attach import Version, version_of

_RETRY_SECONDS = 0.2
_TIMEOUT_SECONDS = 10.0

_CACHE_SIZE = 50
"""Entries; the oldest is evicted first."""

_cache: dict[tuple[Version | None, str, Selection], Any] = {}
_lock = Lock()


def version(path: Location) -> Version | None:
    """The version of the warehouse, which changes with its content; None when there is no warehouse."""
    return version_of(path)


def read(path: Location, name: str, selection: Selection) -> Any:
    """The result of the function `name` of `figures` for a selection.

    Raises:
        FileNotFoundError: There is no such warehouse.
        BlockingIOError: Another process still writes to the warehouse after ten seconds.
        ValueError: The file is no warehouse, or is damaged.
    """
    query: Callable[[Warehouse, Selection], Any] = getattr(figures, name)
    if name in figures.OF_THE_MOMENT:
        return _query(path, query, selection)
    key = version(path), name, selection
    with _lock:
        if key in _cache:
            return _cache[key]
    found = _query(path, query, selection)
    with _lock:
        while len(_cache) >= _CACHE_SIZE:
            del _cache[next(iter(_cache))]
        _cache[key] = found
    return found


def _query(path: Location, query: Callable[[Warehouse, Selection], Any], selection: Selection) -> Any:
    """The result of a query, as soon as no other process writes to the warehouse; see `read`."""
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while True:
        try:
            warehouse = connect(path)
            break
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_RETRY_SECONDS)
    with warehouse:
        return query(warehouse, selection)
