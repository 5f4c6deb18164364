"""A LangGraph Agent Server is pulled from as a compatible server: bare arrays, by offset, of runs without an `id`."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.pull import KEY, command
from tests.support.warehouse import query

LARGEST = 1000
"""The most runs that the server lists at once."""


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

    def do_GET(self) -> None:
        """Answer a request for a list of runs, or for one of them."""
        parts = urlsplit(self.path)
        steps, asked = parts.path.split("/"), {name: int(one) for name, [one] in _numbers(parts.query)}
        found = self.threads.get(steps[2]) if len(steps) > 2 else None
        limit, offset = asked.get("limit", 10), asked.get("offset", 0)
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
    _Handler.threads = {name: runs(name, count) for name, count in {"few": 3, "many": 250, "all": 1000}.items()}
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def pull(address: str, warehouse: Path, *threads: str) -> tuple[int, str]:
    """Pull the runs of some threads, as `POST /threads/search` lists them: exit code and messages."""
    named = warehouse.with_name("threads.json")
    named.write_text(json.dumps([{"thread_id": name, "status": "idle", "values": {}} for name in threads]))
    given = ("--base-url", address, "--profile", "compatible", "--header", "X-Api-Key=TEST_KEY", "-w", warehouse)
    done = command("pull", *given, "--threads", named, TEST_KEY=KEY)
    return done.returncode, done.stderr


def test_all_runs_of_named_threads_are_pulled(address: str, new_warehouse: Path) -> None:
    """The server ignores cursors, and lists up to 1,000 runs of a thread at once."""
    assert pull(address, new_warehouse, "few", "many") == (0, "")
    found = query(new_warehouse, "select thread_id, object, status, count(*) from runs group by all order by all")
    assert found == [
        ("few", "langgraph.run", "completed", 2),
        ("few", "langgraph.run", "in_progress", 1),
        ("many", "langgraph.run", "completed", 249),
        ("many", "langgraph.run", "in_progress", 1),
    ]


def test_runs_that_went_on_are_pulled_again(address: str, new_warehouse: Path) -> None:
    """A later pull brings the end of a run that was open, and new runs."""
    assert pull(address, new_warehouse, "few")[0] == 0
    _Handler.threads["few"] = [{**one, "status": "error"} for one in runs("few", 4)]
    assert pull(address, new_warehouse, "few")[0] == 0
    found = query(new_warehouse, "select status, count(*) from runs group by all order by all")
    assert ("in_progress", 1) not in found
    assert sum(count for _, count in found) == 4


def test_more_runs_than_the_server_lists_at_once_are_no_silent_loss(address: str, new_warehouse: Path) -> None:
    """What came is stored, and the thread is named."""
    code, said = pull(address, new_warehouse, "all")
    assert (code, "all" in said) == (3, True)
    assert query(new_warehouse, "select count(*) from runs") == [(1000,)]
