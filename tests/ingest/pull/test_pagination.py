"""Pagination: whatever a server's manners are, all items are found, or an error says that some may be missing."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runmart.ingest.pull.errors import CursorError, IncompleteError, RefusedError, ThreadError
from runmart.ingest.pull.ground import OVERLAP_SECONDS, Ground, StoredRuns
from runmart.ingest.pull.pagination import PAGE_SIZE, ListReader, Manners, Paging
from tests.support.odd_lists import CURSORS, OddList, run

NOW = 1_900_000_000


def spaced(count: int, seconds: float = 60, ties: int = 1) -> list[dict[str, Any]]:
    """Runs in order of arrival, the last one now; each `ties` of them were created at once."""
    return [run(number, NOW - (count - number - 1) // ties * seconds) for number in range(count)]


def read(
    odd: OddList, manners: Manners | None = None, ground: Ground | None = None, cursor: str | None = None
) -> set[str]:
    """The ids that a reader finds."""

    async def collect() -> set[str]:
        reader = ListReader(odd.get, manners or Manners(), ground)
        return {one for page in [page async for page in reader.pages(cursor)] for one in page.ids}

    return asyncio.run(collect())


def ids(odd: OddList) -> set[str]:
    """The ids of all its runs."""
    return {one["id"] for one in odd.runs}


cursors = st.sampled_from(CURSORS)
servers = st.builds(
    OddList,
    st.builds(spaced, st.integers(0, 260), st.sampled_from([0.5, 60.0]), st.integers(1, 3)),
    most=st.sampled_from([5, 20, 99, 100, 1000]),
    after=cursors,
    before=cursors,
    has_more=st.sampled_from(["honest", "never", "always", "missing"]),
    order=st.sampled_from(["honoured", "newest", "oldest"]),
    by_time=st.booleans(),
    refuses_large=st.booleans(),
)


def _is_beyond_doubt(odd: OddList) -> bool:
    """Whether a server sends one page of its list alone, says that it is all, and nothing shows that it is not."""
    shows_one_page = odd.order != "honoured" and odd.most < PAGE_SIZE
    return shows_one_page and odd.has_more in {"never", "missing"}


@given(servers)
def test_all_items_are_found_or_an_error_is_raised(odd: OddList) -> None:
    """A reader that ends without an error has found all items."""
    assume(not _is_beyond_doubt(odd))
    try:
        found = read(odd)
    except ThreadError:
        return
    assert found == ids(odd)


@given(servers, servers)
def test_what_one_list_teaches_is_no_trap_for_the_next(one: OddList, other: OddList) -> None:
    """A reader that knows how another list of the server was read finds all items of its own, or raises an error."""
    assume(not _is_beyond_doubt(other))
    one.most, one.after, one.before, one.has_more, one.order = (
        other.most,
        other.after,
        other.before,
        other.has_more,
        other.order,
    )
    manners = Manners()
    try:
        read(one, manners)
        found = read(other, manners)
    except ThreadError:
        return
    assert found == ids(other)


@pytest.mark.parametrize(
    ("manners", "paging"),
    [
        ({}, "newest first"),
        ({"after": "from"}, "newest first"),
        ({"after": "older"}, "newest first"),
        ({"after": "as old"}, "newest first"),
        ({"has_more": "never"}, "newest first"),
        ({"has_more": "always"}, "newest first"),
        ({"has_more": "missing"}, "newest first"),
        ({"most": 20}, "newest first"),
        ({"order": "oldest"}, "oldest first"),
        ({"after": "later", "has_more": "never"}, "oldest first"),
        ({"after": "later", "has_more": "never", "most": 20}, "oldest first"),
        ({"after": "later", "order": "newest", "before": "older"}, "before"),
        ({"after": "refused", "before": "behind"}, "before"),
        ({"after": "ignored", "most": 1000}, "large pages"),
        ({"after": "refused", "before": "refused", "most": 1000}, "large pages"),
        ({"after": "ignored", "has_more": "missing", "most": 1000}, "large pages"),
    ],
)
def test_the_way_of_the_server_is_found_and_remembered(manners: dict[str, Any], paging: Paging) -> None:
    """250 runs are found in the way of the server; the next list is read in that way at once."""
    odd, learned = OddList(spaced(250, ties=2), **manners), Manners()
    assert read(odd, learned) == ids(odd)
    assert learned.paging == paging
    odd.requests = 0
    read(odd, learned)
    assert odd.requests <= 250 // min(odd.most - 2, 100) + 5


@pytest.mark.parametrize(
    "manners",
    [
        {"after": "ignored"},
        {"after": "ignored", "has_more": "never"},
        {"after": "later", "order": "newest", "has_more": "never", "refuses_large": True},
        {"after": "refused", "before": "refused", "refuses_large": True},
    ],
)
def test_a_list_that_cannot_be_read_to_its_end_is_an_error(manners: dict[str, Any]) -> None:
    """Where no way leads to the end of a list, an error says how many items were found."""
    with pytest.raises(IncompleteError, match=r"1\d\d items were found, there may be more|200 items were found"):
        read(OddList(spaced(250), **manners))


def test_a_whole_list_of_exactly_a_page_is_no_error() -> None:
    """A list whose first page is the same in each order is whole, though no cursor works."""
    odd = OddList(spaced(100), after="ignored", refuses_large=True)
    assert read(odd) == ids(odd)


def test_a_refused_list_is_its_own_error() -> None:
    """A first page that is refused raises the server's error; a cursor that is refused, one of its own."""

    async def refuse(_query: object) -> Any:
        raise RefusedError("status 403")

    async def first(cursor: str | None) -> None:
        async for _ in ListReader(refuse, Manners()).pages(cursor):
            pass

    with pytest.raises(RefusedError, match="403"):
        asyncio.run(first(None))
    with pytest.raises(CursorError, match="run_gone"):
        asyncio.run(first("run_gone"))


