"""Responses on the test server, and pulls of them."""

import time
from pathlib import Path
from typing import Any

from runmart.ingest.pull.names import RESPONSES
from runmart.ingest.pull.providers import ProfileName, Server
from runmart.ingest.pull.request import Outcome
from runmart.ingest.pull.schedule import Selection
from tests.support.pull import TestServer, pulled
from tests.support.warehouse import query

HOUR_AGO = int(time.time()) - 3600
BASES: dict[ProfileName, str] = {"foundry-v2": "foundry", "llama-stack": "llama", "openai": "openai"}


def add(server: TestServer, count: int = 1, start: int = HOUR_AGO, apart: int = 30, **fields: Any) -> list[str]:
    """Add responses, some seconds apart; their ids, oldest first."""
    given = [{"created": start + apart * number, **fields} for number in range(count)]
    return [one["id"] for one in server.steer("responses", given=given)]


def pull_responses(server: TestServer, warehouse: Path, profile: ProfileName = "foundry-v2", **changes: Any) -> Outcome:
    """Pull the list of responses, unless changed."""
    defaults: dict[str, Any] = {
        "server": Server(f"{server.url}/{BASES[profile]}", profile),
        "selection": Selection(),
        "list_threads": False,
        "records": [RESPONSES],
    }
    return pulled(server, warehouse, **{**defaults, **changes})


def stored(warehouse: Path) -> list[str]:
    """The ids of the stored responses, in order."""
    return [run_id for (run_id,) in query(warehouse, "select run_id from runs where object = 'response' order by all")]


def state(warehouse: Path) -> list[tuple[Any, ...]]:
    """The names and states in `runmart.threads`, in order."""
    return query(warehouse, "select thread_id, state from runmart.threads order by all")
