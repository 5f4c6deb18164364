"""Memory does not grow with the input."""

import subprocess
import sys
from pathlib import Path

import pytest
from warehouses import RUNMART, query

GENERATE = Path(__file__).parents[2] / "benchmarks" / "generate.py"

MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""A small process between, because a process starts with the peak of the one that it was forked from."""


@pytest.mark.slow
def test_200_000_runs_load_below_600_megabytes(warehouse: Path, pages: Path) -> None:
    """200,000 runs in 2,000 page files load in one process with a peak memory below 600 MB."""
    subprocess.run([sys.executable, GENERATE, pages, "200000"], check=True)
    load = [sys.executable, "-c", MEASURE, RUNMART, "ingest", pages, "-w", warehouse]
    peak_kibibytes = int(subprocess.run(load, check=True, capture_output=True, text=True).stdout)
    assert query(warehouse, "select count(*) from runs") == [(200_000,)]
    assert peak_kibibytes < 600_000
