"""Walk: the pages of a list from the newest item backwards, until known ground. No I/O of its own, no clock.

Servers lie about `has_more`, repeat cursors, or order by something else than asked. So a walk ends only where nothing
new comes, or where what is known begins; what it cannot resolve is an error, so that the next pull tries again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from runmart.ingest.pull.errors import CursorError, RefusedError, ThreadError
from runmart.ingest.pull.responses import Item, Page

OVERLAP_SECONDS = 600.0
"""A walk goes on so far into known ground: a server's clocks may disagree about what is newer."""

_ASKED_AGAIN = 2
"""So often a page is asked for again that brings nothing new and yet is not the end."""

GetPage = Callable[[str | None], Awaitable[Page]]
"""The page behind the item with this id; the first one for None."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """What is known of a list: everything up to an item."""

    newest_id: str | None = None
    newest_created: float | None = None
    """Seconds since 1970."""
    since: float | None = None
    """What was created before is not wanted, in seconds since 1970."""


async def paginate(get: GetPage, watermark: Watermark, after: str | None = None) -> AsyncIterator[Page]:
    """Pages that may hold something new, from `after` on.

    Raises:
        ThreadError: The server repeats a page and says that more is to come.
        CursorError: It does not know a run to go on from.
    """
    seen: set[str] = set()
    order = _Order()
    is_known = False
    while True:
        try:
            page = await _next(get, after, seen)
        except RefusedError as error:
            if after is None:
                raise
            raise CursorError(f"the server does not go on behind {after}: {error}") from None
        if page is None:
            return
        yield page
        seen.update(item.id for item in page.items)
        order.add(page.items)
        is_known = is_known or any(item.id == watermark.newest_id for item in page.items)
        if order.is_descending and _is_reached(page, watermark, is_known=is_known):
            return
        after = page.items[-1].id


async def _next(get: GetPage, after: str | None, seen: set[str]) -> Page | None:
    """The next page that brings something new; None at the end."""
    page = await get(after)
    for _ in range(_ASKED_AGAIN):
        if any(item.id not in seen for item in page.items):
            return page
        if page.has_more is None or (not page.size and not page.has_more):
            return None
        page = await get(after)  # a repeated or an empty page, though more is said to come: once more
    if any(item.id not in seen for item in page.items):
        return page
    if page.size and page.has_more:
        raise ThreadError(f"the page after {after} brings nothing new, again and again, and says that more is to come")
    return None


def _is_reached(page: Page, watermark: Watermark, *, is_known: bool) -> bool:
    """Whether what comes behind a page is known, or not wanted."""
    oldest = page.items[-1].created
    if oldest is None:
        return False
    if watermark.since is not None and oldest < watermark.since:
        return True
    if watermark.newest_created is None:
        return False
    if is_known and not page.has_more:
        return True
    return oldest < watermark.newest_created - OVERLAP_SECONDS


class _Order:
    """Whether items came from the newest on, as asked."""

    def __init__(self) -> None:
        self._last: float | None = None
        self.is_descending = True

    def add(self, items: list[Item]) -> None:
        """Look at the next page."""
        created = [item.created for item in items if item.created is not None]
        if created and created[-1] > created[0]:
            self.is_descending = False
        for item in items:
            created = item.created
            if created is None or (self._last is not None and created > self._last + OVERLAP_SECONDS):
                self.is_descending = False
            self._last = created
