"""The warehouse in the DuckDB shell of version 1.5.6, whatever version of DuckDB has created it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runmart.queries import View, views
from tests.support.rows import Fill

SHELL = Path(sys.executable).parent / "duckdb"


def shell(warehouse: Path, query: str) -> list[dict[str, Any]]:
    """Run a query in the shell, read-only."""
    done = subprocess.run(
        [SHELL, "-readonly", "-json", warehouse, "-c", query], capture_output=True, text=True, timeout=60, check=True
    )
    return json.loads(done.stdout or "[]")


@pytest.fixture
def closed(filled: Fill, warehouse: Path) -> Path:
    """A warehouse with one run, which no process has open."""
    runs = [
        {
            "run_id": "a",
            "status": "completed",
            "source": "s",
            "model": "m",
            "created_at": 1,
            "started_at": 2,
            "completed_at": 5,
        }
    ]
    usage = [{"run_id": "a", "prompt_tokens": 9, "total_tokens": 9}]
    steps = [{"step_id": "a1", "run_id": "a", "type": "tool_calls", "status": "completed"}]
    price = {"provider": "openai", "model": "m", "valid_from": 0, "input": 1.0, "output": 1.0, "currency": "USD"}
    filled({"prices": [price], "runs": runs, "usage": usage, "steps": steps}).close()
    return warehouse


def test_the_shell_is_the_tested_one() -> None:
    """duckdb-cli 1.5.6 is a test dependency."""
    done = subprocess.run([SHELL, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("v1.5.6")


@pytest.mark.parametrize("view", views(), ids=lambda view: view.name)
def test_the_shell_opens_the_file_and_runs_each_view(view: View, closed: Path) -> None:
    """Every DuckDB shell since 1.4 opens the file and runs the views."""
    assert len(shell(closed, f"select count(*) from (from {view.name})")) == 1
    described = shell(closed, f"describe {view.name}")
    assert [row["column_name"] for row in described] == [column.name for column in view.columns]


def test_the_shell_computes_what_the_package_computes(closed: Path) -> None:
    """The macros of the views are stored in the file, so that the shell returns the same rows."""
    rows = shell(closed, "select queue_seconds_p50, run_seconds_max from latency_by_model")
    assert rows == [{"queue_seconds_p50": 1.0, "run_seconds_max": 3.0}]