@given(
    st.sets(st.integers(0, 259)),
    st.integers(0, 260),
    st.sampled_from([5, 20, 100]),
    st.sampled_from(["behind", "from"]),
)
def test_items_that_a_server_hides_hide_no_others(hidden: set[int], count: int, most: int, after: Any) -> None:
    """Pages whose items are hidden, all or some of them, do not end a list before more is said to follow."""
    odd = OddList(spaced(count), most=most, after=after, hidden=frozenset(f"run_{number:05}" for number in hidden))
    try:
        found = read(odd)
    except IncompleteError:
        assert after == "from"
        return
    assert found == ids(odd) - odd.hidden


@pytest.mark.parametrize("most", [20, 100])
def test_a_page_of_hidden_items_is_no_end(most: int) -> None:
    """Behind an empty page that promises more, the list goes on at the last item that it names."""
    odd = OddList(spaced(350), most=most, hidden=frozenset(f"run_{number:05}" for number in range(50, 270)))
    assert read(odd) == ids(odd) - odd.hidden


def test_an_empty_page_behind_a_deleted_cursor_is_no_end() -> None:
    """Some servers send nothing for a cursor that they do not know: a reader that goes on from there says so."""
    odd = OddList(spaced(250), unknown="nothing")
    with pytest.raises(CursorError, match="nothing follows run_gone"):
        read(odd, cursor="run_gone")


def test_a_page_that_is_the_same_in_each_order_and_promises_more_is_no_whole_list() -> None:
    """Two items in each order are not the list where more are said to follow, and no cursor works."""
    odd = OddList(spaced(100), after="ignored", has_more="always", refuses_large=True)
    with pytest.raises(IncompleteError, match="100 items were found"):
        read(odd)


@given(st.integers(20, 260), st.integers(0, 999), st.sampled_from([20, 100]))
def test_lists_in_an_order_of_their_own_are_whole(count: int, seed: int, most: int) -> None:
    """A list in order of random ids is read to its end, and not left at stored runs."""
    runs = spaced(count, 3600)
    random.Random(seed).shuffle(runs)
    odd, manners = OddList(runs, most=most), Manners()

    async def known(some: Any) -> dict[str, float]:
        return dict.fromkeys(some, NOW)

    assert read(odd, manners, ground=StoredRuns(known, NOW, NOW)) == ids(odd)
    assert manners.shown < OVERLAP_SECONDS


