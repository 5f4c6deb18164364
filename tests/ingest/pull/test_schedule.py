"""The schedule of pulls: whatever the deadlines, every thread is asked, half-read ones first."""

import time
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runmart.ingest.pull import runner
from runmart.ingest.pull.rotation import Rotation
from runmart.ingest.pull.schedule import Schedule, Selection
from tests.support.pull import TestServer, pulled
from tests.support.warehouse import query

IDS = st.sets(st.integers(0, 29).map(lambda number: f"thread_{number:02}"), min_size=1)


PULLS = st.lists(st.tuples(st.integers(1, 8), st.integers(0, 9)), min_size=31, max_size=31)
"""Of each pull: how many threads it asks at a time, and how many of them answer before its deadline."""


@given(st.lists(IDS, min_size=1, max_size=5), PULLS)
def test_every_thread_has_its_turn(threads: list[set[str]], pulls: list[tuple[int, int]]) -> None:
    """As many pulls as there are threads ask each of them, whatever each has time for, while others come and go."""
    steady, asked, until = set[str].intersection(*threads), set[str](), None
    for number, (concurrency, answers) in enumerate(pulls):
        rotation = Rotation(until)
        present = sorted(threads[number % len(threads)])
        order = [one for one in present if one > (until or "")] + [one for one in present if one <= (until or "")]
        for one in order[: answers + concurrency]:  # the last ones do not answer before the deadline
            rotation.ask(one)
        for one in order[:answers]:
            rotation.answer(one)
        asked.update(order[: max(answers, 1)])
        until = rotation.asked_until
    assert steady <= asked


def test_a_thread_that_does_not_answer_is_asked_again() -> None:
    """The next pull begins with the first thread that has not answered, once some before it have."""
    rotation = Rotation(None)
    for one in "abcd":
        rotation.ask(one)
    assert rotation.asked_until == "a"
    rotation.answer("b")
    assert rotation.asked_until == "a"
    rotation.answer("a")
    assert rotation.asked_until == "b"
    rotation.answer("d")
    assert rotation.asked_until == "b"


@pytest.mark.slow
def test_a_new_run_in_the_last_thread_is_found_by_short_pulls(server: TestServer, warehouse: Path) -> None:
    """Pulls that reach a part of the threads each find a new run in the last one."""
    server.world(threads=20, runs=40)
    pulled(server, warehouse)
    server.steer("run", thread_id="thread_000019", status="completed")
    server.steer("settings", delay_seconds=0.05)
    for _ in range(6):
        if not pulled(server, warehouse, deadline_seconds=0.6, concurrency=1).deadline_reached:
            break
    assert query(warehouse, "select count(*) from runs") == [(41,)]


def _order(warehouse: Path) -> list[tuple[str, bool]]:
    plan = Schedule(warehouse, "test", 1.0)
    plan.read_source()
    plan.add_known()
    plan.prepare(time.time())
    found = [(due.thread.thread_id[-1], due.is_half_read) for some in plan.threads(3) for due in some]
    plan.close()
    return found


def test_half_read_threads_come_first_while_they_get_further(server: TestServer, warehouse: Path) -> None:
    """A thread that the last pull got further in comes first; one that it did not has its turn like the others."""
    server.world(threads=5, runs=50)
    pulled(server, warehouse)
    with duckdb.connect(warehouse) as connection:
        connection.execute("update runmart.sources set asked_until = 'thread_000001'")
        connection.execute("update runmart.threads set state = 'partial' where thread_id[-1] in ('0', '3')")
        connection.execute(
            "update runmart.threads set checked_at = checked_at - interval 1 day where thread_id[-1] = '0'"
        )
    assert _order(warehouse) == [("3", True), ("2", False), ("4", False), ("0", False), ("1", False)]
    with duckdb.connect(warehouse) as connection:
        connection.execute("update runmart.threads set error = 'no end' where thread_id[-1] = '3'")
    assert _order(warehouse)[0] == ("2", False)


@pytest.mark.slow
def test_a_thread_larger_than_a_pull_keeps_no_other_waiting(
    server: TestServer, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread of many pages is read over several pulls, page by page, and the others are read, too."""
    monkeypatch.setattr(runner, "STORED_BYTES", 0)
    server.world(threads=1, runs=700)
    for number in range(1, 10):
        server.steer("run", thread_id=f"thread_{number:06}", status="completed")
    server.steer("settings", delay_seconds=0.05)
    found = "select count(*), count(distinct thread_id) from runs"
    for _ in range(60):  # many where the machine is slow
        outcome = pulled(server, warehouse, deadline_seconds=1, concurrency=1)
        if not outcome.deadline_reached or query(warehouse, found) == [(709, 10)]:
            break
    assert query(warehouse, found) == [(709, 10)]


def test_the_threads_of_a_list_that_a_deadline_cuts_are_kept(server: TestServer, warehouse: Path) -> None:
    """Short pulls read a long list of threads part by part, and then all its threads."""
    server.world(threads=450, runs=450, delay_seconds=0.3)
    pulled(server, warehouse, deadline_seconds=0.8)
    [(state, after)] = query(warehouse, "select list_state, list_after from runmart.sources")
    assert (state, after is None) == ("partial", False)
    listed = query(warehouse, "select count(*) from runmart.threads")[0][0]
    assert 0 < listed < 450
    server.steer("settings", delay_seconds=0)
    server.steer("run", thread_id="thread_new", status="completed")
    server.requests()
    outcome = pulled(server, warehouse, concurrency=16)
    assert outcome.is_complete
    assert sum(path.endswith("/threads") for path in server.steer("log")["paths"]) <= 6
    assert query(warehouse, "select count(*) from runmart.threads") == [(451,)]
    assert query(warehouse, "select list_state, list_after from runmart.sources") == [("complete", None)]
    assert query(warehouse, "select count(*) from runs") == [(451,)]


def test_single_runs_are_no_pull_of_a_source(server: TestServer, warehouse: Path) -> None:
    """A pull of single runs leaves no state of the source, whose threads it does not read."""
    server.world(threads=1, runs=3)
    run = server.truth()[0]
    pulled(server, warehouse, selection=Selection(), list_threads=False, runs=[(run["thread_id"], run["id"])])
    assert query(warehouse, "select count(*) from runs") == [(1,)]
    assert query(warehouse, "from runmart.sources") == []


def test_a_pull_that_is_not_complete_is_no_complete_pull(server: TestServer, warehouse: Path) -> None:
    """`pulled_at` is the end of the last pull that read everything, quiet ones included."""
    server.world(threads=3, runs=9, forbidden=["thread_000001"])
    pulled(server, warehouse)
    assert query(warehouse, "select pulled_at, started_at is null from runmart.sources") == [(None, False)]
    server.steer("settings", forbidden=[])
    pulled(server, warehouse)
    [(first,)] = query(warehouse, "select epoch(pulled_at) from runmart.sources")
    assert pulled(server, warehouse).load_id is None
    [(second,)] = query(warehouse, "select epoch(pulled_at) from runmart.sources")
    assert first < second <= time.time()
