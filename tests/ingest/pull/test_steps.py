"""Steps: those that could not be read are requested again, until they are."""

from pathlib import Path

import duckdb
import pytest

from tests.support.pull import TestServer, pulled
from tests.support.warehouse import query

UNREAD = "select thread_id, json_array_length(unread_steps) from runmart.threads where unread_steps is not null"


def stored(warehouse: Path) -> int:
    """The number of runs with steps."""
    return query(warehouse, "select count(distinct run_id) from steps")[0][0]


def asked_for_steps(server: TestServer) -> int:
    """The number of requests for steps since the last look at the log."""
    return sum(path.endswith("/steps") for path in server.steer("log")["paths"])


@pytest.mark.parametrize("status", [400, 403, 405])
def test_steps_that_could_not_be_read_are_requested_again(server: TestServer, warehouse: Path, status: int) -> None:
    """Each pull asks for them again and is incomplete, until they come; a pull without steps leaves them alone."""
    server.world(threads=2, runs=40)
    failing = [run["id"] for run in server.truth()[3:6]]
    server.steer("settings", steps_status=status, steps_failing=failing)
    for _ in range(2):
        outcome = pulled(server, warehouse, steps=True)
        assert not outcome.is_complete
        assert str(outcome.first_failure).startswith(tuple(f"the steps of run {one}: {status}" for one in failing))
        assert stored(warehouse) == 37
    server.steer("log")
    assert pulled(server, warehouse).is_complete
    assert asked_for_steps(server) == 0
    assert sum(count for _, count in query(warehouse, UNREAD)) == 3
    server.steer("settings", steps_status=0)
    assert pulled(server, warehouse, steps=True).is_complete
    assert (stored(warehouse), query(warehouse, UNREAD)) == (40, [])
    server.steer("finish")
    pulled(server, warehouse, steps=True)
    server.steer("log")
    assert pulled(server, warehouse, steps=True).is_complete
    assert asked_for_steps(server) == 0


def test_idle_threads_with_unread_steps_are_read(server: TestServer, warehouse: Path) -> None:
    """A thread that is idle is due nevertheless while steps of it are unread."""
    server.world(threads=1, runs=3)
    server.steer("finish")
    server.steer("settings", steps_status=400)
    pulled(server, warehouse, steps=True)
    with duckdb.connect(warehouse) as connection:
        connection.execute("update runmart.threads set changed_at = changed_at - interval 30 day")
    server.steer("settings", steps_status=0)
    assert pulled(server, warehouse).idle == 1
    outcome = pulled(server, warehouse, steps=True)
    assert (outcome.is_complete, outcome.idle, stored(warehouse)) == (True, 0, 3)
    assert pulled(server, warehouse, steps=True).idle == 1


def test_a_server_without_steps_is_not_asked_for_those_of_each_run(server: TestServer, warehouse: Path) -> None:
    """After ten failures in a row the runs are loaded without steps, which the next pull requests."""
    server.world(threads=1, runs=60, steps_status=400)
    outcome = pulled(server, warehouse, steps=True)
    assert (outcome.is_complete, asked_for_steps(server)) == (False, 10)
    assert query(warehouse, "select count(*) from runs") == [(60,)]
    assert query(warehouse, UNREAD) == [("thread_000000", 60)]
    server.steer("settings", steps_status=0)
    assert pulled(server, warehouse, steps=True).is_complete
    assert stored(warehouse) == 60


def test_the_steps_of_a_run_cost_one_request(server: TestServer, warehouse: Path) -> None:
    """A server whose lists of runs have said that more follow is believed that no more steps do."""
    server.world(threads=1, runs=120)
    pulled(server, warehouse)
    server.steer("log")
    assert pulled(server, warehouse, steps=True, full=True).is_complete
    assert (asked_for_steps(server), stored(warehouse)) == (120, 120)


def test_all_steps_are_read_where_no_server_says_more(server: TestServer, warehouse: Path) -> None:
    """Lists of steps of a server that never says that more follow are read to their ends."""
    server.world(threads=1, runs=20, page_cap=1, lying_has_more=1.0)
    assert pulled(server, warehouse, steps=True).is_complete
    assert query(warehouse, "select count(*) from steps") == [(40,)]


def test_short_pulls_read_the_steps_of_a_page_in_parts(server: TestServer, warehouse: Path) -> None:
    """A page of runs whose steps take longer than a pull may is stored, and its steps follow."""
    server.world(threads=1, runs=30, delay_seconds=0.08)
    counts = [0]
    while counts[-1] < 30 and len(counts) < 40:
        pulled(server, warehouse, steps=True, deadline_seconds=1.5)
        counts.append(stored(warehouse))
    assert counts[-1] == 30
    assert counts == sorted(counts)
    assert len(counts) > 2
    server.steer("settings", delay_seconds=0)
    assert pulled(server, warehouse, steps=True).is_complete
