"""A large test server: 2,000 threads and 20,000 runs that change during pulls, with all kinds of faults."""

from pathlib import Path

import pytest

from tests.support.pull import TestServer, assert_equals_truth, contents, pulled
from tests.support.warehouse import query

THREADS, RUNS = 2_000, 20_000
LISTS = THREADS // 100


@pytest.mark.slow
def test_thousands_of_threads_that_go_on_meanwhile(server: TestServer, warehouse: Path, tmp_path: Path) -> None:
    """After some pulls, and one when runs no longer change, the warehouse holds the state of the server."""
    faults = {
        "throttled": 0.01,
        "broken": 0.01,
        "reset": 0.005,
        "truncated": 0.005,
        "lying_has_more": 0.3,
        "slow": 0.005,
    }
    server.world(threads=THREADS, runs=RUNS, seed=5, advance_every=10, skew_seconds=100, **faults)
    first = pulled(server, warehouse, concurrency=16)
    assert first.totals.new_runs >= RUNS
    second = pulled(server, warehouse, concurrency=16)
    assert second.totals.new_runs > 0
    assert second.totals.updated_runs > 0
    server.steer("settings", advance_every=0, throttled=0, broken=0, reset=0, truncated=0)
    server.steer("finish")
    server.requests()
    pulled(server, warehouse, concurrency=16)
    assert server.requests() < THREADS + LISTS + 600  # threads, their list, open runs behind the first page and news
    assert_equals_truth(server, warehouse, tmp_path)
    before = _stored(warehouse)
    pulled(server, warehouse, concurrency=16)
    assert server.requests() <= THREADS + LISTS + 10
    assert _stored(warehouse) == before


def _stored(warehouse: Path) -> list[object]:
    return [contents(warehouse), *(query(warehouse, f"from runmart.{table}") for table in ("loads", "threads"))]
