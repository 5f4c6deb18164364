"""Pull: the warehouse equals the server, whatever happens on the way."""

from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from pulls import TestServer, pulled

from runmart.ingest.pipeline import ingest
from runmart.ingest.warehouse.connection import open_for_writing

_OF_OBSERVATION = ("observed_at", "observed_position", "load_id", "source")


def contents(warehouse: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the four tables, but for what tells of the observation."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    with duckdb.connect(warehouse, read_only=True) as connection:
        for table in ("runs", "usage", "tools", "errors"):
            columns = [name for name, *_ in connection.sql(f"describe {table}").fetchall()]
            kept = ", ".join(f"cast({name} as varchar)" for name in columns if name not in _OF_OBSERVATION)
            found[table] = connection.sql(f"select {kept} from {table} order by all").fetchall()
    return found


def assert_equals_truth(server: TestServer, warehouse: Path, tmp_path: Path) -> None:
    """The warehouse holds what the server has, and nothing else."""
    truth = server.truth()
    (tmp_path / "truth.json").write_bytes(msgspec.json.encode(truth))
    (tmp_path / "truth.duckdb").unlink(missing_ok=True)
    with open_for_writing(tmp_path / "truth.duckdb", 0) as connection:
        ingest(connection, [str(tmp_path / "truth.json")], source="test", workers=0)
    found, expected = contents(warehouse), contents(tmp_path / "truth.duckdb")
    assert len(found["runs"]) == len(truth)
    assert found == expected


def query(warehouse: Path, text: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with duckdb.connect(warehouse, read_only=True) as connection:
        return connection.sql(text).fetchall()


def test_all_runs_of_all_threads_are_there(server: TestServer, warehouse: Path, tmp_path: Path) -> None:
    """A first pull loads everything, page by page."""
    server.world(threads=20, runs=700)
    outcome = pulled(server, warehouse)
    assert outcome.totals.new_runs == 700
    assert not outcome.failures
    assert_equals_truth(server, warehouse, tmp_path)


def test_a_second_pull_asks_once_per_thread_and_writes_nothing(server: TestServer, warehouse: Path) -> None:
    """Nothing new: one request per thread, and one for the list; the file stays as it is, byte for byte."""
    server.world(threads=30, runs=900)
    pulled(server, warehouse)
    server.requests()
    before = warehouse.read_bytes()
    outcome = pulled(server, warehouse)
    assert server.requests() <= 30 + 1
    assert outcome.totals.observations == 0
    assert outcome.load_id is None
    assert warehouse.read_bytes() == before


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
    """Runs advance while they are pulled, and everything that can go wrong does."""
    server.world(threads=12, runs=800, seed=3, advance_every=5, **faults)
    for _ in range(4):
        pulled(server, warehouse)
    server.steer("settings", advance_every=0, throttled=0, broken=0, reset=0, truncated=0, repeated=0)
    server.steer("finish")
    pulled(server, warehouse)
    assert_equals_truth(server, warehouse, tmp_path)