@given(st.integers(1, 300), st.integers(2, 30), st.integers(0, 99))
def test_a_page_that_is_repeated_at_times_loses_nothing(count: int, most: int, seed: int) -> None:
    """A page that repeats others at times is requested again, or the list is read in another way."""
    odd = OddList(spaced(count), most=most, repeats=0.3, seed=seed)
    try:
        found = read(odd)
    except IncompleteError:
        return
    assert found == ids(odd)


@given(st.integers(1, 300), st.integers(1, 30), st.integers(0, 99))
def test_claims_at_random_lose_nothing(count: int, most: int, seed: int) -> None:
    """`has_more` at random loses nothing where cursors work."""
    odd = OddList(spaced(count), most=most, has_more="random", seed=seed)
    assert read(odd) == ids(odd)


@given(
    st.integers(1, 80), st.integers(0, 80), st.integers(2, 20), st.integers(0, 99), st.sampled_from(["honest", "never"])
)
def test_what_is_newer_than_the_watermark_is_found(count: int, new: int, most: int, seed: int, claims: Any) -> None:
    """All runs that are not stored are found, whatever `has_more` says, even if clocks differ by the overlap."""
    new = min(new, count)
    jitter = random.Random(seed)
    created = [NOW + 50 * place + jitter.uniform(-0.49, 0.49) * OVERLAP_SECONDS for place in range(count)]
    odd = OddList([run(place, when) for place, when in enumerate(created)], most=most, has_more=claims, by_time=True)
    stored = {one["id"]: one["created_at"] for one in odd.runs[: count - new]}

    async def known(some: Any) -> dict[str, float]:
        return dict.fromkeys(stored.keys() & set(some), NOW)

    found = read(odd, ground=StoredRuns(known, max(stored.values(), default=None), NOW))
    assert ids(odd) - stored.keys() <= found


def test_a_watermark_that_lies_ahead_hides_nothing() -> None:
    """A watermark from a clock that is ahead does not end the list before a stored run."""
    odd = OddList(spaced(350))

    async def known(some: Any) -> dict[str, float]:
        return dict.fromkeys({"run_00000"} & set(some), NOW)

    assert read(odd, ground=StoredRuns(known, NOW + 3 * 3600, NOW)) == ids(odd)


def test_runs_of_an_interrupted_pull_are_no_ground() -> None:
    """A stored run that was observed later than those that were read to the end does not end the list."""
    odd = OddList(spaced(350))

    async def known(some: Any) -> dict[str, float]:
        return dict.fromkeys(some, NOW + 1)

    assert read(odd, ground=StoredRuns(known, NOW + 3 * 3600, NOW)) == ids(odd)


def test_a_list_without_new_items_is_one_page() -> None:
    """A list without new items costs one request."""
    odd = OddList(spaced(1000))

    async def known(some: Any) -> dict[str, float]:
        return dict.fromkeys(some, NOW)

    assert len(read(odd, ground=StoredRuns(known, NOW, NOW))) == 100
    assert odd.requests == 1


def test_since_and_pruned_runs_bound_the_pages() -> None:
    """Pages behind one with an older run than `since`, or with one that was pruned, are not requested."""

    async def known(_some: Any) -> dict[str, float]:
        return {}

    since, pruned = StoredRuns(known, None, None, NOW - 60 * 150), StoredRuns(known, NOW, NOW, None, NOW - 60 * 150)
    for ground in (since, pruned):
        odd = OddList(spaced(1000))
        assert len(read(odd, ground=ground)) == 199
        assert odd.requests == 2


def test_items_without_an_id_are_no_silent_end() -> None:
    """A full page of items without ids is an error, since nothing leads on from it; the page is given nevertheless."""
    odd = OddList([{**one, "id": None} for one in spaced(250)])
    with pytest.raises(IncompleteError, match="no ids"):
        read(odd)
