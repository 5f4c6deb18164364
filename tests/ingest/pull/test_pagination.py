"""Pagination: whatever a server claims about its pages, no item is missed and no loop is endless."""

import asyncio
import random
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runmart.ingest.pull.client import Response
from runmart.ingest.pull.errors import ThreadError
from runmart.ingest.pull.pagination import OVERLAP_SECONDS, Watermark, paginate
from runmart.ingest.pull.responses import Page, page


class Lists:
    """A list of items, newest first, with typical faults of servers."""

    def __init__(self, created: list[float], size: int, seed: int, **faults: float) -> None:
        self.items = [{"id": f"run_{place}", "created_at": when} for place, when in enumerate(created)]
        self.size = size
        self.requests = 0
        self._random = random.Random(seed)
        self._faults = faults

    def _is(self, fault: str) -> bool:
        return self._random.random() < self._faults.get(fault, 0)

    async def get(self, after: str | None) -> Page:
        """A page."""
        self.requests += 1
        start = 0
        if after is not None and not self._is("repeats"):
            start = [item["id"] for item in self.items].index(after) + 1
        found = self.items[start : start + self.size]
        has_more: Any = start + self.size < len(self.items)
        if self._is("denies"):
            has_more = False
        if self._is("claims"):
            has_more = True
        body = msgspec.json.encode({"object": "list", "data": found, "has_more": has_more})
        return page(Response("http://server/runs", body, 0))


def paged_ids(lists: Lists, watermark: Watermark) -> list[str]:
    """The ids of all pages from pagination."""

    async def collect() -> list[str]:
        return [item.id async for one in paginate(lists.get, watermark) for item in one.items]

    return asyncio.run(collect())


instants = st.lists(st.integers(1_000_000_000, 1_000_100_000), max_size=60)


@given(instants, st.integers(1, 20), st.integers(0, 99), st.floats(0, 1), st.floats(0, 0.9))
def test_everything_is_found_whatever_is_said_of_more(
    created: list[int], size: int, seed: int, denies: float, claims: float
) -> None:
    """All items are found though `has_more` is false with more to come, or true at the end, in any order of items."""
    lists = Lists([float(when) for when in created], size, seed, denies=denies, claims=claims)
    assert set(paged_ids(lists, Watermark())) == {item["id"] for item in lists.items}
    assert lists.requests <= 3 * (len(created) // size + 2)


@given(instants, st.integers(1, 20), st.integers(0, 99))
def test_a_page_that_is_repeated_at_times_loses_nothing(created: list[int], size: int, seed: int) -> None:
    """A repeated page is requested again; if it stays the same, that is an error and not the end."""
    lists = Lists([float(when) for when in sorted(created, reverse=True)], size, seed, repeats=0.2)
    with suppress(ThreadError):
        assert set(paged_ids(lists, Watermark())) == {item["id"] for item in lists.items}


def test_a_server_that_repeats_for_ever_is_an_error() -> None:
    """A server that always repeats a page raises an error instead of a loop."""
    lists = Lists([float(100 - place) for place in range(10)], 3, 0, repeats=1.0)
    with pytest.raises(ThreadError, match="again and again"):
        paged_ids(lists, Watermark())
    assert lists.requests < 10


@given(st.integers(1, 80), st.integers(0, 80), st.integers(1, 20), st.integers(0, 99), st.floats(0, 1))
def test_what_is_newer_than_the_watermark_is_found(count: int, new: int, size: int, seed: int, denies: float) -> None:
    """All items newer than the watermark are found, whatever `has_more` says, even if clocks differ by the overlap."""
    new = min(new, count)
    jitter = random.Random(seed)
    created = [2e9 - 50 * place + jitter.uniform(-0.49, 0.49) * OVERLAP_SECONDS for place in range(count)]
    lists = Lists(created, size, seed, denies=denies)
    known = lists.items[new:]
    newest = max(known, key=lambda item: item["created_at"], default=None)
    watermark = Watermark(str(newest["id"]), float(newest["created_at"])) if newest else Watermark()
    assert {item["id"] for item in lists.items[:new]} <= set(paged_ids(lists, watermark))


def test_a_list_without_new_items_is_one_page() -> None:
    """A list without new items costs one request."""
    lists = Lists([2e9 - 3600 * place for place in range(1000)], 100, 0)
    assert len(paged_ids(lists, Watermark("run_0", 2e9))) == 100
    assert lists.requests == 1


def test_since_bounds_the_pages() -> None:
    """Pages behind the first one that ends before `since` are not requested."""
    lists = Lists([2e9 - 3600 * place for place in range(1000)], 100, 0)
    assert len(paged_ids(lists, Watermark(since=2e9 - 3600 * 150))) == 200
    assert lists.requests == 2


def test_an_ascending_list_is_read_to_its_end() -> None:
    """A list in ascending order is read to its end, since its newest items are last."""
    lists = Lists([1e9 + 3600 * place for place in range(100)], 30, 0)
    assert len(paged_ids(lists, Watermark("run_50", 1e9 + 3600 * 50))) == 100


def test_a_page_that_is_repeated_once_is_asked_for_again() -> None:
    """A page that is repeated once is requested again, and is neither an error nor the end."""
    lists = Lists([2e9 - place for place in range(10)], 3, 0)
    get, asked = lists.get, list[str | None]()

    async def repeating(after: str | None) -> Page:
        asked.append(after)
        return await get(None if asked == [None, "run_2"] else after)

    lists.get = repeating
    assert paged_ids(lists, Watermark()) == [f"run_{place}" for place in range(10)]
    assert asked[:3] == [None, "run_2", "run_2"]
