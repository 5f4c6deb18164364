"""Pagination, verified: a list is read in the way that its server pages it. No I/O of its own, no clock.

Servers send a wrong `has_more`, repeat pages, ignore `after` or `order`, or take `after` for something else: so nothing
that they say of their pages is believed. Each page must follow the one before, whose last item it repeats; a page that
repeats others is no end, and the list is then read in another way. A list that cannot be read to its end in any way is
an error that says so.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Literal, NamedTuple, get_args

import msgspec

from runmart.ingest.pull.errors import CursorError, IncompleteError, RefusedError, ThreadError
from runmart.ingest.pull.ground import OVERLAP_SECONDS, Ground, NoGround
from runmart.ingest.pull.list_order import Order
from runmart.ingest.pull.responses import Item, Page

Paging = Literal["newest first", "oldest first", "before", "large pages"]
"""Ways to read a list: by `order=desc` and `after`, by `order=asc` and `after`, by `order=desc` and `before`, or all
of it as one page."""

PAGINGS: tuple[Paging, ...] = get_args(Paging)

PAGE_SIZE = 100
"""Items per page: the most that the API allows."""


_LARGE = (1_000, 10_000, 100_000)
"""Items per page where a server has nothing else but its first page."""

_REPEATS = 2
"""How often a page is requested again that adds nothing."""


class Query(NamedTuple):
    """The request for a page."""

    paging: Paging
    cursor: str | None = None
    """The item behind which the page begins; the first page for None."""
    limit: int = PAGE_SIZE

    @property
    def parameters(self) -> dict[str, str | int]:
        """The query parameters."""
        found: dict[str, str | int] = {"limit": self.limit, "order": "asc" if self.paging == "oldest first" else "desc"}
        if self.cursor is not None:
            found["before" if self.paging == "before" else "after"] = self.cursor
        return found


GetPage = Callable[[Query], Awaitable[Page]]


def first_query(paging: Paging, cursor: str | None = None) -> Query:
    """The first request of a reader that reads in this way, from a cursor on."""
    return Query(paging, None, _LARGE[0]) if paging == "large pages" else Query(paging, cursor)


class _AstrayError(Exception):
    """A way to read a list does not lead to its end."""


class Manners(msgspec.Struct, omit_defaults=True):
    """How a server pages lists of one kind, as far as its lists have shown."""

    paging: Paging | None = None
    """The way that has led to the end of a list; None before the first."""
    largest: int = 0
    """The number of items on the largest page."""
    says_more: bool = False
    """Whether it has said of a page that more follow: only then is it believed where it says that none do."""
    shown: float = 0.0
    """By how many seconds, up to the overlap, a list's first item was newer than a later one, as was requested."""
    lists: dict[str, "Manners"] = {}
    """How it pages lists of the whole server, by their paths."""

    def of(self, path: str | None) -> "Manners":
        """How it pages the list at a path; for None, all others."""
        return self if path is None else self.lists.setdefault(path, Manners())

    def note(self, page: Page) -> None:
        """Learn from a page."""
        self.largest = max(self.largest, page.size)
        self.says_more = self.says_more or page.has_more is True

    def is_full(self, page: Page) -> bool:
        """Whether a page may have no room for more."""
        return page.size >= (self.largest if self.says_more else PAGE_SIZE)

    def show(self, seconds: float) -> None:
        """Note that a list comes newest first: its first item is newer than a later one by so many seconds."""
        self.shown = max(self.shown, min(seconds, OVERLAP_SECONDS))

    def is_last(self, page: Page) -> bool:
        """Whether nothing follows a page, which has room for more."""
        return page.has_more is False and not self.is_full(page) and (self.says_more or page.size < self.largest)

    @property
    def ways(self) -> list[Paging]:
        """The ways to try, the best first."""
        return sorted(PAGINGS, key=lambda way: way != self.paging)


def as_text(manners: Manners) -> str:
    """What is stored of them: JSON."""
    return msgspec.json.encode(manners).decode()


def from_text(text: str | None) -> Manners:
    """Stored manners; none where nothing is stored, or what this version does not know."""
    try:
        return msgspec.json.decode(text or "{}", type=Manners)
    except msgspec.DecodeError:
        return Manners()


