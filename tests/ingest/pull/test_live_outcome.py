"""The outcome of a pull while it runs: what progress is made of."""

import asyncio
from pathlib import Path

import pytest

from runmart.ingest.pull.client import Patience
from runmart.ingest.pull.runner import Outcome, pull
from tests.support.pull import TestServer, request


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


@pytest.mark.parametrize(("retry_after", "least"), [("0.4", 0.3), ("", 0.1)])
def test_a_pause_for_a_rate_limit_is_known_until_it_ends(
    server: TestServer, warehouse: Path, retry_after: str, least: float
) -> None:
    """The outcome tells how long a pause will last, whether the server has named it or not, and that it is over."""
    server.world(threads=1, runs=3, storm=1, retry_after=retry_after)
    patience = Patience(first_pause_seconds=0.4)

    async def watched() -> list[float]:
        live = Outcome()

        def take(outcome: Outcome) -> None:
            nonlocal live
            live = outcome

        pulling = asyncio.create_task(pull(request(server, warehouse, patience=patience), take))
        waiting = [0.0]
        while not pulling.done():
            waiting.append(live.counters.waiting_seconds())
            await asyncio.sleep(0.01)
        await pulling
        return [*waiting, live.counters.waiting_seconds()]

    waiting = asyncio.run(watched())
    assert least < max(waiting) <= 0.45
    assert waiting[-1] == 0
