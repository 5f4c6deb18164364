"""Cursors for a server that counts items: what follows an item is requested by its place in the list."""

from collections.abc import Awaitable, Callable

from runmart.ingest.pull.pagination import Query
from runmart.ingest.pull.responses import Page

GetPart = Callable[[int, int], Awaitable[Page]]
"""Returns at most so many items, from a place in the list on, which is 0 at the front."""


class OffsetPages:
    """The pages of one list.

    Items that come or go in front of a place move it. A page may then begin too early, which repeats items, or too
    late, which `ListReader` sees, as each page must repeat what came last.
    """

    def __init__(self, get: GetPart) -> None:
        self._get = get
        self._places: dict[str, int] = {}

    async def get(self, query: Query) -> Page:
        """The page behind the cursor; an empty one where the list does not have it."""
        if query.cursor is None:
            return await self._part(query.limit, 0)
        if query.cursor not in self._places:
            page = await self._find(query.cursor, query.limit)
            if query.cursor not in self._places:
                return page
        return await self._part(query.limit, self._places[query.cursor] + 1)

    async def _find(self, cursor: str, limit: int) -> Page:
        """Read until the cursor is found; the last page that was read."""
        place = 0
        while True:
            page = await self._part(limit, place)
            if cursor in self._places or not page.size:
                return page
            place += page.size

    async def _part(self, limit: int, place: int) -> Page:
        page = await self._get(limit, place)
        self._places.update({one: place + index for index, one in enumerate(page.ids)})
        return page
