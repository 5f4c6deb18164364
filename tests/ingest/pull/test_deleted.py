"""What was deleted on a server since it was stored: it hides nothing else, and nothing is looked up for ever."""

import time
from pathlib import Path

import pytest

from runmart.ingest.pull.client import Patience
from tests.support.pull import TestServer, pulled
from tests.support.warehouse import query

START = int(time.time()) - 7200
THREAD = "thread_000000"
STATUSES = (404, 500)
"""How servers answer for what they do not know."""
BRIEF = Patience(attempts=2, first_pause_seconds=0.01, longest_pause_seconds=0.02)


def add(server: TestServer, second: int, status: str = "completed") -> str:
    """Add a run to the thread, created so many seconds after the start; its id."""
    return server.steer("run", thread_id=THREAD, status=status, created_at=START + second, expires_at=START + 86_400)[
        "id"
    ]


def ids(warehouse: Path) -> set[str]:
    """The ids of the stored runs."""
    return {run_id for (run_id,) in query(warehouse, "select run_id from runs")}


@pytest.mark.parametrize("status", STATUSES)
def test_a_deleted_cursor_hides_no_new_runs(server: TestServer, warehouse: Path, status: int) -> None:
    """Where the run is deleted behind which an interrupted pull was to go on, the thread is read from the beginning."""
    server.world(threads=1, unknown_status=status)
    wanted = {add(server, 20 * number) for number in range(250)}
    server.steer("settings", delay_seconds=0.5)
    cursor, deadline = None, 1.2
    while cursor is None:  # the machine may have much else to do
        assert pulled(server, warehouse, deadline_seconds=deadline).deadline_reached
        [(cursor,)] = query(warehouse, "select max(gap_after) from runmart.threads")
        deadline += 0.3
    server.steer("settings", delay_seconds=0)
    server.steer("delete", id=cursor)
    new = add(server, 6000)
    assert pulled(server, warehouse, patience=BRIEF).is_complete
    assert ids(warehouse) == wanted | {new}


@pytest.mark.parametrize("status", STATUSES)
def test_a_deleted_open_run_keeps_no_other_open(server: TestServer, warehouse: Path, status: int) -> None:
    """Other open runs of its thread are looked up; a whole reading of the thread gives it up."""
    server.world(threads=1)
    old = [add(server, number, "in_progress") for number in range(2)]
    for number in range(150):
        add(server, 20 * number + 20)
    assert pulled(server, warehouse).is_complete
    server.steer("settings", unknown_status=status)
    server.steer("delete", id=old[0])
    server.steer("change", id=old[1], status="completed")
    outcome = pulled(server, warehouse, patience=BRIEF)
    assert query(warehouse, f"select status from runs where run_id = '{old[1]}'") == [("completed",)]
    assert outcome.is_complete == (status == 404)  # another answer may be the server's own trouble
    assert pulled(server, warehouse, full=True, patience=BRIEF).is_complete
    assert query(warehouse, "select run_id from runmart.given_up_runs") == [(old[0],)]
    assert pulled(server, warehouse, patience=BRIEF).is_complete


def test_an_open_run_of_a_server_without_single_runs_is_found_in_the_list(server: TestServer, warehouse: Path) -> None:
    """An open run that cannot be asked for by its id is not given up while the list has it."""
    server.world(threads=1, gives_runs=False)
    opened = add(server, 0, "in_progress")
    for number in range(1, 150):
        add(server, 20 * number)
    assert pulled(server, warehouse).is_complete
    assert pulled(server, warehouse).given_up == 0
    server.steer("change", id=opened, status="completed")
    assert pulled(server, warehouse).is_complete
    assert query(warehouse, f"select status from runs where run_id = '{opened}'") == [("completed",)]
    assert query(warehouse, "select count(*) from runmart.given_up_runs") == [(0,)]
