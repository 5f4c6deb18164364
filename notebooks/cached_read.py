"""Reading: what dashboards show of a warehouse, which is open for as long as that takes, and no longer.

Whoever has a warehouse's own file open keeps loads out of it, and the other way round. A published copy has no such
trouble; the same code reads both. What was read is remembered for as long as the file is the same.
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
_PATIENCE_SECONDS = 10.0

_MOST_REMEMBERED = 50
"""Of what was read; the oldest goes first."""

_memory: dict[tuple[Version | None, str, Selection], Any] = {}
_lock = Lock()


def version(path: Location) -> Version | None:
    """Changes when another state of the warehouse is there to be read."""
    return version_of(path)


def read(path: Location, name: str, selection: Selection) -> Any:
    """What the function `name` of `figures` tells of a selection.

    Raises:
        FileNotFoundError: There is no such warehouse.
        BlockingIOError: Another process still writes to it after ten seconds.
        ValueError: It is none, or a damaged one.
    """
    ask: Callable[[Warehouse, Selection], Any] = getattr(figures, name)
    if name in figures.OF_THE_MOMENT:
        return ask_once(path, ask, selection)
    key = version(path), name, selection
    with _lock:
        if key in _memory:
            return _memory[key]
    found = ask_once(path, ask, selection)
    with _lock:
        while len(_memory) >= _MOST_REMEMBERED:
            del _memory[next(iter(_memory))]
        _memory[key] = found
    return found


def ask_once(path: Location, ask: Callable[[Warehouse, Selection], Any], selection: Selection) -> Any:
    """Ask a warehouse, once nobody writes to it; see `read`."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            warehouse = connect(path)
            break
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_RETRY_SECONDS)
    with warehouse:
        return ask(warehouse, selection)
