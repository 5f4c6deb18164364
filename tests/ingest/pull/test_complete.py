"""Threads over several pulls: whatever a server's manners and clocks are, no run is missing without a word."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runmart.ingest.pull.errors import ThreadError
from runmart.ingest.pull.pagination import Manners, Query
from runmart.ingest.pull.responses import Page
from runmart.ingest.pull.thread_state import COMPLETE, Thread, failed
from runmart.ingest.pull.threads import Api, updates
from tests.support.odd_lists import CURSORS, UNKNOWN, OddList, run

SKEW = 290.0
"""Clocks of a server's machines differ by less than twice this, which is within the overlap."""


class Source:
    """A thread on a server, and what pulls have stored of it."""

    def __init__(self, odd: OddList, offset: float, seed: int) -> None:
        self.odd = odd
        self.offset = offset
        """Of the server's clock from that of the pulls."""
        self.now = 1_900_000_000.0
        self.random = random.Random(seed)
        self.thread = Thread("thread_x")
        self.manners = Manners()
        self.stored: dict[str, float] = {}
        """When each stored run was observed."""
        self.count = 0
        self.during = 0
        """Runs that arrive with each of the first requests."""

    def arrive(self, count: int, ahead: float = 0.0) -> None:
        """Let runs arrive, one every few seconds, dated by clocks that differ."""
        for _ in range(count):
            self.now += self.random.choice((0, 1, 5, 90))
            created = self.now + self.offset + ahead + self.random.uniform(-SKEW, SKEW)
            self.odd.runs.append(run(self.count, created))
            self.count += 1

    async def _get(self, query: Query) -> Page:
        page = await self.odd.get(query)
        self.arrive(self.during if self.odd.requests < 30 else 0)
        sent = None if self.offset >= 0 else self.now + self.offset
        return replace(page, response=page.response._replace(observed_at=int(self.now * 1e6), sent=sent))

    async def _run(self, _run_id: str) -> Page:
        raise AssertionError("no run is open")

    async def _stored(self, ids: Sequence[str]) -> dict[str, float]:
        return {one: self.stored[one] for one in ids if one in self.stored}

    def pull(self, stop_after: int | None = None) -> bool:
        """Pull; whether it was complete. It may be cut off behind a number of updates."""
        return asyncio.run(self._pull(stop_after))

    async def _pull(self, stop_after: int | None) -> bool:
        api = Api(self._get, self._run, self.manners, self._stored)
        try:
            left = stop_after
            async for found in updates(self.thread, api, self.now, None, full=False):
                self.thread = found.thread
                for page in found.pages:
                    self.stored.update(dict.fromkeys(page.ids, page.response.observed_at / 1e6))
                left = None if left is None else left - 1
                if left == 0:
                    return False
        except ThreadError as error:
            self.thread = failed(self.thread, error, self.now)
            return False
        return self.thread.state == COMPLETE

    @property
    def missing(self) -> set[str]:
        """Runs of the server that are not stored."""
        return {one["id"] for one in self.odd.runs} - self.stored.keys()


servers = st.builds(
    OddList,
    st.just([]),
    most=st.sampled_from([5, 20, 100]),
    after=st.sampled_from(["behind", "behind", *CURSORS]),
    before=st.sampled_from(CURSORS),
    has_more=st.sampled_from(["honest", "honest", "never", "always", "missing"]),
    order=st.sampled_from(["honoured", "honoured", "newest", "oldest"]),
    by_time=st.booleans(),
    refuses_large=st.booleans(),
    unknown=st.sampled_from(UNKNOWN),
)
steps = st.lists(
    st.tuples(
        st.integers(0, 130),  # runs that arrive
        st.sampled_from([0.0, 0.0, 0.0, 3 * 3600.0]),  # how far the clock of one more is ahead
        st.sampled_from([None, None, 1, 2, 3]),  # updates behind which the pull is cut off
        st.sampled_from([0, 0, 1]),  # runs that arrive with each request
        st.sampled_from([1.0, 60.0, 900.0, 86_400.0]),  # seconds until the next pull
        st.booleans(),  # whether an old run is deleted
    ),
    min_size=1,
    max_size=5,
)


@pytest.mark.slow
@settings(derandomize=True, max_examples=150, deadline=None)
@given(servers, steps, st.sampled_from([0.0, 0.0, -3 * 3600.0, 3 * 3600.0]), st.integers(0, 99))
def test_a_complete_pull_has_everything(
    odd: OddList, steps: list[tuple[int, float, int | None, int, float, bool]], offset: float, seed: int
) -> None:
    """Each pull that ends as complete has all runs that were there when it began, or it is said to be incomplete."""
    assume(odd.order == "honoured" or odd.has_more in {"honest", "always"})
    compares_times = not {odd.after, odd.before}.isdisjoint({"older", "as old", "later"})
    assume(odd.by_time or not compares_times)  # else it leaves out runs by itself, and nothing shows it
    odd = replace(odd, runs=[])
    source = Source(odd, offset, seed)
    for count, ahead, stop_after, during, pause, deletes in steps:
        source.arrive(count)
        source.arrive(1 if ahead else 0, ahead)
        if deletes and odd.runs:
            del odd.runs[source.random.randrange(len(odd.runs))]
        there = {one["id"] for one in odd.runs}
        source.during = during
        if source.pull(stop_after):
            assert there <= source.stored.keys()
        source.during = 0
        source.now += pause
    there = {one["id"] for one in odd.runs}
    if source.pull():
        assert there <= source.stored.keys()


@pytest.mark.parametrize("after", ["behind", "from", "older", "as old", "later"])
@pytest.mark.parametrize("has_more", ["honest", "never", "always", "missing"])
def test_usual_servers_are_complete(after: Any, has_more: Any) -> None:
    """Servers with a sound cursor are read to the end, and quiet threads cost a request."""
    source = Source(OddList(after=after, has_more=has_more, by_time=True), 0.0, 1)
    source.arrive(250)
    is_undecided = has_more == "always" and after in {
        "from",
        "as old",
    }  # at its end each cursor brings itself, and promises more
    assert source.pull() is not is_undecided
    source.now += 86_400
    source.arrive(30)
    assert source.pull() is not is_undecided
    assert source.missing == set()
    source.now += 86_400
    source.pull()
    source.odd.requests = 0
    source.pull()
    assert source.odd.requests <= 2 or has_more == "always"


def test_a_run_dated_ahead_hides_none() -> None:
    """A run dated three hours ahead hides none of those that come later."""
    source = Source(OddList(), 0.0, 1)
    source.arrive(1, ahead=3 * 3600)
    assert source.pull()
    source.arrive(250)
    assert source.pull()
    assert source.missing == set()
