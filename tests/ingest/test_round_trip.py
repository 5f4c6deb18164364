"""All fields of a run can be rebuilt from the tables."""

from pathlib import Path
from typing import Any

import pytest

from runmart.ingest.pipeline import ingest
from runmart.ingest.warehouse.connection import open_for_writing
from runmart.models.records import RunRecord
from tests.support.paths import REALDATA
from tests.support.payloads import decode
from tests.support.rebuilt import FIELDS, RunObject, normalised, rebuilt
from tests.support.recorded import FILES, FOLDERS, recorded

ENDED = {"completed", "failed", "cancelled", "expired", "incomplete"}


def test_the_27_fields_are_compared() -> None:
    """The fields that are rebuilt are the 27 fields of the API."""
    assert len(set(FIELDS)) == 27
    assert set(FIELDS) == set(RunRecord.__struct_encode_fields__) - {"agent_id"}


@pytest.mark.parametrize("file", [file for file in FILES if recorded(file).runs])
def test_an_observation_can_be_rebuilt_from_its_rows(file: str) -> None:
    """A run as sent equals the run rebuilt from its rows, after the documented normalisations."""
    rows = decode((REALDATA / file).read_bytes()).rows
    found: list[RunObject] = []
    for number, row in enumerate(rows["runs"]):
        usage, tools, errors = (
            [child for child in rows[table] if child["observation"] == number] for table in ("usage", "tools", "errors")
        )
        assert len(usage) <= 1
        found.append(rebuilt(row, usage[0] if usage else None, tools, errors))
    assert found == [normalised(sent) for sent in recorded(file).runs]


def _rank(sent: RunObject) -> tuple[bool, float]:
    instants = ("created_at", "started_at", "completed_at", "failed_at", "cancelled_at")
    return sent["status"] in ENDED, max(sent.get(name) or 0 for name in instants)


def test_a_stored_run_can_be_rebuilt_from_the_warehouse(tmp_path: Path) -> None:
    """The stored run is its latest observation, with all fields."""
    observed: dict[str, list[RunObject]] = {}
    for file in FILES:
        for sent in recorded(file).runs:
            observed.setdefault(sent["id"], []).append(sent)
    with open_for_writing(tmp_path / "runs.duckdb", 1) as writer:
        ingest(writer, [str(REALDATA / folder) for folder in FOLDERS], source="recorded", observed_at=1)
        tables: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for table in ("runs", "usage", "tools", "errors"):
            tables[table] = {}
            for row in writer.connection.sql(f"select * from main.{table}").to_arrow_table().to_pylist():
                tables[table].setdefault(row["run_id"], []).append(row)
    assert set(tables["runs"]) == set(observed)
    for run_id, [row] in tables["runs"].items():
        usage, tools, errors = (tables[table].get(run_id, []) for table in ("usage", "tools", "errors"))
        assert len(usage) <= 1
        latest = max(map(_rank, observed[run_id]))
        candidates = [normalised(sent) for sent in observed[run_id] if _rank(sent) == latest]
        assert rebuilt(row, usage[0] if usage else None, tools, errors) in candidates
