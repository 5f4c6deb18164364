"""Half a minute of concurrent reads and loads: none fails, and no reader sees a part of a load."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from runmart.ingest.maintenance.publish import versions_folder
from runmart.queries import connect
from tests.support.dashboards import CHROMIUM, FLAGS, served
from tests.support.warehouse import page, run, write

SECONDS = 30
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

DASHBOARD = """
import sys, time
from playwright.sync_api import sync_playwright
address, end = sys.argv[4], float(sys.argv[2])
reads, seen = 0, 0
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=sys.argv[5], args=sys.argv[6:])
    page = browser.new_page()
    page.goto(address)
    page.wait_for_selector(".runmart-value")
    page.locator("marimo-refresh select").first.select_option("1s")
    while time.time() < end + 8:  # as long as it may take to show the last one
        text = page.inner_text("body")
        assert not any(words in text for words in ("exception", "Traceback", "Internal error", "Could not")), text
        runs = int(page.locator(".runmart-value").first.inner_text().replace(",", ""))
        assert runs >= seen, (runs, seen)
        reads, seen = reads + (runs > seen), runs
        time.sleep(0.1)
    browser.close()
print(reads, seen)
"""


@pytest.mark.slow
def test_readers_see_whole_loads_only_and_nobody_fails(tmp_path: Path) -> None:
    """While a writer publishes every second, readers in Python, shells and a dashboard see whole loads only."""
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
    with served(published) as address:
        end = time.time() + SECONDS
        scripts: dict[str, list[str | Path]] = {
            REFRESHING: [],
            OPENING: [],
            SHELL: [BIN / "duckdb"],
            DASHBOARD: [f"{address}/overview/", CHROMIUM, *FLAGS],
        }
        readers = [
            subprocess.Popen(
                [sys.executable, "-c", script, published, str(end), WHOLE, *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for script, arguments in scripts.items()
        ]
        most_versions = 0
        while time.time() < end:
            started = time.monotonic()
            load()
            most_versions = max(most_versions, len(list(versions_folder(published).glob("*.duckdb"))))
            time.sleep(max(0.0, 1 - (time.monotonic() - started)))
        for reader, script in zip(readers, scripts, strict=True):
            out, error = reader.communicate(timeout=60)
            assert reader.returncode == 0, error
            reads, seen = map(int, out.split())
            assert reads > SECONDS / (12 if script == DASHBOARD else 4)
            assert seen >= (loads - 5) * RUNS_OF_A_LOAD
    assert loads > SECONDS / 12  # how many depends on the machine; that none waits is what --lock-timeout 0 asserts
    assert most_versions < min(loads, 15)  # of the last ten seconds, a load in each at most, and the one before
    with connect(published) as warehouse_now:
        assert warehouse_now.sql(WHOLE).rows() == [(loads * RUNS_OF_A_LOAD, 0)]
