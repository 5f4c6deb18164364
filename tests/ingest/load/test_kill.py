"""A load that is killed at random moments, and then repeated."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.paths import BENCHMARKS
from tests.support.warehouse import assert_sound, query, tables

GENERATE = BENCHMARKS / "generate.py"
RUNS, KILLS = 15_000, 6

CHILD = """
import sys
from pathlib import Path
import runmart.ingest.load.loader as load
from runmart.ingest.pipeline import ingest
from runmart.ingest.warehouse.connection import open_for_writing
load.BATCH_OBSERVATIONS = 1500
with open_for_writing(Path(sys.argv[1]), 10) as writer:
    ingest(writer, [sys.argv[2]], source="default")
"""
"""The load, in batches small enough that most kills fall between two."""


def start(warehouse: Path, pages: Path) -> "subprocess.Popen[bytes]":
    """Start a load."""
    return subprocess.Popen([sys.executable, "-c", CHILD, warehouse, pages])


@pytest.mark.slow
def test_kills_and_then_the_same_command_give_an_undisturbed_load(tmp_path: Path, daily_seed: int) -> None:
    """`kill -9` at any moment leaves the warehouse as it was before the batch; running again completes it."""
    pages = tmp_path / "pages"
    subprocess.run([sys.executable, GENERATE, pages, str(RUNS), "--page", "10"], check=True)
    started = time.monotonic()
    assert start(tmp_path / "calm.duckdb", pages).wait() == 0
    undisturbed_seconds = time.monotonic() - started
    warehouse, random_, killed, partial, stored = tmp_path / "killed.duckdb", random.Random(daily_seed), 0, 0, 0
    while killed < KILLS or (stored in {0, RUNS} and killed < 10 * KILLS):  # the last one is killed half-way
        if stored == RUNS:
            warehouse.unlink()  # it was done before: begin anew
            stored = 0
        process = start(warehouse, pages)
        time.sleep(random_.uniform(0.1, 0.9) * undisturbed_seconds)
        if process.poll() is not None:
            stored, undisturbed_seconds = RUNS, 0.9 * undisturbed_seconds  # the machine has less to do than before
            continue
        process.kill()
        process.wait()
        killed += 1
        if warehouse.exists() and query(warehouse, "select 1 from duckdb_tables() where table_name = 'runs'"):
            assert_sound(warehouse)
            stored, read, noted = query(
                warehouse,
                """
                select
                    (select count(*) from runs),
                    (select coalesce(sum(observations), 0) from runmart.inputs),
                    (select coalesce(sum(observations), 0) from runmart.loads)""",
            )[0]
            assert stored >= read
            assert noted >= stored
            partial += 0 < stored < RUNS
    assert partial
    assert start(warehouse, pages).wait() == 0
    assert tables(warehouse) == tables(tmp_path / "calm.duckdb")
    states = query(warehouse, "select distinct state from runmart.loads order by all")
    assert states == [("done",), ("killed",)]
