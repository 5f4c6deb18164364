"""Incremental reading of a server's list of threads. No I/O of its own, no clock."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import NamedTuple

from runmart.ingest.pull.errors import CursorError
from runmart.ingest.pull.ground import OVERLAP_SECONDS, Known, KnownThreads
from runmart.ingest.pull.pagination import GetPage, ListReader, Manners, Paging
from runmart.ingest.pull.responses import Item
from runmart.ingest.pull.thread_state import COMPLETE, PARTIAL


class ListState(NamedTuple):
    """How far a list of threads was read."""

    state: str | None = None
    """None before the first page."""
    after: str | None = None
    """Threads behind this one are not read yet; of a complete list, where the next pull begins; None for the front."""


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
    known: Known
    """Returns those of some threads that were listed or read before."""
    before: ListState
    """The stored state; empty where the whole list is to be read."""

    async def parts(self) -> AsyncIterator[Listed]:
        """The parts of the list that may hold new threads, and the state at the end of it.

        Raises:
            ThreadError: The list cannot be read to its end.
            MalformedError: A response is not of the expected form.
        """
        paging: Paging = self.manners.ways[0]
        start, is_read = self.before.after, self.before.state is not None
        if paging == "oldest first":
            read = self._read(start, paging)
        else:
            if is_read and (self.before.state == COMPLETE or start is not None):
                async for part in self._read(None, paging, KnownThreads(self.known)):
                    yield part
            if self.before.state == COMPLETE:
                yield Listed([], ListState(COMPLETE, self._next_start))
                return
            read = self._read(start, paging)
        try:
            async for part in read:
                yield part
        except CursorError:  # the thread at the cursor was deleted
            async for part in self._read(None, paging):
                yield part
        yield Listed([], ListState(COMPLETE, self._next_start))

    _next_start: str | None = None

    async def _read(
        self, cursor: str | None, paging: Paging, ground: KnownThreads | None = None
    ) -> AsyncIterator[Listed]:
        reader = ListReader(self.get, self.manners, ground, paging)
        items: list[Item] = []
        self._next_start = cursor if paging == "oldest first" else None
        async for page in reader.pages(cursor):
            items += page.items
            ids = [item.id for item in page.items]
            yield Listed(ids, ListState(PARTIAL, reader.cursor), page.size - len(ids))
        self._next_start = _next_start(items, self._next_start) if reader.paging == "oldest first" else None


def _next_start(items: list[Item], start: str | None) -> str | None:
    """Where the next pull begins in a list that comes oldest first: before its end, as clocks may differ."""
    created = [(item.created, item.id) for item in items if item.created is not None]
    if not created:
        return start
    newest = max(created)[0]
    old = [one for one in created if one[0] < newest - OVERLAP_SECONDS]
    return max(old)[1] if old else start
