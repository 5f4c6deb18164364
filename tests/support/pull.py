"""Helpers of the tests of pulls: control of the test server, and pulls from it."""

import asyncio
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import httpx2
import msgspec

from runmart.ingest.pipeline import ingest
from runmart.ingest.pull.client import Patience
from runmart.ingest.pull.credentials import Key
from runmart.ingest.pull.providers import Server
from runmart.ingest.pull.request import Outcome, Request
from runmart.ingest.pull.runner import pull
from runmart.ingest.pull.schedule import Selection
from runmart.ingest.warehouse.connection import open_for_writing
from runmart.queries import install
from tests.support import command as process
from tests.support.server import KEY
from tests.support.warehouse import empty

HURRIED = Patience(first_pause_seconds=0.01, longest_pause_seconds=0.05, answer_seconds=10)
"""As patient as ever, in less time."""


class TestServer:
    """A client that controls the test server."""

    __test__ = False

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    @cached_property
    def _client(self) -> httpx2.Client:
        """An HTTP client that stays open, since creating one takes longer than most requests."""
        return httpx2.Client(timeout=120, verify=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def steer(self, action: str, **fields: Any) -> Any:
        """Send the server a control request."""
        content = msgspec.json.encode(fields)
        answer = self._client.post(f"{self.url}/_admin/{action}", content=content)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def world(self, threads: int = 0, runs: int = 0, seed: int = 0, **settings: Any) -> None:
        """Replace the threads and runs of the server by a new set."""
        self.steer("world", threads=threads, runs=runs, seed=seed, settings=settings)

    def requests(self) -> int:
        """The number of requests since the last call."""
        return self.steer("log")["requests"].get("all", 0)

    def wait_for_requests(self, count: int) -> None:
        """Wait until the server has received `count` more requests."""
        while count > 0:
            count -= self.requests()
            time.sleep(0.02)

    def truth(self) -> list[dict[str, Any]]:
        """The current state of all runs on the server."""
        return self.steer("truth")


def given_key() -> Key:
    """The key that the server accepts."""
    return Key("$TEST_KEY", lambda: (KEY, None))


def request(server: TestServer, warehouse: Path, /, **changes: Any) -> Request:
    """A pull of all that the server lists, unless changed."""
    defaults: dict[str, Any] = {
        "server": Server(f"{server.url}/foundry", "azure-foundry"),
        "key": given_key(),
        "warehouse": warehouse,
        "source": "test",
        "selection": Selection(known=True),
        "list_threads": True,
        "patience": HURRIED,
        "lock_timeout_seconds": 5.0,
        "prepare": install,
    }
    return Request(**{**defaults, **changes})


def pulled(server: TestServer, warehouse: Path, /, **changes: Any) -> Outcome:
    """Pull, and return the outcome."""
    return asyncio.run(pull(request(server, warehouse, **changes)))


_OF_OBSERVATION = ("observed_at", "observed_position", "load_id", "source")


def contents(warehouse: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the four tables, without the columns that describe the observation."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    with duckdb.connect(warehouse, read_only=True) as connection:
        for table in ("runs", "usage", "tools", "errors"):
            columns = [name for name, *_ in connection.sql(f"describe {table}").fetchall()]
            kept = ", ".join(f"cast({name} as varchar)" for name in columns if name not in _OF_OBSERVATION)
            found[table] = connection.sql(f"select {kept} from {table} order by all").fetchall()
    return found


def assert_equals_truth(server: TestServer, warehouse: Path, tmp_path: Path) -> None:
    """Assert that the warehouse holds exactly the runs of the server."""
    truth = server.truth()
    (tmp_path / "truth.json").write_bytes(msgspec.json.encode(truth))
    with open_for_writing(empty(tmp_path / "truth.duckdb"), 0) as writer:
        ingest(writer, [str(tmp_path / "truth.json")], source="test", workers=0)
    found, expected = contents(warehouse), contents(tmp_path / "truth.duckdb")
    assert len(found["runs"]) == len(truth)
    assert found == expected


def given(server: TestServer, *more: str | Path) -> list[str | Path]:
    """The arguments of a pull from the server, with the profile azure-foundry."""
    return [
        "pull",
        "--base-url",
        f"{server.url}/foundry",
        "--profile",
        "azure-foundry",
        "--api-key-env",
        "TEST_KEY",
        *more,
    ]


def command(*arguments: str | Path, **environment: str) -> process.Completed:
    """Run `runmart` in this process, and check that its output never holds the key."""
    return _without_key(process.command(*arguments, environment=environment))


def launch(*arguments: str | Path, **environment: str) -> process.Completed:
    """Run `runmart` in a process of its own, and check that its output never holds the key."""
    return _without_key(process.launch(*arguments, environment=environment))


def _without_key(done: process.Completed) -> process.Completed:
    assert KEY not in done.stdout + done.stderr
    return done
