"""Servers with manners as real ones have been seen to have: `runmart pull` is complete, or says what is missing."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Completed
from tests.support.pull import KEY, TestServer, command, given
from tests.support.warehouse import query

WORDS = "this key may not read project green"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder, with the key in its environment variable."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEST_KEY", KEY)
    monkeypatch.delenv("RUNMART_WAREHOUSE", raising=False)


def pull(server: TestServer, warehouse: Path, *more: str) -> Completed:
    """Pull all that the server lists."""
    return command(*given(server, "-w", warehouse, *more))


def add(server: TestServer, count: int, thread_id: str = "thread_000000", **fields: Any) -> None:
    """Add ended runs to a thread."""
    server.steer("run", count=count, thread_id=thread_id, status="completed", **fields)


def missing(server: TestServer, warehouse: Path) -> set[str]:
    """Runs of the server that are not stored."""
    stored = {run_id for (run_id,) in query(warehouse, "select run_id from runs")}
    return {run["id"] for run in server.truth()} - stored


def assert_complete(done: Completed, server: TestServer, warehouse: Path) -> None:
    """Assert that a pull ended with 0, and that all runs of the server are stored."""
    assert (done.returncode, done.stderr) == (0, "")
    assert missing(server, warehouse) == set()


LATER: dict[str, Any] = {"after": "later", "lying_has_more": 1.0}
"""A server from the package index: `after` means "created later", in either order, and `has_more` is always false."""

IGNORED: dict[str, Any] = {"after": "ignored"}
"""Each page is the first one, however large."""


@pytest.mark.parametrize(
    ("manners", "way"),
    [(LATER, "oldest first"), ({**IGNORED, "page_cap": 10_000}, "large pages")],
    ids=["later", "ignored"],
)
def test_cursors_that_mean_something_else(
    server: TestServer, warehouse: Path, manners: dict[str, Any], way: str
) -> None:
    """The list is read in another way, which is remembered; runs that come later are found."""
    server.world(threads=1, runs=250, **manners)
    assert_complete(pull(server, warehouse), server, warehouse)
    assert query(warehouse, "select runs_manners ->> 'paging' from runmart.sources") == [(way,)]
    add(server, 30)
    server.requests()
    assert_complete(pull(server, warehouse), server, warehouse)
    assert server.requests() < 8


@pytest.mark.slow
@pytest.mark.parametrize("manners", [LATER, {**IGNORED, "page_cap": 10_000}], ids=["later", "ignored"])
def test_cursors_of_lists_of_threads_that_mean_something_else(
    server: TestServer, warehouse: Path, manners: dict[str, Any]
) -> None:
    """All threads are found, also where there are more than a page holds, and those that come later."""
    server.world(threads=230, runs=260, **manners)
    assert_complete(pull(server, warehouse), server, warehouse)
    for number in range(230, 340):
        add(server, 1, f"thread_{number:06}")
    assert_complete(pull(server, warehouse), server, warehouse)


def test_a_list_whose_end_cannot_be_reached_is_incomplete(server: TestServer, warehouse: Path) -> None:
    """Where only the first page ever comes, the thread is named, what was found is stored, and others are complete."""
    server.world(threads=2, runs=0, **IGNORED)
    add(server, 250)
    add(server, 5, "thread_000001")
    for _ in range(2):  # it does not become complete by being asked again
        done = pull(server, warehouse)
        assert done.returncode == 3
        assert (
            "1 could not be read; first thread thread_000000: the server's pages do not lead to the end" in done.stderr
        )
        states = query(warehouse, "select thread_id, state, error is null from runmart.threads order by all")
        assert states == [("thread_000000", "partial", False), ("thread_000001", "complete", True)]
        assert len(missing(server, warehouse)) == 250 - 200  # both ends of the list were found


@pytest.mark.slow
def test_a_list_of_threads_whose_end_cannot_be_reached_is_incomplete(server: TestServer, warehouse: Path) -> None:
    """Where only the first page of threads ever comes, it is said; the threads on it are read."""
    server.world(threads=230, runs=0, **IGNORED)
    for number in range(230):
        add(server, 1, f"thread_{number:06}")
    done = pull(server, warehouse)
    assert done.returncode == 3
    assert "1 could not be read; first the list of threads: the server's pages do not lead to the end" in done.stderr
    assert len(missing(server, warehouse)) == 230 - 200
    server.steer("settings", after="behind")
    assert_complete(pull(server, warehouse), server, warehouse)


@pytest.mark.parametrize("ahead", [3 * 3600, pytest.param(40 * 86_400, marks=pytest.mark.slow)])
def test_a_run_dated_ahead_hides_no_later_ones(server: TestServer, warehouse: Path, ahead: int) -> None:
    """Runs that come after it, in several pulls, are found."""
    server.world(threads=1, runs=0)
    add(server, 1, created_at=int(time.time()) + ahead)
    assert_complete(pull(server, warehouse), server, warehouse)
    start = int(time.time()) - 86_400
    for numbers in (range(250), range(250, 255)):
        for number in numbers:
            add(server, 1, created_at=start + 60 * number)
        assert_complete(pull(server, warehouse), server, warehouse)
    assert_complete(pull(server, warehouse), server, warehouse)
    server.requests()
    assert_complete(pull(server, warehouse), server, warehouse)
    assert server.requests() <= 3  # the list of threads, and the thread


@pytest.mark.slow
def test_a_run_dated_ahead_hides_none_that_is_put_between_known_ones(server: TestServer, warehouse: Path) -> None:
    """A list that is ordered by dates is read as far beyond the newest ones as clocks may differ."""
    now = int(time.time())
    server.world(threads=1, runs=0, page_cap=10, skew_seconds=1)
    add(server, 1, created_at=now + 3 * 3600)
    for place in range(40):
        add(server, 1, created_at=now - 400 + 10 * place)
    assert_complete(pull(server, warehouse), server, warehouse)
    add(server, 3, created_at=now)
    add(server, 1, created_at=now - 355)  # by a clock that is behind: on the fourth page
    assert_complete(pull(server, warehouse), server, warehouse)


def test_a_rejected_run_hides_no_later_ones(server: TestServer, warehouse: Path) -> None:
    """A run dated in microseconds is rejected, and said to be, as often as it comes; runs after it are found."""
    server.world(threads=1, runs=0)
    add(server, 1, created_at=int(time.time() * 1e6))
    done = pull(server, warehouse)
    assert done.returncode == 3
    assert "1 items were rejected" in done.stderr
    rejected = missing(server, warehouse)
    assert len(rejected) == 1
    for count in (250, 5):
        add(server, count)
        done = pull(server, warehouse)
        assert (done.returncode, done.stderr != "") in {(3, True), (0, False)}  # it may lie behind what is read
        assert missing(server, warehouse) == rejected
    kept = query(warehouse, "select raw from runmart.rejects")
    assert {json.loads(text)["id"] for (text,) in kept} == rejected


@pytest.mark.parametrize(
    "created",
    [1_900_000_000 * 10**9, pytest.param(2**70, marks=pytest.mark.slow), pytest.param(1e300, marks=pytest.mark.slow)],
)
def test_a_huge_instant_costs_one_run(server: TestServer, warehouse: Path, created: float) -> None:
    """A run whose instant no column holds is a reject; all others, of its thread and of other ones, are stored."""
    server.world(threads=2, runs=0)
    add(server, 120, "thread_000001")
    add(server, 1, created_at=created)
    add(server, 3)
    done = pull(server, warehouse)
    assert done.returncode == 3
    assert "1 items were rejected; see: runmart rejects" in done.stderr
    rejected = missing(server, warehouse)
    [(path, text)] = query(warehouse, "select json_path, raw from runmart.rejects")
    assert (path, {json.loads(text)["id"]}) == ("$.data[3].created_at", rejected)
    add(server, 2)
    pull(server, warehouse)
    assert missing(server, warehouse) == rejected


@pytest.mark.parametrize(
    "deadline", [[], pytest.param(["--deadline", "20s"], marks=pytest.mark.slow)], ids=["no deadline", "deadline"]
)
def test_a_server_that_forbids_all_is_quoted(server: TestServer, warehouse: Path, deadline: list[str]) -> None:
    """The exit code is 1, with the server's own words, with and without a list of threads."""
    refusal = json.dumps({"error": {"message": WORDS, "code": "forbidden"}})
    server.world(threads=2, runs=10, refusal=refusal, refusal_status=403)
    for more in ([], ["--threads", "threads.txt"]):
        Path("threads.txt").write_text("thread_000000\nthread_000001\n")
        done = pull(server, warehouse, *more, *deadline)
        assert (done.returncode, f'saying "{WORDS}"' in done.stderr) == (1, True), done.stderr


@pytest.mark.slow
def test_a_slow_server_is_read_in_turns(server: TestServer, warehouse: Path) -> None:
    """Pulls that hit their deadline say so, and after some of them all threads were read."""
    server.world(threads=24, runs=0, delay_seconds=0.1)
    for number in range(24):
        add(server, 2, f"thread_{number:06}")
    for _ in range(30):
        done = pull(server, warehouse, "--deadline", "2s", "--concurrency", "1")
        if done.returncode == 0 or not missing(server, warehouse):
            break
        assert done.returncode == 3
        assert "hit its time limit; partial results are committed, the next pull continues" in done.stderr
    assert missing(server, warehouse) == set()
    server.steer("settings", delay_seconds=0)
    assert_complete(pull(server, warehouse), server, warehouse)


def test_a_server_that_is_too_slow_for_the_deadline_is_named(server: TestServer, warehouse: Path) -> None:
    """Where nothing is answered before the deadline, the exit code is 1, and the message says of whom and when."""
    server.world(threads=1, runs=5, delay_seconds=1.0)
    done = pull(server, warehouse, "--deadline", "0.2s")
    assert done.returncode == 1
    assert "answered nothing within 0.2 s (--deadline)" in done.stderr
