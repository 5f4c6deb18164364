"""Memory does not grow with the input."""

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runmart.ingest.load.loader import Load
from runmart.ingest.load.rejects import raw_bytes
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


BAD_LINES = 1_000_000


def _log(number: int) -> str:
    return (
        f"2024-09-25 10:{number // 60 % 60:02}:{number % 60:02} [INFO] worker-{number % 16} has served request {number}"
    )


def _bad_run(number: int) -> str:
    return f'{{"id":"run_{number:09}","status":"queued","created_at":"at some time of day {number % 997}"}}'


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "line", "workers"),
    [
        ("lines.log.gz", _log, "3"),
        ("lines.log", _bad_run, "0"),
    ],
)
def test_a_million_rejects_load_below_700_megabytes(
    name: str, line: Callable[[int], str], workers: str, warehouse: Path, pages: Path
) -> None:
    """A million lines that are all rejected, 80 MB, compressed or not, are stored whole and in few rows."""
    data = "\n".join(map(line, range(BAD_LINES))).encode()
    path = write(pages / name, gzip.compress(data, 1) if name.endswith("gz") else data)
    script = f'"$@" ingest {path} -w {warehouse} --workers {workers}; test $? = 3'
    load = [sys.executable, "-c", MEASURE, "sh", "-c", script, "sh", RUNMART]
    done = subprocess.run(load, check=True, capture_output=True, text=True, cwd=BENCHMARKS)
    assert float(done.stdout) < 700
    rows = query(warehouse, "select raw, raw_encoding, items from runmart.rejects order by position")
    assert sum(items for *_, items in rows) == BAD_LINES
    assert len(rows) < 1100
    texts = [text for raw, encoding, _ in rows for text in raw_bytes(raw, encoding).split(b"\n")]
    assert texts == data.split(b"\n")
    assert warehouse.stat().st_size < 40 << 20


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
        write(pages / f"{number}.json", page(run(f"run_{number}"), {"id": f"run_bad_{number}"}))
    monkeypatch.setattr("runmart.ingest.pipeline.GROUP_BYTES", 300)
    assert load(warehouse, pages).totals.new_runs == 40
    assert len(commits) >= 4
    assert query(warehouse, "select count(*) from runmart.inputs") == [(40,)]
    assert query(warehouse, "select count(*) from runmart.rejects") == [(40,)]
