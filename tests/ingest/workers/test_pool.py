"""Worker processes: the same tables as without them, and a clear error when one of them dies."""

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

import runmart.ingest.load.loader as load_module
from runmart.ingest import pipeline
from runmart.ingest.errors import WorkerError
from runmart.ingest.parse.blocks import Block
from runmart.ingest.pipeline import ingest
from runmart.ingest.transform.admission import AdmissionFilter
from runmart.ingest.transform.convert import Converted, Converter
from runmart.ingest.warehouse.connection import open_for_writing
from runmart.ingest.workers import pool
from runmart.ingest.workers.tasks import Task
from runmart.models.observations import Origin
from tests.support.command import command
from tests.support.paths import BENCHMARKS
from tests.support.pretend_pandas import pretend_pandas
from tests.support.small_batches import MANY_RUNS, SMALL_BATCHES, children
from tests.support.warehouse import Tables, assert_sound, load, page, query, run, tables, write


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers start with the first input, and are ready before it is converted."""
    monkeypatch.setattr(pool, "START_BYTES", 0)
    monkeypatch.setattr(pipeline, "GROUP_BYTES", 2000)
    start = pool.Workers.start

    def start_and_wait(converting: pool.Workers) -> None:
        start(converting)
        assert not converting.pids or converting._ready.wait(30)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]

    monkeypatch.setattr(pool.Workers, "start", start_and_wait)


@pytest.fixture(name="here")
def _here(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of blocks in each conversion by this process."""
    convert, calls = Converter.convert, list[int]()

    def counted(converter: Converter, blocks: Sequence[tuple[Block, Origin]], admission: AdmissionFilter) -> Converted:
        calls.append(len(blocks))
        return convert(converter, blocks, admission)

    monkeypatch.setattr(Converter, "convert", counted)
    return calls


def _observations(count: int) -> list[bytes]:
    """Pages with repeated observations of the same runs, some of them bad."""
    random_ = random.Random(7)
    pages = [
        page(
            *(
                run(
                    f"run_{random_.randrange(300)}",
                    random_.choice(["queued", "completed", "failed"]),
                    created_at=random_.choice([1_700_000_000, 1_700_000_001, "soon", None]),
                    usage=random_.choice([None, {}, {"total_tokens": 1}, {"total_tokens": 2, "more": 3}]),
                    tools=random_.choice([[], [{"type": "file_search"}], [{"type": "mcp"}, {"type": "mcp"}]]),
                    **random_.choice([{}, {"unheard_of": 1}]),
                )
                for _ in range(20)
            )
        )
        for _ in range(count)
    ]
    return [*pages, b"{" * 50, b"", b"[1, 2]"]


