"""`--content`: dropped or hashed content is in nothing that a load writes."""

import json
import os
from pathlib import Path

import pytest

from runmart.ingest.pipeline import ingest
from runmart.ingest.warehouse.connection import open_for_writing
from runmart.models.redaction_policy import CONTENT_FIELDS, RedactionPolicy, Rule
from tests.support.command import command
from tests.support.sensitive_run import SECRET, SECRETIVE
from tests.support.warehouse import assert_sound, page, query, run, write

KEY = {"RUNMART_CONTENT_KEY": "0123456789abcdef"}


@pytest.fixture(name="secretive")
def _secretive(pages: Path) -> Path:
    """Runs, a step and rejects, with a recognisable word in each field that may hold content."""
    step = {"id": "step_1", "object": "thread.run.step", "status": "failed", "run_id": "run_1"}
    step |= {"last_error": {"code": "x", "message": SECRET}, "step_details": {"type": "tool_calls", "output": SECRET}}
    write(pages / "a.json", page(*(run(f"run_{number}", **SECRETIVE) for number in range(30))))
    write(
        pages / "b.json", page(run("run_bad", created_at="soon", **SECRETIVE), step, {"id": "run_msg", "text": SECRET})
    )
    write(pages / "c.json", page(run("run_worse", metadata=f"{SECRET} {SECRET}")))
    write(pages / "d.json", json.dumps(run("run_cut", **SECRETIVE)).encode()[:-1])
    write(pages / "e.txt", b'event: thread.run.created\ndata: {"id": "run_x", "instructions": "%s' % SECRET.encode())
    return pages


@pytest.mark.parametrize("rule", ["keep", "hash", "drop"])
@pytest.mark.parametrize("workers", [0, 1])
def test_nothing_of_it_is_in_the_file_its_wal_and_the_output(
    secretive: Path, warehouse: Path, rule: Rule, workers: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """No redacted word is in the file, its log or the output; the same search finds the kept ones."""
    content = RedactionPolicy(dict.fromkeys(CONTENT_FIELDS, rule), KEY["RUNMART_CONTENT_KEY"].encode())
    with open_for_writing(warehouse, 0) as writer:
        writer.connection.execute("set checkpoint_threshold = '1GB'")
        load = ingest(writer, [str(secretive)], source="default", content=content, workers=workers)
        log = warehouse.with_name(warehouse.name + ".wal").read_bytes()
        writer.connection.execute("force checkpoint")
    written = capfd.readouterr()
    assert (load.totals.new_runs, load.totals.rejected, load.totals.steps) == (30, 5, 1)
    is_kept = rule == "keep"
    assert (SECRET.encode() in log) is is_kept
    assert (SECRET.encode() in warehouse.read_bytes()) is is_kept
    for table in ("runs", "usage", "tools", "errors", "steps", "runmart.rejects", "runmart.inputs", "runmart.loads"):
        found = query(warehouse, f"select count(*) from {table} as t where cast(t as varchar) like '%{SECRET}%'")
        assert (found[0][0] > 0) is (is_kept and table not in {"runmart.inputs", "runmart.loads"})
    assert_sound(warehouse)
    assert SECRET not in written.out + written.err
    assert KEY["RUNMART_CONTENT_KEY"].encode() not in warehouse.read_bytes() + log


def test_the_warehouse_remembers_its_rules(secretive: Path, warehouse: Path) -> None:
    """Later loads without --content apply the stored rules, which are recorded with their start."""
    first = command("ingest", secretive / "a.json", "-w", warehouse, "--content", "drop,metadata=keep")
    assert first.returncode == 0, first.stderr
    again = command("ingest", secretive, "-w", warehouse, "--log-format", "json")
    assert again.returncode == 3
    assert SECRET not in again.stdout + again.stderr
    assert query(warehouse, f"select count(*) from runs where metadata like '%{SECRET}%'") == [(30,)]
    assert query(warehouse, f"select count(*) from errors where message like '%{SECRET}%'") == [(0,)]
    rules = query(warehouse, "select field, rule, load_id from runmart.content_rules order by field")
    assert rules == [(field, "drop", 1) for field in sorted(set(CONTENT_FIELDS) - {"metadata"})]
    retried = command("rejects", "--retry", "-w", warehouse)
    assert SECRET not in retried.stdout + retried.stderr
    assert command("ingest", secretive, "-w", warehouse, "--reload", "--content", "instructions=keep").returncode == 3
    assert query(warehouse, "select rule from runmart.content_rules where field = 'instructions' order by load_id") == [
        ("drop",),
        ("keep",),
    ]
    status = json.loads(command("status", "-w", warehouse, "--json").stdout)
    assert status["content"]["error_messages"] == "drop"


def test_hashes_need_their_key(secretive: Path, new_warehouse: Path, tmp_path: Path) -> None:
    """A missing, short or different key is refused before anything is written; equal texts have equal hashes."""
    page_of_runs = secretive / "a.json"
    missing = command("ingest", page_of_runs, "-w", new_warehouse, "--content", "hash")
    assert missing.returncode == 2
    assert "RUNMART_CONTENT_KEY" in missing.stderr
    short = {"RUNMART_CONTENT_KEY": "short"}
    assert command("ingest", page_of_runs, "-w", new_warehouse, "--content", "hash", environment=short).returncode == 2
    assert not new_warehouse.exists()
    assert command("ingest", page_of_runs, "-w", new_warehouse, "--content", "hash", environment=KEY).returncode == 0
    assert query(new_warehouse, "select count(*), count(distinct instructions) from runs") == [(30, 1)]
    forgotten = command("ingest", secretive, "-w", new_warehouse)
    assert forgotten.returncode == 1
    assert "RUNMART_CONTENT_KEY" in forgotten.stderr
    other = tmp_path / "key"
    other.write_text("fedcba9876543210\n")
    refused = command("ingest", secretive, "-w", new_warehouse, "--content-key-file", other)
    assert refused.returncode == 1
    assert "another key" in refused.stderr
    assert query(new_warehouse, "select count(*) from runmart.loads") == [(1,)]
    other.write_text(KEY["RUNMART_CONTENT_KEY"])
    assert command("ingest", secretive, "-w", new_warehouse, "--content-key-file", other).returncode == 3
    assert query(new_warehouse, "select count(distinct instructions) from runs where instructions like 'hash:%'") == [
        (1,)
    ]


@pytest.mark.parametrize("words", ["shred", "instructions", "instruction=drop", "metadata=metrics-only", "=drop"])
def test_rules_that_are_none_are_refused(words: str, warehouse: Path, pages: Path) -> None:
    """An unknown rule gives exit code 2 and a message with the known ones."""
    done = command("ingest", pages, "-w", warehouse, "--content", words)
    assert done.returncode == 2
    assert "expected keep, hash, drop or metrics-only" in done.stderr


def test_metrics_only_keeps_the_numbers(secretive: Path, warehouse: Path, tmp_path: Path) -> None:
    """With metrics-only, here set in the environment, views have the same measures as without redaction."""
    plain = tmp_path / "plain.duckdb"
    assert command("ingest", secretive, "-w", plain).returncode == 3
    asked = {**os.environ, "RUNMART_CONTENT": "metrics-only"}
    assert command("ingest", secretive, "-w", warehouse, environment=asked).returncode == 3
    for view in (
        "run_facts",
        "latency_by_model",
        "failure_rates_by_assistant",
        "token_usage_by_model",
        "cost_by_model",
    ):
        rows = f"select cast(v as varchar) from {view} as v order by 1"
        assert query(warehouse, rows) == query(plain, rows)