class ListReader:
    """Reads one list, once."""

    def __init__(
        self, get: GetPage, manners: Manners, ground: Ground | None = None, paging: Paging | None = None
    ) -> None:
        """A reader.

        Args:
            get: Requests a page.
            manners: How the server pages; the reader adds what it learns.
            ground: Where the list can be left when it comes newest first; nowhere for None.
            paging: The way to try first; by default the best that is known.
        """
        self._get = get
        self._manners = manners
        self._ground = ground or NoGround()
        self._seen: set[str] = set()
        self._first_pages: dict[Paging, Page] = {}
        self._hidden: set[str] = set()
        """Items that the server hides, and behind which pages were requested."""
        self.paging: Paging = paging or manners.ways[0]
        """The way in which it is read."""
        self.is_descending = True
        """Whether all that was read came newest first, as requested, if it was."""
        self.is_ascending = False
        """Whether all that was read came oldest first; from the front on, over more time than clocks may differ."""
        self._is_shown_ascending = False
        """Whether more than a page came oldest first, over more time than clocks may differ."""
        self.is_whole = False
        """Whether it was read from its beginning to its end."""
        self.cursor: str | None = None
        """Where another reader can go on behind the last page, in the same way; None where that is not possible."""

    async def pages(self, cursor: str | None = None) -> AsyncIterator[Page]:
        """The pages with new items, read in the first way to try, or in others where that leads astray.

        Args:
            cursor: Where an earlier reader has got to, in the first way.

        Raises:
            IncompleteError: No way leads to the end of the list.
            CursorError: The server does not know `cursor`.
            ThreadError: It refuses the first page, or cannot be read.
        """
        problems: list[str] = []
        for way in sorted(self._manners.ways, key=lambda way, first=self.paging: way != first):
            self.paging, self.cursor, self.is_whole = way, cursor, cursor is None
            found = self._large() if way == "large pages" else self._cursored(way, cursor)
            try:
                async for page in found:
                    yield page
            except ThreadError as error:
                is_first = not (problems or self._seen)
                if is_first and cursor is not None:  # an item that was deleted: some servers refuse, others fail
                    raise CursorError(f"the server does not go on behind {cursor}: {error}") from None
                if is_first or not isinstance(error, RefusedError):
                    raise
                problems.append(f"{way}: {error}")
            except _AstrayError as error:
                problems.append(f"{way}: {error}")
            else:
                self._remember(way, is_other=bool(problems))
                return
            cursor = None
        if self._is_mirrored():
            return
        raise IncompleteError(
            f"the server's pages do not lead to the end of the list: {len(self._seen):,} items were found, there may "
            f"be more ({'; '.join(problems)})"
        )

    def _remember(self, way: Paging, *, is_other: bool) -> None:
        """Remember the way that has led to the end; it may be another than that of earlier lists."""
        if self._ignores_order(way):
            self.paging, is_other = "oldest first", True
        if is_other or self._manners.paging is None:
            self._manners.paging = self.paging

    def _ignores_order(self, way: Paging) -> bool:
        """Whether a list that was requested newest first comes oldest first."""
        return way == "newest first" and self._is_shown_ascending

    async def _cursored(self, way: Paging, cursor: str | None) -> AsyncIterator[Page]:
        """The pages with new items, each requested behind an item of the one before."""
        order, met = Order(), set[str]()
        self.is_ascending = cursor is not None
        place = _Place(cursor, set() if cursor is None else {cursor}, set(), is_resumed=cursor is not None)
        while True:
            page = await self._next(way, place, met)
            if place.cursor is None:
                self._first_pages[way] = page
            elif place.is_resumed and not page.size:  # servers answer so, too, for a cursor that they do not know
                raise CursorError(f"nothing follows {place.cursor}")
            order.add([item for item in page.items if item.id not in met])
            self.is_descending = way != "oldest first" and order.is_descending
            is_further = not met.issuperset(page.ids)
            if not self._seen.issuperset(page.ids) or page.size > len(page.ids):
                fresh = [item for item in page.items if item.id not in self._seen]
                if self.is_descending:
                    self._manners.show(order.shown)
                self.is_ascending = order.rises and (cursor is not None or order.is_long)
                self._is_shown_ascending = order.rises and order.is_long and bool(met)
                if self._ignores_order(way):
                    self._manners.paging = "oldest first"
                is_reached = self.is_descending and await self._is_reached(page, fresh)
                self._seen.update(page.ids)
                self.cursor = self._left_at(place, page) if is_further else place.cursor
                yield page  # only now, since what is stored behind it is known ground from then on
                if is_reached:
                    self.is_whole = False
                    return
            if (following := self._following(place, page, is_further=is_further)) is None:
                return
            met.update(page.ids)
            place = following

    def _left_at(self, place: "_Place", page: Page) -> str | None:
        """Where another reader can go on: it must find something there, which tells it that the cursor is known."""
        behind = _place_behind(page)
        return behind.cursor if behind.behind or self._manners.is_full(page) else place.cursor

    def _following(self, place: "_Place", page: Page, *, is_further: bool) -> "_Place | None":
        """Where to go on behind a page; None at the end.

        Raises:
            _AstrayError: There is more, and no way to it.
        """
        if is_further:
            return _place_behind(page)
        if (hidden := place.hidden_end(page)) is not None and hidden.cursor not in self._hidden:
            self._hidden.add(str(hidden.cursor))
            return hidden
        if page.size and not page.ids and (page.has_more or page.size >= PAGE_SIZE):
            raise _AstrayError("a page has no ids to go on from")
        if not place.may_go_on_behind(page):
            return None
        if place.cursor == page.ids[-1]:
            raise _AstrayError(f"{place.cursor} follows itself, and more is said to follow")
        return _place_at_end(page)

    async def _next(self, way: Paging, place: "_Place", met: set[str]) -> Page:
        """The next page; one that repeats others, or is empty and says that more follows, is requested again.

        Raises:
            _AstrayError: It does not follow the page before.
        """
        query = Query(way, place.cursor)
        page = await self._request(query)
        for _ in range(_REPEATS):
            if place.is_followed_by(page, met) and (page.size or page.has_more is not True):
                break
            page = await self._request(query)
        if not place.is_followed_by(page, met):
            raise _AstrayError(f"what follows {place.cursor} is not what came behind it before")
        return page

    async def _large(self) -> AsyncIterator[Page]:
        """The whole list as one page, which is larger and larger until it is not full."""
        largest = self._manners.largest
        for limit in _LARGE:
            page = await self._request(Query("large pages", None, limit))
            is_new = self._seen <= set(page.ids)
            if not self._seen.issuperset(page.ids) or page.size > len(page.ids):
                self._seen.update(page.ids)
                yield page
            if page.size >= limit:
                continue
            if page.has_more:
                raise _AstrayError(f"{page.size:,} items come, and more are said to follow")
            if not is_new:
                raise _AstrayError(f"{page.size:,} items come, without others that came before")
            if page.size >= largest and not await self._is_same_backwards(page, limit):
                raise _AstrayError(f"{page.size:,} items come, other ones in each order")
            return
        raise _AstrayError(f"there are more than {_LARGE[-1]:,} items")

    async def _is_same_backwards(self, page: Page, limit: int) -> bool:
        """Whether the same items come in the other order: so many may be all that the server ever sends."""
        if page.size == PAGE_SIZE:
            return False
        other = await self._request(Query("oldest first", None, limit))
        return set(other.ids) == set(page.ids)

    async def _request(self, query: Query) -> Page:
        page = await self._get(query)
        self._manners.note(page)
        return page

    def is_all_on(self, page: Page) -> bool:
        """Whether one page holds all that was read."""
        return self._seen <= set(page.ids)

    async def _is_reached(self, page: Page, fresh: Sequence[Item]) -> bool:
        is_last = self._manners.is_last(page)
        return await self._ground.is_reached(fresh, is_last=is_last, shown=self._manners.shown)

    def _is_mirrored(self) -> bool:
        """Whether the first page in each order is the other, backwards, and so the whole list."""
        pages = [self._first_pages.get(way) for way in ("newest first", "oldest first")]
        newest, oldest = (() if page is None else page.ids for page in pages)
        says_more = any(page is not None and page.has_more for page in pages)
        is_mirror = len(newest) > 1 and newest == tuple(reversed(oldest))
        return is_mirror and not says_more and self._seen == set(newest)


