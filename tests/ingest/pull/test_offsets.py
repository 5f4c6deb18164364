"""A server that counts items is read by cursors."""

import asyncio

from runmart.ingest.pull.client import Response
from runmart.ingest.pull.offsets import OffsetPages
from runmart.ingest.pull.pagination import Query
from runmart.ingest.pull.responses import Item, Page

ITEMS = tuple(f"item-{number}" for number in range(10))


def read(*cursors: str | None) -> tuple[list[tuple[str, ...]], list[tuple[int, int]]]:
    """The pages of three items behind some cursors, and the parts of the list that were requested for them."""
    requested: list[tuple[int, int]] = []

    async def get(limit: int, place: int) -> Page:
        requested.append((limit, place))
        items = tuple(Item(one) for one in ITEMS[place : place + limit])
        return Page(Response("", b"", 0), len(items), None, "", None, items)

    async def all_() -> list[tuple[str, ...]]:
        pages = OffsetPages(get)
        return [(await pages.get(Query("newest first", cursor, 3))).ids for cursor in cursors]

    return asyncio.run(all_()), requested


def test_what_follows_a_known_item_is_requested_by_its_place() -> None:
    """The page behind an item in the middle of another page begins there."""
    assert read(None, "item-1", "item-9") == (
        [ITEMS[:3], ITEMS[2:5], ()],
        [(3, 0), (3, 2), *((3, place) for place in (0, 3, 6, 9)), (3, 10)],
    )


def test_the_place_of_an_item_of_an_earlier_pull_is_found() -> None:
    """The list is read from its front to the item, once."""
    assert read("item-4", "item-6") == ([ITEMS[5:8], ITEMS[7:]], [(3, 0), (3, 3), (3, 5), (3, 7)])


def test_an_item_that_is_gone_has_nothing_behind_it() -> None:
    """The reader tells so, and begins at the front again."""
    assert read("gone") == ([()], [(3, 0), (3, 3), (3, 6), (3, 9), (3, 10)])
