"""The server, steered, and a pull from it: what the tests of pulls have in common."""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx2
import msgspec
from server import KEY

from runmart.ingest.pull.client import Patience
from runmart.ingest.pull.credentials import Key
from runmart.ingest.pull.providers import Server
from runmart.ingest.pull.runner import Outcome, Request, pull
from runmart.ingest.pull.schedule import Selection
from runmart.queries import install

HURRIED = Patience(first_pause_seconds=0.01, longest_pause_seconds=0.05, answer_seconds=10)
"""As patient as ever, in less time."""


class TestServer:
    """The server, steered."""

    __test__ = False

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def steer(self, action: str, **fields: Any) -> Any:
        """Tell it something."""
        content = msgspec.json.encode(fields)
        answer = httpx2.post(f"{self.url}/_admin/{action}", content=content, timeout=120)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def world(self, threads: int = 0, runs: int = 0, seed: int = 0, **settings: Any) -> None:
        """A new world."""
        self.steer("world", threads=threads, runs=runs, seed=seed, settings=settings)

    def requests(self) -> int:
        """How many requests came since this was asked last."""
        return self.steer("log")["requests"].get("all", 0)

    def wait_for_requests(self, count: int) -> None:
        """Until so many more requests came."""
        while count > 0:
            count -= self.requests()
            time.sleep(0.02)

    def truth(self) -> list[dict[str, Any]]:
        """All runs as they are."""
        return self.steer("truth")


def given_key() -> Key:
    """The key that the server wants."""
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
    """Pull."""
    return asyncio.run(pull(request(server, warehouse, **changes)))
