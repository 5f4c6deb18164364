"""Incremental reading of a server's list of threads. No I/O of its own, no clock."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import NamedTuple

from runmart.ingest.pull.errors import CursorError
from runmart.ingest.pull.ground import KnownThreads, Watermark
from runmart.ingest.pull.pagination import GetPage, ListReader, Manners, Paging
from runmart.ingest.pull.responses import Item
from runmart.ingest.pull.thread_state import COMPLETE, PARTIAL

_FRONT = 50
"""Number of threads that are remembered: some of them may be deleted."""


class ListState(NamedTuple):
    """How far a list of threads was read."""

    state: str | None = None
    """None before the first page."""
    after: str | None = None
    """Threads behind this one are not read yet; of a complete list, where the next pull begins; None for the front."""
    front: tuple[str, ...] = ()
    """Threads near the front, behind which no later one is put: what follows them was read, down to `after`."""


class Listed(NamedTuple):
    """A part of the list, and its state once these threads are stored."""

    ids: list[str]
    state: ListState
    nameless: int = 0
    """Items without an id."""


@dataclass
class Listing:
    """One reading of a server's list of threads."""

    get: GetPage
    manners: Manners
    before: ListState
    """The stored state; empty where the whole list is to be read."""
    _next_start: str | None = None
    _front: list[str] = field(default_factory=list[str])

    async def parts(self) -> AsyncIterator[Listed]:
        """The parts of the list that may hold new threads, and the state at the end of it.

        Raises:
            ThreadError: The list cannot be read to its end.
            MalformedError: A response is not of the expected form.
        """
        paging, before = self.manners.ways[0], self.before
        start = before.after
        if paging != "oldest first" and (before.state == COMPLETE or start is not None):
            async for part in self._read(None, paging, KnownThreads(frozenset(before.front))):
                yield part
            self._front = list(dict.fromkeys([*self._front, *before.front]))[:_FRONT]
        if paging == "oldest first" or before.state != COMPLETE:
            try:
                async for part in self._read(start, paging):
                    yield part
            except CursorError:  # the thread at the cursor was deleted
                async for part in self._read(None, paging):
                    yield part
        yield Listed([], ListState(COMPLETE, self._next_start, tuple(self._front)))

    async def _read(
        self, cursor: str | None, paging: Paging, ground: KnownThreads | None = None
    ) -> AsyncIterator[Listed]:
        reader = ListReader(self.get, self.manners, ground, paging)
        items, newest = list[Item](), Watermark()
        front = [] if cursor is None else self._front
        async for page in reader.pages(cursor):
            newest.note(page)
            items += page.items
            if cursor is None:
                front = newest.settled(items)[:_FRONT] if reader.is_descending else []
            ids = [item.id for item in page.items]
            after = None
            if reader.paging == paging and reader.is_descending:
                after = reader.cursor
            elif self.manners.paging == "oldest first" and reader.is_ascending:
                after = _last_settled(items, newest) or cursor
            yield Listed(ids, ListState(PARTIAL, after, tuple(front)), page.size - len(ids))
        self._front = front
        self._next_start = None
        if reader.paging == "oldest first":
            self._next_start = (_last_settled(items, newest) or cursor) if reader.is_ascending else None


def _last_settled(items: list[Item], newest: Watermark) -> str | None:
    """Where the next pull begins in a list that comes oldest first: before its end, as clocks may differ."""
    settled = set(newest.settled(items))
    return max(((item.created or 0.0, item.id) for item in items if item.id in settled), default=(0.0, None))[1]
