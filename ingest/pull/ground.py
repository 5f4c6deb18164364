"""Known ground: where in a list everything that follows is stored, or not wanted. No I/O, no clock."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from runmart.ingest.pull.responses import Item, Page

OVERLAP_SECONDS = 600.0
"""How far lists are read beyond the watermark: the clocks of a server's machines may differ."""

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
        if self.since is not None and oldest is not None and oldest < self.since - OVERLAP_SECONDS:
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
    """Threads at the front of a list that was read to its end before, all older than its watermark by the overlap."""

    ids: frozenset[str]

    async def is_reached(self, items: Sequence[Item], *, is_last: bool, shown: float) -> bool:
        """Whether one of these threads is among the items."""
        return (is_last or shown >= OVERLAP_SECONDS) and not self.ids.isdisjoint(item.id for item in items)


@dataclass(slots=True)
class Watermark:
    """The newest item of a list, no later than its first page: others may be put behind pages that were read."""

    created: float | None = None
    """Seconds since 1970."""
    item_id: str | None = None
    _begun: float | None = None
    """When the first page was received and sent, whichever is earlier."""

    def note(self, page: Page) -> None:
        """Note the items of a page; those that a clock has dated far ahead do not count."""
        observed, sent = page.response.observed_at / 1e6, page.response.sent
        clock = observed if sent is None else sent
        self._begun = min(observed, clock) if self._begun is None else self._begun
        for item in page.items:
            if item.created is None or item.created > clock + OVERLAP_SECONDS:
                continue
            created = min(item.created, self._begun)
            if self.created is None or created > self.created:
                self.created, self.item_id = created, item.id

    def settled(self, items: Iterable[Item]) -> list[str]:
        """The ids of those items behind which no clock can put later ones."""
        limit = (self.created or 0.0) - OVERLAP_SECONDS
        return [one.id for one in items if one.created is not None and one.created < limit]
