"""Memory does not grow with the input."""

import subprocess
import sys
from pathlib import Path

import pytest
from warehouses import RUNMART, query

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

MEASURE = """
import sys
from measure import timed
print(timed(sys.argv[1:]).peak_megabytes)
"""
"""A small process between, because a process starts with the peak of the one that it was forked from."""


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "1", "3"])
def test_200_000_runs_load_below_700_megabytes(workers: str, warehouse: Path, pages: Path) -> None:
    """The peak memory of all processes of a load stays below 700 MB."""
    subprocess.run([sys.executable, BENCHMARKS / "generate.py", pages, "200000"], check=True)
    load = [sys.executable, "-c", MEASURE, RUNMART, "ingest", pages, "-w", warehouse, "--workers", workers]
    done = subprocess.run(load, check=True, capture_output=True, text=True, cwd=BENCHMARKS)
    assert query(warehouse, "select count(*) from runs") == [(200_000,)]
    assert float(done.stdout) < 700
