"""Cursor pagination, newest first, down to the stored watermark. No I/O of its own, no clock.

Servers send a wrong `has_more`, repeat cursors, or sort by something else than asked. So pagination ends only at a page
that adds nothing or at the watermark; any other end is an error, so that the next pull tries again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from runmart.ingest.pull.errors import CursorError, RefusedError, ThreadError
from runmart.ingest.pull.responses import Item, Page

OVERLAP_SECONDS = 600.0
"""How far pages are read beyond the watermark: the clocks of a server's machines may differ."""

_REPEATS = 2
"""How often a page is requested again that adds nothing and yet says that more follows."""

GetPage = Callable[[str | None], Awaitable[Page]]
"""Returns the page after the item with this id; the first page for None."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """What is stored of a list: all items up to the newest stored one."""

    newest_id: str | None = None
    newest_created: float | None = None
    """Seconds since 1970."""
    since: float | None = None
    """Items created before are not wanted, in seconds since 1970."""


async def paginate(get: GetPage, watermark: Watermark, after: str | None = None) -> AsyncIterator[Page]:
    """Pages that may hold new items, from the cursor `after` on.

    Raises:
        ThreadError: The server repeats a page and says that more follows.
        CursorError: It does not know a cursor.
    """
    seen: set[str] = set()
    order = _Order()
    has_newest = False
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
        has_newest = has_newest or any(item.id == watermark.newest_id for item in page.items)
        if order.is_descending and _is_reached(page, watermark, has_newest=has_newest):
            return
        after = page.items[-1].id


async def _next(get: GetPage, after: str | None, seen: set[str]) -> Page | None:
    """The next page with a new item; None at the end."""
    page = await get(after)
    for _ in range(_REPEATS):
        if any(item.id not in seen for item in page.items):
            return page
        if page.has_more is None or (not page.size and not page.has_more):
            return None
        page = await get(after)  # repeated or empty, though it says that more follows
    if any(item.id not in seen for item in page.items):
        return page
    if page.size and page.has_more:
        raise ThreadError(f"the page after {after} brings nothing new, again and again, and says that more is to come")
    return None


def _is_reached(page: Page, watermark: Watermark, *, has_newest: bool) -> bool:
    """Whether all items after a page are stored, or not wanted."""
    oldest = page.items[-1].created
    if oldest is None:
        return False
    if watermark.since is not None and oldest < watermark.since:
        return True
    if watermark.newest_created is None:
        return False
    if has_newest and not page.has_more:
        return True
    return oldest < watermark.newest_created - OVERLAP_SECONDS


class _Order:
    """Whether items come newest first, as requested."""

    def __init__(self) -> None:
        self._last: float | None = None
        self.is_descending = True

    def add(self, items: list[Item]) -> None:
        """Add the items of the next page."""
        created = [item.created for item in items if item.created is not None]
        if created and created[-1] > created[0]:
            self.is_descending = False
        for item in items:
            created = item.created
            if created is None or (self._last is not None and created > self._last + OVERLAP_SECONDS):
                self.is_descending = False
            self._last = created
