"""Known ground: where in a list everything that follows is stored, or not wanted. No I/O, no clock."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from runmart.ingest.pull.responses import Item

OVERLAP_SECONDS = 600.0
"""How far lists are read beyond the watermark: the clocks of a server's machines may differ."""

Stored = Callable[[Sequence[str]], Awaitable[Collection[str]]]
"""Returns those of some ids that are stored."""


class Ground(Protocol):
    """Tells where a list that comes newest first can be left."""

    async def is_reached(self, items: Sequence[Item], *, is_last: bool) -> bool:
        """Whether nothing new follows the next items of the list, of which each is asked about once.

        Args:
            items: Items of a page, newest first.
            is_last: Whether the server says that no more follow, on a page with room for more.
        """
        ...


class NoGround:
    """Nothing is stored: a list is read to its end."""

    async def is_reached(self, items: Sequence[Item], *, is_last: bool) -> bool:  # noqa: ARG002 - the protocol's
        """Never."""
        return False


@dataclass(frozen=True, slots=True)
class StoredRuns:
    """The runs of a thread that was read to its end before, down from a watermark."""

    stored: Stored
    until: float | None
    """The watermark, which lies in no future: seconds since 1970; None where nothing was read to its end."""
    since: float | None = None
    """Runs created before are not wanted; seconds since 1970."""
    pruned: float | None = None
    """Runs created before were pruned; seconds since 1970."""

    async def is_reached(self, items: Sequence[Item], *, is_last: bool) -> bool:
        """Whether a stored run is among the items that is older than the watermark by the overlap.

        A watermark alone is no proof: it may come from a clock that is ahead of those of later runs.
        """
        oldest = items[-1].created if items else None
        if self.since is not None and oldest is not None and oldest < self.since:
            return True
        if self.until is None:
            return False
        limit = None if is_last else self.until - OVERLAP_SECONDS
        old = [item for item in items if limit is None or (item.created is not None and item.created < limit)]
        if not old:
            return False
        return self._are_pruned(old) or bool(await self.stored([item.id for item in old]))

    def _are_pruned(self, items: Sequence[Item]) -> bool:
        limit = self.pruned
        return limit is not None and any(item.created is not None and item.created < limit for item in items)


@dataclass(frozen=True, slots=True)
class KnownThreads:
    """The threads of a server whose list was read to its end before."""

    stored: Stored

    async def is_reached(self, items: Sequence[Item], *, is_last: bool) -> bool:  # noqa: ARG002 - the protocol's
        """Whether a whole page of threads is known."""
        ids = [item.id for item in items]
        return bool(ids) and not set(ids).difference(await self.stored(ids))
