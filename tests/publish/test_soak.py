"""Readers and a writer for two minutes: nobody is in anybody's way, and nobody ever sees a part of a load."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from load.warehouses import page, run, write

from runmart.ingest.publish import versions_folder
from runmart.queries import connect

SECONDS = 120
RUNS_OF_A_LOAD = 40
BIN = Path(sys.executable).parent

WHOLE = f"""
    select
        (select count(*) from runs) as runs,
        (select count(*) from runs) % {RUNS_OF_A_LOAD} + abs((select count(*) from usage) - (select count(*) from runs))
        + abs((select count(*) from tools) - (select count(*) from runs))
        + abs((select count(*) from run_facts where total_tokens = 3 and tool_count = 1) - (select count(*) from runs))
        + abs((select sum(new_runs) from runmart.loads) - (select count(*) from runs)) as wrong"""
"""How many runs there are, and how far the tables are from whole loads: 0 when all is well."""

REFRESHING = """
import sys, time
from runmart.queries import connect
reads, seen = 0, 0
with connect(sys.argv[1]) as warehouse:
    while time.time() < float(sys.argv[2]):
        warehouse.refresh()
        [(runs, wrong)] = warehouse.sql(sys.argv[3]).rows()
        assert wrong == 0, (runs, wrong)
        assert runs >= seen, (runs, seen)
        reads, seen = reads + 1, runs
        time.sleep(0.02)
print(reads, seen)
"""

OPENING = """
import sys, time
from runmart.queries import connect
reads, seen = 0, 0
while time.time() < float(sys.argv[2]):
    with connect(sys.argv[1]) as warehouse:
        [(runs, wrong)] = warehouse.sql(sys.argv[3]).rows()
    assert wrong == 0, (runs, wrong)
    assert runs >= seen, (runs, seen)
    reads, seen = reads + 1, runs
    time.sleep(0.1)
print(reads, seen)
"""

SHELL = """
import subprocess, sys, time
reads, seen = 0, 0
while time.time() < float(sys.argv[2]):
    command = [sys.argv[4], "-readonly", sys.argv[1], "-csv", "-noheader", "-c", sys.argv[3]]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    runs, wrong = map(int, done.stdout.split(","))
    assert wrong == 0, (runs, wrong)
    assert runs >= seen, (runs, seen)
    reads, seen = reads + 1, runs
print(reads, seen)
"""


@pytest.mark.slow
def test_readers_see_whole_loads_only_and_nobody_fails(tmp_path: Path) -> None:
    """One writer that loads and publishes every second; in Python, in the shell, and opened anew every 100 ms."""
    warehouse, published, inputs = tmp_path / "runs.duckdb", tmp_path / "published.duckdb", tmp_path / "pages"
    inputs.mkdir()
    loads = 0

    def load() -> None:
        nonlocal loads
        loads += 1
        runs = [
            run(
                f"run_{loads}_{number}",
                created_at=1_700_000_000 + loads,
                usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
                tools=[{"type": "code_interpreter"}],
            )
            for number in range(RUNS_OF_A_LOAD)
        ]
        file = write(inputs / f"{loads}.json", page(*runs))
        arguments = ["ingest", file, "-w", warehouse, "--publish", published, "--lock-timeout", "0"]
        done = subprocess.run([BIN / "runmart", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    load()
    end = time.time() + SECONDS
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", script, published, str(end), WHOLE, BIN / "duckdb"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for script in (REFRESHING, OPENING, SHELL)
    ]
    most_versions = 0
    while time.time() < end:
        started = time.monotonic()
        load()
        most_versions = max(most_versions, len(list(versions_folder(published).glob("*.duckdb"))))
        time.sleep(max(0.0, 1 - (time.monotonic() - started)))
    for reader in readers:
        out, error = reader.communicate(timeout=60)
        assert reader.returncode == 0, error
        reads, seen = map(int, out.split())
        assert reads > SECONDS / 4
        assert seen >= (loads - 5) * RUNS_OF_A_LOAD
    assert loads > SECONDS / 3
    assert most_versions < 40
    with connect(published) as warehouse_now:
        assert warehouse_now.sql(WHOLE).rows() == [(loads * RUNS_OF_A_LOAD, 0)]
