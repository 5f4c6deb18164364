"""Lists of threads over several pulls: whatever a server's manners are, no thread is missing without a word."""

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runmart.ingest.pull.errors import IncompleteError, ThreadError
from runmart.ingest.pull.listing import Listing, ListState
from runmart.ingest.pull.pagination import Manners
from runmart.ingest.pull.thread_state import COMPLETE, PARTIAL
from tests.support.odd_lists import CURSORS, UNKNOWN, OddList, run


class Source:
    """A list of threads on a server, and what pulls have stored of it."""

    def __init__(self, odd: OddList, seed: int = 0) -> None:
        self.odd = odd
        self.random = random.Random(seed)
        self.now = 1_900_000_000.0
        self.state = ListState()
        self.manners = Manners()
        self.stored: set[str] = set()
        self.count = 0

    def arrive(self, count: int, seconds: float = 60.0) -> None:
        """Let threads arrive, dated by clocks that differ by less than the overlap."""
        for _ in range(count):
            self.now += self.random.uniform(0, 2 * seconds)
            self.odd.runs.append(run(self.count, self.now + self.random.uniform(-290, 290)))
            self.count += 1

    def pull(self, stop_after: int | None = None) -> bool:
        """Read the list; whether that was complete. It may be cut off behind a number of parts."""
        return asyncio.run(self._pull(stop_after))

    async def _pull(self, stop_after: int | None) -> bool:
        left = stop_after
        try:
            async for ids, state, _ in Listing(self.odd.get, self.manners, self.state).parts():
                self.stored.update(ids)
                self.state = state
                left = None if left is None else left - 1
                if left == 0:
                    return False
        except ThreadError as error:
            self.state = ListState() if isinstance(error, IncompleteError) else self.state
            self.state = self.state._replace(state=PARTIAL)
            return False
        return self.state.state == COMPLETE

    @property
    def there(self) -> set[str]:
        """The threads of the server."""
        return {one["id"] for one in self.odd.runs}


servers = st.builds(
    OddList,
    st.just([]),
    most=st.sampled_from([5, 20, 100]),
    after=st.sampled_from(["behind", "behind", *CURSORS]),
    has_more=st.sampled_from(["honest", "always"]),
    order=st.sampled_from(["honoured", "honoured", "newest", "oldest"]),
    by_time=st.just(value=True),
    refuses_large=st.booleans(),
    unknown=st.sampled_from(UNKNOWN),
)
pulls = st.lists(
    st.tuples(
        st.integers(0, 130),  # threads that arrive
        st.sampled_from([0, 0, 1, 60]),  # threads that are deleted
        st.sampled_from([None, None, 1, 2, 3]),  # parts behind which the pull is cut off
        st.sampled_from([1.0, 900.0]),  # seconds until the next pull
    ),
    min_size=1,
    max_size=5,
)


@given(servers, pulls, st.integers(0, 99))
def test_a_list_that_was_read_is_whole(
    odd: OddList, pulls: list[tuple[int, int, int | None, float]], seed: int
) -> None:
    """Each reading that ends as complete has all threads, or it is said to be incomplete."""
    source = Source(replace(odd, runs=[]), seed)
    for new, deleted, stop_after, pause in [*pulls, (0, 0, None, 1.0)]:
        source.arrive(new)
        for _ in range(min(deleted, len(source.odd.runs))):
            del source.odd.runs[source.random.randrange(len(source.odd.runs))]
        if source.pull(stop_after):
            assert source.there <= source.stored
        source.now += pause


@pytest.mark.parametrize("count", [30, 350])
def test_a_quiet_list_costs_a_request_and_keeps_its_state(count: int) -> None:
    """A list without new threads costs one request, and its state stays as it is."""
    source = Source(OddList())
    source.arrive(count)
    assert source.pull()
    source.pull()
    before, source.odd.requests = source.state, 0
    for _ in range(3):
        assert source.pull()
    assert (source.state, source.odd.requests) == (before, 3)
    assert len(set(before.front)) == len(before.front) >= 15


def test_short_pulls_get_to_the_end() -> None:
    """A list that is cut off behind its second part each time is read to its end, and not from its front again."""
    source = Source(OddList())
    source.arrive(950)
    for _ in range(10):
        source.pull(stop_after=2)
    assert source.there <= source.stored
    source.odd.requests = 0
    assert source.pull()
    assert source.odd.requests <= 4


def test_a_front_of_deleted_threads_loses_none() -> None:
    """Where all threads that were remembered are deleted, the list is read to its end."""
    source = Source(OddList())
    source.arrive(350)
    source.pull()
    gone = set(source.state.front)
    source.odd.runs = [one for one in source.odd.runs if one["id"] not in gone]
    source.arrive(3)
    assert source.pull()
    assert source.there <= source.stored


def test_a_thread_that_a_clock_puts_behind_others_is_found() -> None:
    """A thread dated nine minutes back lies behind others that are known, and is found."""
    source = Source(OddList(by_time=True))
    source.arrive(350, seconds=2)
    source.pull()
    late: dict[str, Any] = run(9999, source.now - 540)
    source.odd.runs.append(late)
    assert source.pull()
    assert late["id"] in source.stored


def test_a_list_that_was_cut_off_in_another_way_is_read_again() -> None:
    """The cursor of a list is of its way: where the server's way has changed since, the list is read from its front."""
    source = Source(OddList())
    source.arrive(350)
    assert not source.pull(stop_after=2)
    source.odd.after, source.odd.before = "refused", "behind"
    source.pull()
    assert source.pull()
    assert source.there <= source.stored
    assert source.manners.paging == "before"


def test_a_list_that_comes_oldest_first_is_read_in_parts() -> None:
    """A list whose server ignores `order` goes on, once that shows, where it was cut off."""
    source = Source(OddList(order="oldest", most=20))
    source.arrive(350)
    for _ in range(12):
        source.pull(stop_after=4)
    assert source.there <= source.stored
    assert source.pull()
