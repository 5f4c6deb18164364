"""A warehouse has one writer at a time: waiting for it, and interrupting it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.command import command
from tests.support.paths import BENCHMARKS
from tests.support.small_batches import MANY_RUNS, SMALL_BATCHES, children
from tests.support.warehouse import Tables, assert_sound, page, query, run, tables, write

pytestmark = pytest.mark.slow

HOLDER = """
import sys, time, duckdb
connection = duckdb.connect(sys.argv[1])
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
"""


def hold(warehouse: Path, seconds: float) -> "subprocess.Popen[str]":
    """Another process that holds the warehouse open."""
    command_line = [sys.executable, "-c", HOLDER, warehouse, str(seconds)]
    holder = subprocess.Popen(command_line, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "locked\n"
    return holder


def test_a_locked_warehouse_ends_with_5_and_names_the_holder(warehouse: Path, pages: Path) -> None:
    """After --lock-timeout a load ends with exit code 5, and names the process that holds the warehouse."""
    write(pages / "1.json", page(run("a")))
    assert command("ingest", pages, "-w", warehouse).returncode == 0
    holder = hold(warehouse, 60)
    try:
        for arguments in (["ingest", pages, "--reload"], ["status"]):
            done = command(*arguments, "-w", warehouse, "--lock-timeout", "0.5")
            assert done.returncode == 5, done
            assert f"(process {holder.pid})" in done.stderr
            assert "python" in done.stderr
            assert "--lock-timeout" in done.stderr
    finally:
        holder.kill()
        holder.wait()
        holder.communicate()


def test_a_lock_that_is_released_in_time_is_waited_for(warehouse: Path, pages: Path) -> None:
    """By default a load waits up to 30 seconds for the warehouse."""
    write(pages / "1.json", page(run("a")))
    command("ingest", pages, "-w", warehouse)
    write(pages / "2.json", page(run("b")))
    holder = hold(warehouse, 2)
    done = command("ingest", pages, "-w", warehouse)
    holder.communicate()
    assert done.returncode == 0
    assert query(warehouse, "select count(*) from runs") == [(2,)]


def wait_for_batch(warehouse: Path, process: "subprocess.Popen[str]") -> None:
    """Wait until the first batch is being written to the file."""
    until = time.monotonic() + 60
    wal = warehouse.with_name(warehouse.name + ".wal")
    while time.monotonic() < until and process.poll() is None:
        if warehouse.exists() and (
            warehouse.stat().st_size > 1_000_000 or (wal.exists() and wal.stat().st_size > 300_000)
        ):
            return
        time.sleep(0.02)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tables]:
    """Pages that take some seconds to load, and the tables after an uninterrupted load of them."""
    folder = tmp_path_factory.mktemp("many")
    generate = BENCHMARKS / "generate.py"
    subprocess.run([sys.executable, generate, folder / "pages", str(MANY_RUNS)], check=True)
    assert command("ingest", folder / "pages", "-w", folder / "calm.duckdb").returncode == 0
    return folder / "pages", tables(folder / "calm.duckdb")


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow), 3])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_load_ends_with_130_and_whole_batches(
    number: signal.Signals, workers: int, new_warehouse: Path, many: tuple[Path, Tables]
) -> None:
    """Ctrl-C or SIGTERM: exit code 130, whole batches only, no stray process; the same command completes the load."""
    pages, calm = many
    load = [sys.executable, "-c", SMALL_BATCHES, "ingest", pages, "-w", new_warehouse, "--workers", str(workers)]
    process = subprocess.Popen(load, stderr=subprocess.PIPE, text=True)
    wait_for_batch(new_warehouse, process)
    started = children(process.pid)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert len(started) == workers
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "interrupted" in errors
    assert_sound(new_warehouse)
    stored = query(new_warehouse, "select count(*) from runs")[0][0]
    assert stored < MANY_RUNS
    loads = query(new_warehouse, "select state, new_runs, observations from runmart.loads")
    assert loads == ([("interrupted", stored, stored)] if stored else [])
    assert command("ingest", pages, "-w", new_warehouse).returncode == 0
    assert tables(new_warehouse) == calm


def test_events_for_schedulers_are_json_lines(warehouse: Path, pages: Path) -> None:
    """`--log-format json` logs JSON lines on standard error; `--json` prints one summary on standard output."""
    write(pages / "1.json", page(run("a"), {"id": "run_b"}))
    done = command("ingest", pages, "-w", warehouse, "--json", "--log-format", "json")
    assert done.returncode == 3
    summary = json.loads(done.stdout)
    assert (summary["new_runs"], summary["rejected"], summary["state"]) == (1, 1, "done with rejects")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["message"] for event in events] == ["load started", "load finished"]
    assert events[-1]["rejected"] == 1


LOSING = """
import os, signal, sys
from runmart.ingest import pipeline
from runmart.ingest.load import loader as load
from runmart.cli.app import main
add = pipeline.Load.add
def interrupted(self, *arguments):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        pass  # as a library may do
    add(self, *arguments)
pipeline.Load.add, pipeline.GROUP_BYTES = interrupted, 1
main()
"""


def test_an_interrupt_that_gets_lost_on_the_way_still_ends_the_load(warehouse: Path, pages: Path) -> None:
    """A KeyboardInterrupt that a library swallows still ends the load."""
    for number in range(3):
        write(pages / f"{number}.json", page(run(str(number))))
    load = [sys.executable, "-c", LOSING, "ingest", pages, "-w", warehouse, "--workers", "0"]
    done = subprocess.run(load, capture_output=True, text=True, check=False)
    assert (done.returncode, "interrupted" in done.stderr) == (130, True), done.stderr
    assert query(warehouse, "select count(*) from runs") == [(0,)]
