"""The command line in general: its messages, and the time it takes to start."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from runmart.ingest.warehouse.migrations import MIGRATIONS
from runmart.queries import views
from tests.support.command import RUNMART, command, expected_version, launch
from tests.support.pretend_pandas import pretend_pandas
from tests.support.warehouse import load, page, run, write


def test_help_needs_none_of_the_heavy_libraries() -> None:
    """`runmart --help` imports none of the large libraries, so that it starts quickly."""
    code = "import sys; from runmart.cli.app import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert "cyclopts" in loaded
    assert not loaded & {"duckdb", "_duckdb", "pyarrow", "polars", "httpx2"}
    assert "ingest" in done.stdout


def test_ingest_needs_no_polars() -> None:
    """`runmart ingest` does not import polars, which takes longer than a small load."""
    code = "import sys, runmart.ingest.pipeline, runmart.queries, runmart.cli.ingest; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {name.split(".")[0] for name in done.stdout.split()} & {"polars", "httpx2"}


def test_version_and_help_have_their_usual_spellings() -> None:
    """`--version`, `--help` and `-h`."""
    assert command("--version").stdout.strip() == expected_version()
    assert command("-h").stdout == command("--help").stdout
    shown = command("ingest", "--help").stdout
    for word in ("SOURCES", "--source", "--warehouse", "RUNMART_WAREHOUSE", "--lock-timeout", "--reload", "--json"):
        assert word in shown
    assert "--sources" not in shown


def test_status_tells_what_the_warehouse_holds(warehouse: Path, pages: Path) -> None:
    """`runmart status`: runs by status, span, newest run, open runs, size, storage version, loads, rejects."""
    first = run("a", created_at=1_700_000_000)
    second = run("b", "queued", created_at=1_710_000_000)
    write(pages / "p.json", page(first, second, run("c", created_at="x")), 1_710_000_000)
    load(warehouse, pages)
    text = command("status", "-w", warehouse).stdout
    assert max(map(len, text.splitlines())) <= max(80, len(str(warehouse)) + 50)
    for words in ("2 runs, 1 of them open", "2023-11-14 22:13:20", "2024-03-09 16:00:00", "v1.4.0", "from 1.4 on"):
        assert words in text
    facts = json.loads(command("status", "-w", warehouse, "--json").stdout)
    assert facts["statuses"] == [{"status": "completed", "runs": 1}, {"status": "queued", "runs": 1}]
    assert (facts["rejects"], facts["schema"], facts["loads"][0]["state"]) == (1, len(MIGRATIONS), "done with rejects")
    assert facts["bytes"] == warehouse.stat().st_size


def test_views_are_listed_and_shown(warehouse: Path, pages: Path) -> None:
    """`runmart views` lists them with purpose and grain; `runmart views NAME` shows columns and the first rows."""
    write(pages / "p.json", page(run("a", model="gpt-4o", created_at=1, started_at=3, completed_at=9)))
    assert command("ingest", pages, "-w", warehouse).returncode == 0
    listing = json.loads(command("views", "--json").stdout)
    facts = next(row for row in listing if row["name"] == "run_facts")
    assert facts == {"name": "run_facts", "grain": "one row per run", "purpose": facts["purpose"]}
    assert len(listing) == len(views())
    assert "latency_by_model" in command("views").stdout
    shown = json.loads(command("views", "latency_by_model", "-w", warehouse, "--json").stdout)
    assert shown["columns"][0]["name"] == "model"
    assert (shown["rows"][0]["model"], shown["rows"][0]["run_seconds_p50"]) == ("gpt-4o", 6.0)
    text = command("views", "run_facts", "-w", warehouse).stdout
    assert "1970-01-01 00:00:03" in text


def test_nothing_is_shown_on_the_way_when_nobody_looks(warehouse: Path, pages: Path) -> None:
    """Progress is shown only on a terminal; elsewhere one line reports the result."""
    write(pages / "p.json", page(run("a")))
    done = command("ingest", pages, environment={"RUNMART_WAREHOUSE": str(warehouse)})
    assert done.stderr == ""
    assert done.stdout.startswith(f"{warehouse}: 1 new runs, 0 updated, 0 observations unchanged, 0 rejected; 1 inputs")


def test_a_reader_that_goes_away_is_no_error(warehouse: Path, pages: Path) -> None:
    """A closed pipe, as in `runmart views | head`, ends the command without a message."""
    write(pages / "p.json", page(*(run(str(number)) for number in range(2000))))
    load(warehouse, pages)
    process = subprocess.Popen([RUNMART, "views", "--json"], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    _, errors = process.communicate(timeout=60)
    assert b"Traceback" not in errors
    assert b"unexpected" not in errors


@pytest.mark.skipif(duckdb.__version__ < "2", reason="DuckDB 1 imports pandas itself")
def test_a_load_does_not_import_pandas(warehouse: Path, pages: Path, tmp_path: Path) -> None:
    """A load does not let Arrow import pandas where it is installed, which takes longer than to load a page."""
    imported = pretend_pandas(tmp_path)
    write(pages / "1.json", page(run("a")))
    environment = {"PYTHONPATH": str(tmp_path)}
    assert launch("ingest", pages, "-w", warehouse, environment=environment).returncode == 0
    assert not imported.exists()
