"""Turns of any responses: each response is in exactly one, and nothing is counted twice or lost."""

from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runmart.ingest.warehouse.file_backend import FileWriter
from runmart.ingest.warehouse.migrations import create_tables
from runmart.queries import install
from tests.support.recomputed_turns import turn_runs
from tests.support.rows import Fill, Rows, assert_rows, insert, records

IDS = [f"r{number}" for number in range(9)]
Run = dict[str, Any]


def response(**fields: Any) -> Run:
    """A response."""
    return {"object": "response", **fields}


def run(**fields: Any) -> Run:
    """A run."""
    return {"object": "thread.run", "source": "a", "previous_run_id": None, **fields}


RESPONSES = st.builds(
    response,
    source=st.sampled_from(["a", "a", "a", "b"]),
    previous_run_id=st.sampled_from([None, None, *IDS, "gone"]),
    thread_id=st.sampled_from([None, "c1", "c2"]),
    waits_for_client=st.sampled_from([True, True, False, None]),
    status=st.sampled_from(["completed", "completed", "failed", "queued"]),
    created_at=st.one_of(st.none(), st.integers(1_770_000_000, 1_770_000_004)),
    completed_at=st.one_of(st.none(), st.integers(1_770_000_004, 1_770_000_009)),
    tokens=st.one_of(st.none(), st.integers(0, 1000)),
)
RUNS = st.builds(
    run,
    thread_id=st.sampled_from([None, "c1"]),
    status=st.sampled_from(["completed", "requires_action"]),
    created_at=st.integers(1_770_000_000, 1_770_000_004),
    tokens=st.integers(0, 1000),
)


@pytest.fixture(name="connection", scope="module")
def _connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the views, which each example fills anew."""
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        create_tables(connection)
        install(FileWriter(connection))
        yield connection


def rows_of(runs: Sequence[dict[str, Any]]) -> Rows:
    """Runs and their usage."""
    named = [{"run_id": run_id, **run} for run_id, run in zip(IDS, runs, strict=False)]
    usage = [{"run_id": run["run_id"], "total_tokens": run["tokens"]} for run in named if run["tokens"] is not None]
    return {
        "runs": [{name: value for name, value in run.items() if name != "tokens"} for run in named],
        "usage": usage,
    }


def refilled(connection: duckdb.DuckDBPyConnection, tables: Rows) -> tuple[list[Any], list[Any]]:
    """The rows of both views over other tables."""
    connection.execute("delete from runs; delete from usage")
    insert(connection, tables)
    return records(connection, "turn_runs", "run_id"), records(connection, "turns", "turn_id")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(runs=st.lists(st.one_of(RESPONSES, RESPONSES, RESPONSES, RUNS), max_size=len(IDS)), order=st.randoms())
def test_every_response_is_in_exactly_one_turn(
    connection: duckdb.DuckDBPyConnection, runs: list[dict[str, Any]], order: Any
) -> None:
    """Whatever names what, in any order of rows: sums over turns equal sums over runs."""
    tables = rows_of(runs)
    found, turns = refilled(connection, tables)
    assert [row["run_id"] for row in found] == sorted(run["run_id"] for run in tables["runs"])
    assert {row["turn_id"] for row in found} == {row["turn_id"] for row in turns}
    assert len({row["turn_id"] for row in turns}) == len(turns)
    assert sum(turn["runs"] for turn in turns) == len(tables["runs"])
    assert sum(turn["total_tokens"] or 0 for turn in turns) == sum(row["total_tokens"] for row in tables["usage"])
    assert sum(turn["runs_with_usage"] for turn in turns) == len(tables["usage"])
    full = [{"waits_for_client": None, **run} for run in tables["runs"]]
    assert_rows(found, sorted(turn_runs({"runs": full}), key=lambda row: row["run_id"]))
    shuffled = {name: order.sample(rows, len(rows)) for name, rows in tables.items()}
    assert refilled(connection, shuffled) == (found, turns)


def test_a_long_chain_is_one_turn(filled: Fill) -> None:
    """Of five hundred calls, each answered by the next."""
    runs = [
        {
            "run_id": f"r{number:03}",
            "source": "a",
            "object": "response",
            "status": "completed",
            "previous_run_id": f"r{number - 1:03}",
            "waits_for_client": number < 499,
            "created_at": 1_770_000_000 + number,
            "completed_at": 1_770_000_000 + number + 1,
        }
        for number in range(500)
    ]
    [turn] = records(filled({"runs": runs}), "turns", "turn_id")
    shown = [turn[name] for name in ("turn_id", "model_calls", "status", "turn_seconds", "is_predecessor_missing")]
    assert shown == ["r000", 500, "completed", 500.0, True]