@pytest.mark.parametrize("batch", [500, pytest.param(500_000, marks=pytest.mark.slow)])
def test_workers_give_the_tables_that_one_process_gives(
    pages: Path, tmp_path: Path, batch: int, here: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables, rejects and bookkeeping are the same with and without workers, in any order of inputs."""
    for number, data in enumerate(_observations(150)):
        write(pages / f"{number:03}.json", data, 1_700_000_000 + number % 7)
    monkeypatch.setattr(load_module, "BATCH_OBSERVATIONS", batch)
    paths = sorted(pages.iterdir())
    found: list[tuple[Tables, list[tuple[object, ...]]]] = []
    for count in (0, 1, 3):
        here.clear()
        warehouse = tmp_path / f"{count}.duckdb"
        with open_for_writing(warehouse, 0) as writer:
            ingest(writer, map(str, paths), source="default", workers=count)
        assert_sound(warehouse)
        assert (sum(here) == len(paths)) is (count == 0)
        books = query(
            warehouse,
            """
            select 'inputs', address, observations, rejected from runmart.inputs
            union all select 'rejects', input, position, reject_id from runmart.rejects order by all""",
        )
        found.append((tables(warehouse), books))
        random.Random(count).shuffle(paths)
    assert found[0][0] == found[1][0] == found[2][0]
    assert len(found[0][1]) == len(found[1][1]) == len(found[2][1]) > 150


def test_parts_of_a_large_input_keep_their_places(pages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions, lines and counts do not depend on which process converts a part of a file."""
    monkeypatch.setattr(pipeline, "BLOCK_BYTES", 3000)
    data = b"\n".join([*_observations(0), *(page(run(f"run_{number}"), {"id": 1}) for number in range(400))])
    write(pages / "large.jsonl", data)
    places = "select run_id, observed_position from runs order by all"
    rejects = "select position, line, json_path, raw from runmart.rejects order by all"
    found: list[object] = []
    for count in (0, 2):
        warehouse = tmp_path / f"{count}.duckdb"
        with open_for_writing(warehouse, 0) as writer:
            ingest(writer, [str(pages)], source="default", workers=count)
        found.append((query(warehouse, places), query(warehouse, rejects)))
    assert found[0] == found[1]
    assert query(tmp_path / "2.duckdb", "select count(*) from runs where observed_position >= 400")[0][0] > 190


@pytest.mark.parametrize("count", [0, 2])
def test_a_small_file_that_is_large_when_decompressed_is_loaded_once(pages: Path, warehouse: Path, count: int) -> None:
    """A small compressed file with several blocks is loaded once, with right positions of rejects."""
    lines = [json.dumps(run(f"run_{number}", instructions="x" * 4000)) for number in range(2500)]
    lines.insert(2400, "{broken")
    write(pages / "large.jsonl.gz", gzip.compress("\n".join(lines).encode()))
    write(pages / "small.json", page(run("run_small")))
    with open_for_writing(warehouse, 0) as writer:
        totals = ingest(writer, [str(pages)], source="default", workers=count).totals
    assert (pages / "large.jsonl.gz").stat().st_size < 100_000
    assert (totals.inputs, totals.observations, totals.new_runs, totals.rejected) == (2, 2501, 2501, 1)
    assert query(warehouse, "select position, line from runmart.rejects") == [(2400, 2401)]
    assert query(warehouse, "select observed_position from runs where run_id = 'run_2499'") == [(2500,)]
    assert query(warehouse, "select max(observations) from runmart.inputs") == [(2500,)]


def _written(pid: int) -> int:
    """The number of bytes that a process has written."""
    return int(Path(f"/proc/{pid}/io").read_text().partition("wchar: ")[2].split()[0])


@pytest.mark.slow
def test_a_killed_worker_ends_the_load_and_leaves_the_warehouse_unharmed(tmp_path: Path, pages: Path) -> None:
    """A killed worker: exit code 1 and a clear error, committed batches stay; the same command completes the load."""
    generate = BENCHMARKS / "generate.py"
    subprocess.run([sys.executable, generate, pages, str(MANY_RUNS)], check=True)
    warehouse = tmp_path / "killed.duckdb"
    given = ["ingest", pages, "-w", warehouse, "--workers", "1"]
    process = subprocess.Popen([sys.executable, "-c", SMALL_BATCHES, *given], stderr=subprocess.PIPE, text=True)
    while not (started := children(process.pid)) or _written(started[0]) < 100_000:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)  # until it has answered once: before that nobody needs it
    os.kill(started[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1, errors
    assert "a worker process was killed by signal 9" in errors
    assert "Traceback" not in errors
    assert_sound(warehouse)
    assert query(warehouse, "select distinct state from runmart.loads") in ([], [("failed",)])
    assert command("ingest", pages, "-w", warehouse).returncode == 0
    assert query(warehouse, "select count(*) from runs") == [(MANY_RUNS,)]


def test_workers_that_do_not_start_are_not_needed(
    pages: Path, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no worker can start, this process converts everything."""
    monkeypatch.undo()
    monkeypatch.setattr(pool, "START_BYTES", 0)
    monkeypatch.setattr(pool, "_PROGRAM", "raise SystemExit(3)")
    for number in range(50):
        write(pages / f"{number}.json", page(run(f"run_{number}")))
    assert load(warehouse, pages).totals.new_runs == 50


def test_workers_do_not_import_pandas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow does, where pandas is installed, which takes 35 MB in each of them."""
    imported = pretend_pandas(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pool.Workers(1) as workers:
        workers.start()
        assert workers._ready.wait(30)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    assert not imported.exists()


def test_an_error_within_a_worker_is_one_of_the_load() -> None:
    """An exception in a worker is raised by the load, as without workers."""
    with pool.Workers(1) as converting:
        converting.submit(Task([]), 0)
        with pytest.raises(AttributeError):
            converting.submit(Task([(3, "no origin")]), 0).result()  # type: ignore[list-item]


def test_a_worker_that_dies_at_work_says_so() -> None:
    """The error names the signal and what to do."""
    with pool.Workers(1) as converting:
        converting.submit(Task([]), 0)
        os.kill(converting.pids[0], signal.SIGKILL)
        with pytest.raises(WorkerError, match=r"killed by signal 9 .*--workers 0"):
            converting.submit(Task([]), 0).result()
