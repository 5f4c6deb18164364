"""Steps: those that could not be read are requested again, until they are."""

from pathlib import Path

import duckdb
import pytest

from tests.support.pull import TestServer, pulled
from tests.support.warehouse import query

UNREAD = "select count(*) from runmart.unread_steps"


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
    assert query(warehouse, UNREAD) == [(3,)]
    server.steer("settings", steps_status=0)
    assert pulled(server, warehouse, steps=True).is_complete
    assert (stored(warehouse), query(warehouse, UNREAD)) == (40, [(0,)])
    server.steer("finish")
    pulled(server, warehouse, steps=True)
    server.steer("log")
    assert pulled(server, warehouse, steps=True).is_complete
    assert asked_for_steps(server) == 0


def test_steps_of_idle_threads_are_requested_again(server: TestServer, warehouse: Path) -> None:
    """The steps of a thread that is idle, and not read, are requested nevertheless."""
    server.world(threads=1, runs=3)
    server.steer("finish")
    server.steer("settings", steps_status=400)
    pulled(server, warehouse, steps=True)
    with duckdb.connect(warehouse) as connection:
        connection.execute("update runmart.threads set changed_at = changed_at - interval 30 day")
    server.steer("settings", steps_status=0)
    outcome = pulled(server, warehouse, steps=True)
    assert (outcome.is_complete, outcome.idle, stored(warehouse)) == (True, 1, 3)


def test_a_server_without_steps_is_not_asked_for_those_of_each_run(server: TestServer, warehouse: Path) -> None:
    """After ten failures in a row the runs are loaded without steps, which the next pull requests."""
    server.world(threads=1, runs=60, steps_status=400)
    outcome = pulled(server, warehouse, steps=True)
    assert (outcome.is_complete, asked_for_steps(server)) == (False, 10)
    assert query(warehouse, "select count(*) from runs") == [(60,)]
    assert query(warehouse, UNREAD) == [(60,)]
    server.steer("settings", steps_status=0)
    assert pulled(server, warehouse, steps=True).is_complete
    assert stored(warehouse) == 60


def test_all_steps_are_read_where_no_server_says_more(server: TestServer, warehouse: Path) -> None:
    """Lists of steps of a server that never says that more follow are read to their ends."""
    server.world(threads=1, runs=20, steps_cap=1, lying_has_more=1.0)
    assert pulled(server, warehouse, steps=True).is_complete
    assert query(warehouse, "select count(*) from steps") == [(40,)]


def test_runs_whose_steps_never_come_keep_no_others_waiting(server: TestServer, warehouse: Path) -> None:
    """Ten runs whose steps cannot be read have their turn behind the others."""
    server.world(threads=1, runs=30, steps_status=400)
    pulled(server, warehouse, steps=True)
    failing = [run["id"] for run in server.truth()[-12:]]
    server.steer("settings", steps_failing=failing)
    for _ in range(3):
        pulled(server, warehouse, steps=True)
    assert (stored(warehouse), query(warehouse, UNREAD)) == (18, [(12,)])


def test_a_run_that_ends_while_its_list_is_read_has_its_last_steps(server: TestServer, warehouse: Path) -> None:
    """A run that is open on a page, and has ended where the next page repeats it, has its steps read again."""
    server.world(page_cap=10, ends_behind_cursor=True)
    for _ in range(26):
        server.steer("run", thread_id="thread_x", status="in_progress")
    assert pulled(server, warehouse, steps=True).is_complete
    ended = "select count(*) from runs where status = 'completed'"
    late = """
        select count(*) from steps join runs using (run_id)
        where runs.status = 'completed' and steps.status = 'in_progress'"""
    assert query(warehouse, ended)[0][0] > 0
    assert query(warehouse, late) == [(0,)]


@pytest.mark.parametrize("status", [400, 404])
def test_steps_of_a_deleted_run_are_not_wanted_any_more(server: TestServer, warehouse: Path, status: int) -> None:
    """A run that the server does not know, neither with its steps nor by its id, owes none."""
    server.world(threads=1, runs=3, steps_status=405, unknown_status=status)
    pulled(server, warehouse, steps=True)
    server.steer("delete", id=next(run["id"] for run in server.truth() if run["status"] == "completed"))
    server.steer("settings", steps_status=0)
    assert pulled(server, warehouse, steps=True).is_complete
    assert (stored(warehouse), query(warehouse, UNREAD)) == (2, [(0,)])


def test_steps_that_are_not_found_of_a_run_that_is_there_are_missing(server: TestServer, warehouse: Path) -> None:
    """A server that knows a run and not its steps has none to give: that is no success."""
    server.world(threads=1, runs=2, steps_status=404)
    outcome = pulled(server, warehouse, steps=True)
    assert (outcome.is_complete, query(warehouse, UNREAD)) == (False, [(2,)])


def test_steps_of_single_runs_are_requested_again(server: TestServer, warehouse: Path) -> None:
    """What `--run` could not read of a run's steps, a pull of its thread reads."""
    server.world(threads=1, runs=2, steps_status=400)
    run = server.truth()[0]
    single = {"runs": ((run["thread_id"], run["id"]),), "list_threads": False}
    assert not pulled(server, warehouse, steps=True, **single).is_complete
    server.steer("settings", steps_status=0)
    assert pulled(server, warehouse, steps=True).is_complete
    assert stored(warehouse) == 2


def test_all_steps_of_a_full_pull_that_is_cut_off_follow(server: TestServer, warehouse: Path) -> None:
    """Behind a full pull that hits its deadline, the next pull reads the steps of the runs that it did not get to."""
    server.world(threads=1, runs=60, page_cap=20)
    server.steer("finish")
    assert pulled(server, warehouse).is_complete
    server.steer("settings", delay_seconds=0.1)
    assert not pulled(server, warehouse, steps=True, full=True, deadline_seconds=2).is_complete
    server.steer("settings", delay_seconds=0)
    assert pulled(server, warehouse, steps=True).is_complete
    assert stored(warehouse) == 60


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


def test_steps_of_a_run_whose_id_is_none_are_named_once(server: TestServer, warehouse: Path) -> None:
    """No server can be asked for them: they are missed once, and not owed, also where they were noted before."""
    server.world(threads=1, runs=1)
    pulled(server, warehouse, steps=True)
    with duckdb.connect(warehouse) as connection:
        connection.execute("""
            insert into runmart.unread_steps
            select source, thread_id, '..', now(), null from runmart.threads""")
    outcome = pulled(server, warehouse, steps=True)
    assert "the steps of run ..: no server can be asked for them" in str(outcome.first_failure)
    assert query(warehouse, UNREAD) == [(0,)]
    assert pulled(server, warehouse, steps=True).is_complete
