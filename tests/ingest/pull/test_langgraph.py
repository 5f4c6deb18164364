"""Pulls from a LangGraph Agent Server: bare arrays, by offset, of runs without an `id`; threads by a search."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.pull import KEY, command
from tests.support.warehouse import query

LARGEST = 1000
"""The most items that the server lists at once."""


def runs(thread_id: str, count: int) -> list[dict[str, Any]]:
    """The runs of a thread, newest first; the last one goes on."""
    found: list[dict[str, Any]] = []
    for number in range(count):
        created_at = f"2026-09-04T{number // 60:02}:{number % 60:02}:47.244887+00:00"
        sent: dict[str, Any] = {"run_id": f"{thread_id}-{number}", "thread_id": thread_id, "assistant_id": "agent"}
        status = "running" if number == count - 1 else "success"
        found.append({**sent, "created_at": created_at, "updated_at": created_at, "status": status, "kwargs": {}})
    return found[::-1]


class _Handler(BaseHTTPRequestHandler):
    threads: dict[str, list[dict[str, Any]]]
    between: list[Callable[[], None]]
    """What happens once, before a page that is not the first."""
    searched: list[dict[str, Any]]
    nameless: list[dict[str, Any]]

    def do_POST(self) -> None:
        """Answer a search for threads."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        _Handler.searched.append(asked)
        found = [
            {"thread_id": name, "created_at": f"2026-09-04T{place % 24:02}:00:00.5+00:00"}
            for place, name in enumerate(self.threads)
        ]
        if self.headers.get("x-api-key") != KEY:
            self._send(403, {"detail": "Missing authentication headers"})
        elif self.path != "/threads/search":
            self._send(404, {"detail": "Not Found"})
        else:
            self._send(200, [*found, *self.nameless][::-1][asked["offset"] :][: asked["limit"]])

    def do_GET(self) -> None:
        """Answer a request for a list of runs, or for one of them."""
        parts = urlsplit(self.path)
        steps, asked = parts.path.split("/"), {name: int(one) for name, [one] in _numbers(parts.query)}
        found = self.threads.get(steps[2]) if len(steps) > 2 else None
        limit, offset = asked.get("limit", 10), asked.get("offset", 0)
        if offset and self.between:
            self.between.pop()()
            found = self.threads[steps[2]]
        if self.headers.get("x-api-key") != KEY:
            self._send(403, {"detail": "Missing authentication headers"})
        elif found is None:
            self._send(404, {"detail": "Thread not found"})
        elif limit > LARGEST:
            self._send(422, {"detail": f"limit: {limit} is greater than the maximum of {LARGEST}"})
        elif len(steps) == 5:
            self._send(200, next(run for run in found if run["run_id"] == steps[4]))
        else:
            self._send(200, found[offset : offset + limit])

    def _send(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""


def _numbers(text: str) -> Iterator[tuple[str, list[str]]]:
    return ((name, values) for name, values in parse_qs(text).items() if values[0].isdigit())


@pytest.fixture(name="address")
def _address() -> Iterator[str]:
    """A server with three threads."""
    _Handler.threads = {name: runs(name, count) for name, count in {"few": 3, "many": 250, "all": 1001}.items()}
    _Handler.between, _Handler.searched, _Handler.nameless = [], [], []
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def pull(address: str, warehouse: Path, *arguments: str) -> tuple[int, str]:
    """The exit code of a pull, and what it says."""
    given = ("--base-url", address, "--profile", "langgraph", "--api-key-env", "TEST_KEY", "-w", warehouse)
    done = command("pull", *given, *arguments, TEST_KEY=KEY)
    return done.returncode, done.stderr


def count(warehouse: Path) -> list[tuple[Any, ...]]:
    """How many runs each thread has, and how many of them are different ones."""
    return query(warehouse, "select thread_id, count(*), count(distinct run_id) from runs group by all order by all")


def test_all_runs_of_all_threads_are_pulled(address: str, new_warehouse: Path) -> None:
    """Threads are searched for, without what their graphs have stored; their runs are listed by offset."""
    assert pull(address, new_warehouse) == (0, "")
    found = query(new_warehouse, "select thread_id, object, status, count(*) from runs group by all order by all")
    assert found == [
        ("all", "langgraph.run", "completed", 1000),
        ("all", "langgraph.run", "in_progress", 1),
        ("few", "langgraph.run", "completed", 2),
        ("few", "langgraph.run", "in_progress", 1),
        ("many", "langgraph.run", "completed", 249),
        ("many", "langgraph.run", "in_progress", 1),
    ]
    assert {tuple(one["select"]) for one in _Handler.searched} == {("thread_id", "created_at")}


def test_runs_that_went_on_are_pulled_again(address: str, new_warehouse: Path) -> None:
    """A later pull brings the end of a run that was open, new runs and new threads."""
    assert pull(address, new_warehouse)[0] == 0
    _Handler.threads["few"] = [{**one, "status": "error"} for one in runs("few", 4)]
    _Handler.threads["new"] = runs("new", 1)
    assert pull(address, new_warehouse)[0] == 0
    found = query(new_warehouse, "select status, count(*) from runs where thread_id = 'few' group by all order by all")
    assert ("in_progress", 1) not in found
    assert count(new_warehouse) == [("all", 1001, 1001), ("few", 4, 4), ("many", 250, 250), ("new", 1, 1)]


def test_more_threads_than_a_page_are_all_found(address: str, new_warehouse: Path) -> None:
    """The list of threads is read to its end."""
    _Handler.threads = {f"thread-{number}": runs(f"thread-{number}", 1) for number in range(230)}
    assert pull(address, new_warehouse) == (0, "")
    assert query(new_warehouse, "select count(*) from runs") == [(230,)]


def test_a_thread_without_an_id_hides_no_others(address: str, new_warehouse: Path) -> None:
    """It is named, and all others are read."""
    _Handler.threads = {"few": runs("few", 3)}
    _Handler.nameless = [{"status": "idle"}]
    code, said = pull(address, new_warehouse)
    assert (code, "1 of its items have no id" in said) == (3, True), said
    assert count(new_warehouse) == [("few", 3, 3)]


def test_runs_that_come_while_a_list_is_read_hide_none(address: str, new_warehouse: Path) -> None:
    """New runs move all others to later places."""

    def happens() -> None:
        _Handler.threads["many"] = runs("many", 290)

    _Handler.between.append(happens)
    named = new_warehouse.with_name("threads.txt")
    named.write_text("many\n")
    for _ in range(2):
        assert pull(address, new_warehouse, "--threads", str(named)) == (0, "")
    assert count(new_warehouse) == [("many", 290, 290)]


def test_runs_that_go_while_a_list_is_read_hide_none(address: str, new_warehouse: Path) -> None:
    """What is deleted moves all others to earlier places: none of them is passed over in silence."""

    def happens() -> None:
        _Handler.threads["many"] = _Handler.threads["many"][30:]

    _Handler.between.append(happens)
    named = new_warehouse.with_name("threads.txt")
    named.write_text("many\n")
    assert pull(address, new_warehouse, "--threads", str(named)) == (0, "")
    assert count(new_warehouse) == [("many", 250, 250)]


def test_there_are_no_steps(address: str, new_warehouse: Path) -> None:
    """They are refused in a sentence, before anything is requested."""
    code, said = pull(address, new_warehouse, "--steps")
    assert (code, "no steps" in said) == (2, True)
    assert _Handler.searched == []