class _Place(NamedTuple):
    """A place in a list, from which to go on."""

    cursor: str | None
    """The item behind which the next page begins; None for the front."""
    tail: set[str]
    """Known items that the next page may repeat: those from the cursor on, and those as old as it."""
    behind: set[str]
    """Known items behind the cursor, of which the next page repeats some."""
    is_resumed: bool = False
    """Whether another reader has left off here."""

    def is_followed_by(self, page: Page, met: set[str]) -> bool:
        """Whether a page follows this place: it repeats what must come, and brings something else that is not `met`."""
        if self.behind and self.behind.isdisjoint(page.ids):
            return False
        return not met.issuperset(page.ids) or self.tail.issuperset(page.ids)

    def hidden_end(self, page: Page) -> "_Place | None":
        """Where to go on behind an empty page that ends with an item which the server hides; None for nowhere."""
        last = page.last_id if page.has_more and not page.size else None
        return None if last is None or last == self.cursor else _Place(last, set(), set())

    def may_go_on_behind(self, page: Page) -> bool:
        """Whether more may follow a page that repeats the last items alone.

        It says so; or it begins with the cursor itself and has no room for more than what was known.
        """
        if not page.ids:
            return False
        is_full = self.cursor in page.ids and self.cursor != page.ids[-1] and len(page.ids) >= len(self.tail)
        return page.has_more is True or is_full


def _place_behind(page: Page) -> _Place:
    """Where to go on behind a page: the last items with one creation time come again.

    A server that compares times would leave out those of them that had no room on the page; and one that takes the
    cursor for something else does not send them.
    """
    created = {item.id: item.created for item in page.items}
    last = created.get(page.ids[-1])
    for index in range(len(page.ids) - 1, -1, -1):
        found = created.get(page.ids[index])
        if last is not None and found is not None and found != last:
            tail = _as_old(page, page.ids[index]).union(page.ids[index:])
            return _Place(page.ids[index], tail, set(page.ids[index + 1 :]))
    return _place_at_end(page)


def _place_at_end(page: Page) -> _Place:
    """The place behind the last item of a page."""
    return _Place(page.ids[-1], _as_old(page, page.ids[-1]), set())


def _as_old(page: Page, run_id: str) -> set[str]:
    """An item of a page, and those that were created at the same time."""
    created = {item.id: item.created for item in page.items}
    moment = created.get(run_id)
    return {run_id} if moment is None else {one for one, when in created.items() if when == moment}
