"""The notebook for Jupyter runs from top to bottom."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.command import command
from tests.support.paths import ROOT
from tests.support.warehouse import page as page_of
from tests.support.warehouse import run, write

NOTEBOOK = ROOT / "notebooks" / "overview.ipynb"


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 50])
def test_it_runs_from_top_to_bottom(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebook runs over runs and over an empty warehouse, and is committed without outputs."""
    runs = [run(f"run_{number}", created_at=1_754_870_400 + number, model="gpt-4o") for number in range(count)]
    file = write(tmp_path / "1.json", page_of(*runs))
    assert command("ingest", file, "-w", tmp_path / "runs.duckdb").returncode == 0
    monkeypatch.setenv("RUNMART_WAREHOUSE", str(tmp_path / "runs.duckdb"))
    reader: Any = nbformat
    notebook = reader.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    charts = [output for output in outputs if "image/svg+xml" in output.get("data", {})]
    assert len(charts) >= 4
    assert not any("<script" in str(output) for output in outputs)
    [cards] = [output for output in outputs if "measure" in output.get("data", {}).get("text/plain", "")]
    assert str(count or "-") in cards["data"]["text/plain"]
