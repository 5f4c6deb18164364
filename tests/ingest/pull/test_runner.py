"""Pulls: the warehouse holds the state of the server, whatever fails on the way."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.pull import TestServer, assert_equals_truth, contents, pulled
from tests.support.warehouse import query


def test_all_runs_of_all_threads_are_there(server: TestServer, warehouse: Path, tmp_path: Path) -> None:
    """A first pull loads everything, page by page."""
    server.world(threads=20, runs=700)
    outcome = pulled(server, warehouse)
    assert outcome.totals.new_runs == 700
    assert not outcome.failures
    assert_equals_truth(server, warehouse, tmp_path)


def test_a_second_pull_asks_once_per_thread_and_writes_nothing(server: TestServer, warehouse: Path) -> None:
    """Without new runs a pull costs one request per thread and one for the list, and is no load."""
    server.world(threads=30, runs=900)
    pulled(server, warehouse)
    server.requests()
    before = contents(warehouse), _bookkeeping(warehouse)
    outcome = pulled(server, warehouse)
    assert server.requests() <= 30 + 1
    assert outcome.totals.observations == 0
    assert outcome.load_id is None
    assert (contents(warehouse), _bookkeeping(warehouse)) == before


def _bookkeeping(warehouse: Path) -> list[list[tuple[Any, ...]]]:
    tables = ("loads", "inputs", "rejects", "threads", "given_up_runs")
    return [query(warehouse, f"from runmart.{table} order by all") for table in tables]


FAULTS: dict[str, dict[str, Any]] = {
    "throttled": {"throttled": 0.3},
    "storm": {"storm": 60, "retry_after": "0.05"},
    "broken": {"broken": 0.3},
    "reset": {"reset": 0.3},
    "slow": {"slow": 0.3},
    "truncated": {"truncated": 0.2},
    "lying": {"lying_has_more": 0.7},
    "always more": {"always_more": True},
    "repeated": {"repeated": 0.15},
    "small pages": {"page_cap": 7},
    "ascending": {"ascending": True},
    "bare": {"bare": True},
    "clocks": {"skew_seconds": 300, "clock_offset": -4000},
    "all": {
        "throttled": 0.05,
        "broken": 0.05,
        "reset": 0.05,
        "truncated": 0.03,
        "lying_has_more": 0.3,
        "repeated": 0.03,
        "slow": 0.05,
        "skew_seconds": 200,
    },
}


QUICK = ("throttled", "lying", "repeated", "all")


@pytest.mark.parametrize(
    "faults",
    [pytest.param(faults, id=name, marks=() if name in QUICK else pytest.mark.slow) for name, faults in FAULTS.items()],
)
def test_the_warehouse_equals_the_server_once_it_is_quiet(
    server: TestServer, warehouse: Path, tmp_path: Path, faults: dict[str, Any]
) -> None:
    """Runs change during pulls with all kinds of faults; after a last pull the warehouse equals the server."""
    server.world(threads=12, runs=800, seed=3, advance_every=5, **faults)
    for _ in range(4):
        pulled(server, warehouse)
    server.steer("settings", advance_every=0, throttled=0, broken=0, reset=0, truncated=0, repeated=0)
    server.steer("finish")
    pulled(server, warehouse)
    assert_equals_truth(server, warehouse, tmp_path)
