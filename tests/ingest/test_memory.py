"""Memory does not grow with the input."""

import subprocess
import sys
from pathlib import Path

import pytest

from runmart.ingest.load.loader import Load
from tests.support.command import RUNMART
from tests.support.paths import BENCHMARKS
from tests.support.warehouse import load, page, query, run, write

MEASURE = """
import sys
from measure import timed
print(timed(sys.argv[1:]).peak_megabytes)
"""
"""A small process between, because a process starts with the peak of the one that it was forked from."""


@pytest.fixture(name="many_pages", scope="module")
def _many_pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pages = tmp_path_factory.mktemp("many") / "pages"
    subprocess.run([sys.executable, BENCHMARKS / "generate.py", pages, "200000"], check=True)
    return pages


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "3"])
def test_200_000_runs_load_below_700_megabytes(workers: str, warehouse: Path, many_pages: Path) -> None:
    """The peak memory of all processes of a load stays below 700 MB."""
    load = [sys.executable, "-c", MEASURE, RUNMART, "ingest", many_pages, "-w", warehouse, "--workers", workers]
    done = subprocess.run(load, check=True, capture_output=True, text=True, cwd=BENCHMARKS)
    assert query(warehouse, "select count(*) from runs") == [(200_000,)]
    assert float(done.stdout) < 700


@pytest.mark.parametrize(("limit", "value"), [("BATCH_INPUTS", 10), ("BATCH_REJECTED_BYTES", 60)])
def test_what_waits_in_memory_is_written_when_it_is_much(
    limit: str, value: int, warehouse: Path, pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many small inputs, or many rejected bytes, are committed before a batch of runs is full."""
    commits: list[int] = []
    commit = Load.commit

    def counted(load: Load, state: str = "running") -> None:
        commits.append(load.totals.inputs)
        commit(load, state)

    monkeypatch.setattr(Load, "commit", counted)
    monkeypatch.setattr(f"runmart.ingest.load.loader.{limit}", value)
    for number in range(40):
        write(pages / f"{number}.json", page(run(f"run_{number}"), {"id": f"bad_{number}"}))
    monkeypatch.setattr("runmart.ingest.pipeline.GROUP_BYTES", 300)
    assert load(warehouse, pages).totals.new_runs == 40
    assert len(commits) >= 4
    assert query(warehouse, "select count(*) from runmart.inputs") == [(40,)]
    assert query(warehouse, "select count(*) from runmart.rejects") == [(40,)]
