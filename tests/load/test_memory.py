"""Memory does not grow with the input."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from warehouses import RUNMART, query

GENERATE = Path(__file__).parents[2] / "benchmarks" / "generate.py"


@pytest.mark.slow
def test_200_000_runs_load_below_600_megabytes(warehouse: Path, pages: Path) -> None:
    """200,000 runs in 2,000 page files load in one process with a peak memory below 600 MB."""
    subprocess.run([sys.executable, GENERATE, pages, "200000"], check=True)
    process = subprocess.Popen([RUNMART, "ingest", pages, "-w", warehouse], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert query(warehouse, "select count(*) from runs") == [(200_000,)]
    assert used.ru_maxrss < 600_000, "in KiB"
