"""The stored state of threads: gaps, open runs, idle threads and deleted ones."""

import asyncio
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from runmart.ingest.errors import SettingsError
from runmart.ingest.pull import runner
from runmart.ingest.pull.client import Patience
from runmart.ingest.pull.errors import PullError
from runmart.ingest.pull.runner import pull
from runmart.ingest.pull.schedule import LONGEST_INTERVAL_SECONDS, Schedule, Selection
from tests.support.pull import TestServer, assert_equals_truth, pulled, request
from tests.support.warehouse import query


@pytest.fixture(name="_at_once")
def _at_once_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page is stored as soon as it is received."""
    monkeypatch.setattr(runner, "STORED_BYTES", 0)


@pytest.mark.slow
@pytest.mark.usefixtures("_at_once")
def test_an_interrupted_pull_goes_on_where_it_was(server: TestServer, warehouse: Path, tmp_path: Path) -> None:
    """After an interrupted pull the next one reads new runs, then the gap, and no stored page again."""
    server.world(threads=1, runs=3000, delay_seconds=0.05)

    async def interrupted() -> None:
        task = asyncio.create_task(pull(request(server, warehouse)))
        await asyncio.to_thread(server.wait_for_requests, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(interrupted())
    stored = query(warehouse, "select count(*) from runs")[0][0]
    assert 0 < stored < 3000
    state, gap = query(warehouse, "select state, gap_after from runmart.threads")[0]
    assert (state, gap is None) == ("partial", False)
    assert query(warehouse, "select state from runmart.loads") == [("interrupted",)]
    server.steer("advance", steps=20)
    server.requests()
    pulled(server, warehouse)
    assert server.requests() < (3000 - stored) // 100 + 10
    server.steer("settings", delay_seconds=0)
    server.steer("finish")
    pulled(server, warehouse)
    assert query(warehouse, "select state, gap_after from runmart.threads") == [("complete", None)]
    assert_equals_truth(server, warehouse, tmp_path)


@pytest.mark.usefixtures("_at_once")
def test_a_gap_whose_first_run_was_deleted_is_filled(server: TestServer, warehouse: Path) -> None:
    """If the run at the backfill cursor was deleted, the gap is read from the newest run on."""
    server.world(threads=1, runs=500)
    pulled(server, warehouse)
    newest = server.truth()[-1]
    with duckdb.connect(warehouse) as connection:
        connection.execute("delete from runs where run_id < 'run_00000300'")
        connection.execute("update runmart.threads set state = 'partial', gap_after = 'run_gone', page_digest = 'x'")
    outcome = pulled(server, warehouse)
    assert not outcome.failures
    assert newest["id"] == "run_00000500"
    assert query(warehouse, "select count(*) from runs") == [(500,)]


def test_an_open_run_is_looked_up_until_it_ends(server: TestServer, warehouse: Path) -> None:
    """An open run is looked up until it ends, even after hundreds of newer runs."""
    server.world(threads=2)
    start = int(time.time()) - 3600
    old = server.steer("run", thread_id="thread_000000", created_at=start, expires_at=start + 7200)
    for number in range(250):
        server.steer("run", thread_id="thread_000000", status="completed", created_at=start + 10 * (number + 1))
    pulled(server, warehouse)
    assert query(warehouse, f"select status from runs where run_id = '{old['id']}'") == [("queued",)]
    server.steer("change", id=old["id"], status="completed", completed_at=old["created_at"] + 9)
    pulled(server, warehouse)
    assert query(warehouse, f"select status from runs where run_id = '{old['id']}'") == [("completed",)]
    server.requests()
    pulled(server, warehouse)
    assert server.requests() == 3  # the list of threads, and a page of each


@pytest.mark.parametrize("is_on_first_page", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_an_open_run_is_given_up_long_after_it_expired(
    server: TestServer, warehouse: Path, *, is_on_first_page: bool
) -> None:
    """A stale open run is recorded in given_up_runs and not looked up again, except by --full."""
    server.world(threads=1)
    now = int(time.time())
    old = server.steer("run", thread_id="thread_000000", created_at=now - 200_000, expires_at=now - 100_000)
    recent = server.steer("run", thread_id="thread_000000", expires_at=now - 80_000)
    for _ in range(0 if is_on_first_page else 150):
        server.steer("run", thread_id="thread_000000", status="completed")
    pulled(server, warehouse)
    outcome = pulled(server, warehouse)
    assert outcome.given_up == 1
    marks = query(warehouse, "select run_id, reason from runmart.given_up_runs")
    assert marks == [(old["id"], "still queued a day after it expired")]
    server.requests()
    pulled(server, warehouse)
    asked = [path for path in server.steer("log")["paths"] if "/run_" in path]
    assert all(path.endswith(recent["id"]) for path in asked)
    server.steer("change", id=old["id"], status="expired")
    pulled(server, warehouse, full=True)
    assert query(warehouse, f"select status from runs where run_id = '{old['id']}'") == [("expired",)]


def test_a_run_that_the_server_forgot_is_given_up(server: TestServer, warehouse: Path) -> None:
    """An open run that the server has deleted stays as stored, and is not looked up again."""
    server.world(threads=1)
    run = server.steer("run", thread_id="thread_000000")
    pulled(server, warehouse)
    server.steer("delete", id=run["id"])
    assert pulled(server, warehouse).given_up == 1
    assert query(warehouse, "select status from runs") == [("queued",)]


@pytest.mark.slow
def test_since_bounds_a_backfill_and_can_be_taken_back(server: TestServer, warehouse: Path) -> None:
    """A pull without `since`, or with an earlier one, loads the runs that were not requested before."""
    server.world(threads=1)
    now = int(time.time())
    for days in range(300, 0, -1):
        server.steer("run", thread_id="thread_000000", created_at=now - days * 86_400, status="completed")
    pulled(server, warehouse, since=now - 50 * 86_400 - 1)
    assert query(warehouse, "select count(*) from runs") == [(100,)]
    server.requests()
    pulled(server, warehouse, since=now - 40 * 86_400)
    assert server.requests() <= 2
    pulled(server, warehouse)
    assert query(warehouse, "select count(*) from runs") == [(300,)]


def _plan(warehouse: Path, now: float, *, full: bool = False) -> tuple[list[str], Schedule]:
    plan = Schedule(warehouse, "test", 1.0)
    plan.read_source()
    plan.add_known()
    plan.prepare(now, full=full)
    ids = [due.thread.thread_id for some in plan.threads(3) for due in some]
    return ids, plan


def test_idle_threads_are_read_more_and_more_rarely(server: TestServer, warehouse: Path) -> None:
    """An idle thread is read after a tenth of its idle time, at most a week; with --full always."""
    server.world(threads=10, runs=0)
    for number in range(10):
        server.steer("run", thread_id=f"thread_{number:06}", status="completed")
    pulled(server, warehouse)
    now, day = time.time(), 86_400.0
    with duckdb.connect(warehouse) as connection:
        for number, (quiet, checked) in enumerate(
            [(0.5, 0.4), (1.1, 0.1), (1.1, 0.2), (50, 4.9), (50, 5.1), (1000, 6.9), (1000, 7.1)]
        ):
            connection.execute(
                """
                update runmart.threads set changed_at = to_timestamp(?), checked_at = to_timestamp(?)
                where thread_id = ?""",
                [now - quiet * day, now - checked * day, f"thread_{number:06}"],
            )
    assert 7 * day == LONGEST_INTERVAL_SECONDS
    due, plan = _plan(warehouse, now)
    assert plan.skipped_idle == 3
    assert {int(name[-6:]) for name in due} == {0, 2, 4, 6, 7, 8, 9}
    assert len(_plan(warehouse, now, full=True)[0]) == 10


def test_an_idle_thread_that_was_read_is_not_due_again(server: TestServer, warehouse: Path) -> None:
    """The check of a thread that is idle for a day or more is stored, so that it is not due again at once."""
    server.world(threads=1)
    now = int(time.time())
    server.steer("run", thread_id="thread_000000", status="completed", created_at=now - 40 * 86_400)
    pulled(server, warehouse)
    assert pulled(server, warehouse).idle == 1
    with duckdb.connect(warehouse) as connection:
        connection.execute("update runmart.threads set checked_at = checked_at - interval 5 day")
    assert pulled(server, warehouse).threads == 1
    assert pulled(server, warehouse).threads == 0


def test_forgotten_and_forbidden_threads_do_not_stop_the_others(server: TestServer, warehouse: Path) -> None:
    """Unknown and forbidden threads are recorded with their error; unknown ones are reported once."""
    names: dict[str, Any] = {
        "missing": ["thread_000001"],
        "forbidden": ["thread_000002"],
        "malformed": ["thread_000003"],
    }
    server.world(threads=6, runs=60, **names)
    outcome = pulled(server, warehouse)
    assert outcome.failures.total() == 3
    errors = dict(query(warehouse, "select thread_id, error from runmart.threads where error is not null"))
    assert set(errors) == {"thread_000001", "thread_000002", "thread_000003"}
    assert "404" in errors["thread_000001"]
    assert "403" in errors["thread_000002"]
    assert "no list" in errors["thread_000003"]
    again = pulled(server, warehouse)
    assert (again.failures.total(), again.gone) == (2, 1)
    server.steer("settings", missing=[], forbidden=[], malformed=[])
    pulled(server, warehouse, full=True)
    assert query(warehouse, "select count(*) from runs") == [(60,)]
    assert query(warehouse, "select distinct state, error from runmart.threads") == [("complete", None)]


def test_threads_come_from_lists_queries_and_the_warehouse(server: TestServer, warehouse: Path, tmp_path: Path) -> None:
    """Threads from all selections are added up, and each is read once."""
    server.world(threads=9, runs=90)
    parquet = tmp_path / "app.parquet"
    duckdb.sql(f"copy (select 'thread_00000' || i as id, i from range(3, 6) as t(i)) to '{parquet}'")
    selection = Selection(["thread_000001", "thread_000003"], f"select id from '{parquet}'")
    outcome = pulled(server, warehouse, selection=selection, list_threads=False)
    assert outcome.threads == 4
    outcome = pulled(server, warehouse, selection=Selection(["thread_000008"], known=True), list_threads=False)
    assert outcome.threads == 5
    with pytest.raises(SettingsError, match="--threads-sql"):
        pulled(server, warehouse, selection=Selection(sql="select nothing from nowhere"), list_threads=False)


def test_the_deadline_stops_a_pull_and_the_next_one_goes_on(server: TestServer, warehouse: Path) -> None:
    """A pull that reaches its deadline stores its results; the next one continues."""
    server.world(threads=300, runs=500, delay_seconds=0.05)
    outcome = pulled(server, warehouse, deadline_seconds=3, concurrency=2)
    assert outcome.deadline_reached
    stored = query(warehouse, "select count(*) from runs")[0][0]
    assert 0 < stored < 500
    server.steer("settings", delay_seconds=0)
    pulled(server, warehouse)
    assert query(warehouse, "select count(*) from runs") == [(500,)]


def test_listed_threads_that_were_not_reached_are_not_forgotten(server: TestServer, warehouse: Path) -> None:
    """Listed threads that a pull did not reach are stored, and the next pull reads them without the whole list."""
    server.world(threads=300, runs=600, delay_seconds=0.05)
    assert pulled(server, warehouse, deadline_seconds=3, concurrency=2).deadline_reached
    counts = dict(query(warehouse, "select state, count(*) from runmart.threads group by all"))
    assert counts["listed"] > 0
    assert sum(counts.values()) == 300
    server.steer("settings", delay_seconds=0)
    server.requests()
    pulled(server, warehouse)
    assert sum(path.endswith("/threads") for path in server.steer("log")["paths"]) <= 1
    assert query(warehouse, "select count(*) from runs") == [(600,)]


@pytest.mark.slow
def test_a_list_that_breaks_off_is_read_again(server: TestServer, warehouse: Path) -> None:
    """A list of threads that was read in part only is read again by the next pull."""
    server.world(threads=250, runs=500, seed=2, truncated=0.5)
    for _ in range(6):
        pulled(server, warehouse)
    server.steer("settings", truncated=0)
    pulled(server, warehouse)
    assert query(warehouse, "select count(*) from runmart.threads") == [(250,)]
    assert query(warehouse, "select count(*) from runs") == [(500,)]


def test_rate_limit_headers_hold_requests_back(server: TestServer, warehouse: Path) -> None:
    """When the rate limit is used up, all requests wait until it is reset."""
    server.world(threads=3, runs=9, spent=True)
    started = time.monotonic()
    pulled(server, warehouse, concurrency=1, patience=Patience())
    assert time.monotonic() - started > 3 * 0.3
    assert query(warehouse, "select count(*) from runs") == [(9,)]


@pytest.mark.parametrize(("fault", "words"), [("malformed", "no list"), ("forbidden", "403")])
def test_a_server_that_gives_no_thread_is_not_asked_for_all(
    server: TestServer, warehouse: Path, fault: str, words: str
) -> None:
    """After fifty unreadable threads in a row the pull ends, and stores the results before."""
    faults: dict[str, Any] = {fault: [f"thread_{number:06}" for number in range(10, 500)]}
    server.world(threads=500, runs=1000, **faults)
    with pytest.raises(PullError, match=f"50 threads in a row could not be read.*{words}"):
        pulled(server, warehouse, concurrency=2)
    assert server.requests() < 300
    assert query(warehouse, "select count(distinct thread_id) > 5 from runs") == [(True,)]
    assert query(warehouse, "select state from runmart.loads") == [("failed",)]
