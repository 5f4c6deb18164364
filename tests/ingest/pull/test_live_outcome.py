"""The outcome of a pull while it runs: what progress is made of."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from runmart.ingest.pull.client import Client, Patience
from runmart.ingest.pull.providers import Server
from runmart.ingest.pull.request import Outcome
from runmart.ingest.pull.runner import pull
from tests.support.pull import TestServer, given_key, request


def test_the_outcome_counts_threads_and_runs_while_the_pull_runs(server: TestServer, warehouse: Path) -> None:
    """Progress is called at the start and after each thread, with all threads and the runs found so far."""
    server.world(threads=5, runs=230)
    found: list[tuple[int, int | None, int]] = []

    def progress(outcome: Outcome) -> None:
        found.append((outcome.threads, outcome.threads_in_all, outcome.runs_found))

    asyncio.run(pull(request(server, warehouse), progress))
    assert [(threads, in_all) for threads, in_all, _ in found] == [(0, None), *((place + 1, 5) for place in range(5))]
    runs = [count for *_, count in found]
    assert runs == sorted(runs)
    assert (runs[0], runs[-1]) == (0, 230)
    found.clear()
    run = server.truth()[0]
    asyncio.run(pull(request(server, warehouse, runs=[(run["thread_id"], run["id"])]), progress))
    assert found[-1] == (5, 5, 1)


@pytest.mark.parametrize(
    ("limit", "least"),
    [({"storm": 1, "retry_after": "0.4"}, 0.3), ({"storm": 1, "retry_after": ""}, 0.1), ({"spent": True}, 0.2)],
    ids=["named in an error", "not named", "named in an answer"],
)
def test_a_pause_for_a_rate_limit_is_known_until_it_ends(
    server: TestServer, warehouse: Path, limit: dict[str, Any], least: float
) -> None:
    """The outcome tells how long a pause will last, whether the server has named it or not."""
    server.world(threads=1, runs=3, **limit)
    patience = Patience(first_pause_seconds=0.4)

    async def longest() -> float:
        live = Outcome()

        def take(outcome: Outcome) -> None:
            nonlocal live
            live = outcome

        pulling = asyncio.create_task(pull(request(server, warehouse, patience=patience), take))
        waiting = 0.0
        while not pulling.done():
            waiting = max(waiting, live.counters.waiting_seconds())
            await asyncio.sleep(0.01)
        await pulling
        return waiting

    assert least < asyncio.run(longest()) <= 0.45


def test_a_pause_is_over_when_a_request_is_answered(server: TestServer) -> None:
    """A pause that the server has not named counts until another request is answered."""
    server.world(threads=1, runs=3, storm=1, retry_after="")
    base = Server(f"{server.url}/foundry", "azure-foundry")

    async def waiting() -> tuple[float, float]:
        async with Client(base, given_key(), 2, Patience(first_pause_seconds=5)) as client:
            throttled = asyncio.create_task(client.get(base.threads))
            while not client.counters.retries:
                await asyncio.sleep(0.01)
            before = client.counters.waiting_seconds()
            await client.get(base.threads)
            after = client.counters.waiting_seconds()
            throttled.cancel()
            return before, after

    before, after = asyncio.run(waiting())
    assert before > 1
    assert after == 0
