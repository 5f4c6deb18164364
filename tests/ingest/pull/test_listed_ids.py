"""Ids that a server lists, and that can stand in no path: they are named, and never asked for."""

import time
from pathlib import Path

from tests.support.pull import TestServer, pulled
from tests.support.warehouse import query

ODD = ("..", ".", "a/b", "a b", "a\u0000b", "a\u200bb", "x" * 300, "\\")


def test_threads_whose_ids_are_none_are_named_and_not_asked_for(server: TestServer, warehouse: Path) -> None:
    """Each is a failure once, the others are read, and no request goes astray."""
    server.world(threads=2, runs=10)
    for thread_id in ODD:
        server.steer("run", thread_id=thread_id, status="completed")
    server.requests()
    outcome = pulled(server, warehouse)
    assert not outcome.is_complete
    assert sum(outcome.failures.values()) == len(ODD)
    assert any("'a/b'" in reason and "slash" in reason for reason in outcome.failures)
    asked = {path.rsplit("/threads/", 1)[1] for path in server.steer("log")["paths"] if "/threads/" in path}
    assert asked == {"thread_000000/runs", "thread_000001/runs"}
    assert query(warehouse, "select count(*) from runs") == [(10,)]
    assert pulled(server, warehouse).is_complete  # as for threads that a server does not know, it is said once


def test_an_open_run_whose_id_is_none_is_found_in_the_list(server: TestServer, warehouse: Path) -> None:
    """A stored open run that cannot be asked for is looked for in the list, and given up when it is gone."""
    server.world(threads=1)
    start = int(time.time()) - 7200
    server.steer("run", thread_id="thread_000000", id="..", created_at=start)
    for number in range(1, 111):
        server.steer("run", thread_id="thread_000000", status="completed", created_at=start + 20 * number)
    pulled(server, warehouse)
    server.steer("run", thread_id="thread_000000", status="completed", created_at=start + 3000)
    outcome = pulled(server, warehouse)
    assert (outcome.is_complete, outcome.given_up) == (True, 0)
    server.steer("delete", id="..")
    outcome = pulled(server, warehouse)
    assert (outcome.is_complete, outcome.given_up) == (True, 1)
    assert query(warehouse, "select run_id from runmart.given_up_runs") == [("..",)]


def test_listed_items_without_an_id_are_counted(server: TestServer, warehouse: Path) -> None:
    """Threads that a server lists without an id make the pull incomplete."""
    server.world(threads=3, runs=10)
    server.steer("settings", nameless_threads=2)
    outcome = pulled(server, warehouse)
    assert not outcome.is_complete
    assert outcome.first_failure == "the list of threads: 2 of its items have no id"
