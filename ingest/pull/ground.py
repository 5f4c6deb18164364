"""Known ground: where in a list everything that follows is stored, or not wanted. No I/O, no clock."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from runmart.ingest.pull.responses import Item

OVERLAP_SECONDS = 600.0
"""How far lists are read beyond the watermark: the clocks of a server's machines may differ."""

Known = Callable[[Sequence[str]], Awaitable[Collection[str]]]
"""Returns those of some thread ids that are known."""

Stored = Callable[[Sequence[str]], Awaitable[Mapping[str, float]]]
"""Returns those of some run ids that are stored, with when each was observed, in seconds since 1970."""


class Ground(Protocol):
    """Tells where a list that comes newest first can be left."""

    async def is_reached(self, items: Sequence[Item], *, is_last: bool, shown: float) -> bool:
        """Whether nothing new follows the next items of the list, of which each is asked about once.

        Args:
            items: Items of a page, newest first.
            is_last: Whether the server says that no more follow, on a page with room for more.
            shown: By how many seconds a list of the server has shown that it comes newest first.
        """
        ...


class NoGround:
    """Nothing is stored: a list is read to its end."""

    async def is_reached(self, items: Sequence[Item], *, is_last: bool, shown: float) -> bool:  # noqa: ARG002 - the protocol's
        """Never."""
        return False


@dataclass(frozen=True, slots=True)
class StoredRuns:
    """The runs of a thread that was read to its end before, down from a watermark. Instants: seconds since 1970."""

    stored: Stored
    until: float | None
    """The watermark, which lies in no future; None where nothing was read to its end."""
    read: float | None
    """When the last of these runs was observed; later ones may come from a pull that was interrupted above others."""
    since: float | None = None
    """Runs created before are not wanted."""
    pruned: float | None = None
    """Runs created before were pruned."""

    async def is_reached(self, items: Sequence[Item], *, is_last: bool, shown: float) -> bool:
        """Whether one of these runs is among the items that is older than the watermark by the overlap.

        A watermark alone is no proof: it may come from a clock that is ahead of those of later runs.
        """
        if not is_last and shown < OVERLAP_SECONDS:  # it may come oldest first, dated by clocks that differ
            return False
        oldest = items[-1].created if items else None
        if self.since is not None and oldest is not None and oldest < self.since:
            return True
        if self.until is None or self.read is None:
            return False
        limit = None if is_last else self.until - OVERLAP_SECONDS
        old = [item for item in items if limit is None or (item.created is not None and item.created < limit)]
        if not old:
            return False
        if self._are_pruned(old):
            return True
        stored = await self.stored([item.id for item in old])
        return any(observed <= self.read for observed in stored.values())

    def _are_pruned(self, items: Sequence[Item]) -> bool:
        limit = self.pruned
        return limit is not None and any(item.created is not None and item.created < limit for item in items)


@dataclass(frozen=True, slots=True)
class KnownThreads:
    """The threads of a server whose list was read to its end before."""

    known: Known

    async def is_reached(self, items: Sequence[Item], *, is_last: bool, shown: float) -> bool:
        """Whether a whole page of threads is known."""
        ids = [item.id for item in items]
        return bool(ids) and (is_last or shown > 0) and not set(ids).difference(await self.known(ids))
