"""What the envelope of a response says outlives observations without one, in any order of loads."""

import json
from itertools import permutations
from pathlib import Path
from typing import Any

from tests.support.warehouse import load, query, tables, write

BODY: dict[str, Any] = {
    "id": "resp_a",
    "object": "response",
    "status": "completed",
    "created_at": 1_800_000_000,
    "completed_at": 1_800_000_004,
    "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
}


def test_an_observation_without_an_envelope_takes_no_duration_away(tmp_path: Path) -> None:
    """A response that was seen with its duration, and by retrieval later, keeps the duration, whatever came first."""
    inputs = {
        "log": ({"duration_ms": 4321, "body": BODY}, 1_800_000_010),
        "retrieved": (BODY, 1_800_000_900),
        "opened": ({**BODY, "status": "in_progress", "completed_at": None, "usage": None}, 1_800_000_950),
    }
    files = [write(tmp_path / f"{name}.json", json.dumps(one).encode(), at) for name, (one, at) in inputs.items()]
    found: list[Any] = []
    for number, order in enumerate(permutations(files)):
        warehouse = tmp_path / f"{number}.duckdb"
        for file in order:
            load(warehouse, file)
        assert query(warehouse, "select status, duration_seconds, latency_source from runs") == [
            ("completed", 4.321, "collector")
        ]
        found.append(tables(warehouse))
    together = tmp_path / "together.duckdb"
    load(together, *files)
    assert all(one == tables(together) for one in found)


def test_a_batch_is_not_forgotten(tmp_path: Path) -> None:
    """A response of a batch stays one when it is retrieved later."""
    line = {"custom_id": "order 7", "response": {"status_code": 200, "body": BODY}, "error": None}
    files = [
        write(tmp_path / "batch.jsonl", json.dumps(line).encode(), 1_800_000_010),
        write(tmp_path / "retrieved.json", json.dumps(BODY).encode(), 1_800_000_900),
    ]
    for number, order in enumerate((files, files[::-1])):
        warehouse = tmp_path / f"{number}.duckdb"
        for file in order:
            load(warehouse, file)
        kept = query(warehouse, "select is_batch, cast(extra as varchar), duration_seconds from runs")
        assert kept == [(True, '{"custom_id":"order 7"}', None)]
