"""Redaction in lakes: dropped or hashed content is in no file, also after later batches."""

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from runmart.ingest.errors import WarehouseError
from runmart.lake.distributed import split
from runmart.lake.distributed.commit import begin
from runmart.lake.parquet.manifest import MANIFEST
from runmart.models.redaction_policy import CONTENT_FIELDS, RedactionPolicy, Rule
from tests.support import batch_engine as engine
from tests.support.command import command
from tests.support.lake import alone, lake_rows, manifest, opened, rows, tables
from tests.support.sensitive_run import SECRET, SECRETIVE
from tests.support.warehouse import page, query, run, write

KEY, OTHER_KEY = b"0123456789abcdef", b"fedcba9876543210"
EVENTS = b'event: thread.run.created\ndata: {"id": "run_x", "instructions": "'


def _inputs(folder: Path, name: str) -> Path:
    """Runs, a step and rejects, with a recognisable word in each field that may hold content."""
    folder = folder / name
    folder.mkdir()
    step = {"id": f"step_{name}", "object": "thread.run.step", "status": "failed", "run_id": "run_1"}
    step |= {"last_error": {"code": "x", "message": SECRET}, "step_details": {"type": "tool_calls", "output": SECRET}}
    write(folder / "a.json", page(*(run(f"{name}_{number}", **SECRETIVE) for number in range(12))))
    write(folder / "b.json", page(run("bad", created_at="soon", **SECRETIVE), step, {"id": "run_msg", "text": SECRET}))
    write(folder / "c.json", page(run("worse", metadata=f"{SECRET} {SECRET}")))
    write(folder / "d.json", json.dumps(run("cut", **SECRETIVE)).encode()[:-1])
    write(folder / "e.txt", EVENTS + SECRET.encode())
    return folder


def _content(rule: Rule, key: bytes | None = KEY) -> RedactionPolicy:
    return RedactionPolicy(dict.fromkeys(CONTENT_FIELDS, rule), key)


def _is_in_a_file(lake: Path) -> bool:
    """Whether the word is in some file of a lake, compressed or not."""
    for path in (path for path in lake.rglob("*") if path.is_file()):
        text = path.read_bytes()
        if path.suffix == ".parquet":
            found: Any = duckdb.read_parquet(str(path), hive_partitioning=False).to_arrow_table().to_pylist()
            text += str(found).encode()
        if SECRET.encode() in text:
            return True
    return False


@pytest.mark.parametrize(
    ("rule", "is_cut"), [("keep", False), ("hash", True), ("drop", False), ("drop", True)], ids=str
)
def test_nothing_of_it_is_in_any_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: Rule, *, is_cut: bool
) -> None:
    """No redacted word is in any file, also after a batch without rules; the same search finds kept words."""
    if is_cut:
        monkeypatch.setattr(split, "UNSPLIT_BYTES", 1)
    lake, warehouse = tmp_path / "lake", tmp_path / "alone.duckdb"
    first, second = _inputs(tmp_path, "first"), _inputs(tmp_path, "second")
    outcome = engine.load(lake, [first], shards=1, content=_content(rule))
    assert (outcome.load["new_runs"], outcome.load["rejected"], outcome.load["steps"]) == (12, 5, 1)
    engine.load(lake, [second], content=RedactionPolicy(key=KEY))
    assert _is_in_a_file(lake) is (rule == "keep")
    alone(warehouse, first, content=_content(rule))
    alone(warehouse, second, content=RedactionPolicy(key=KEY))
    assert lake_rows(lake) == rows(warehouse)
    assert KEY not in (lake / MANIFEST).read_bytes()
    assert manifest(lake)[1].content == ({} if rule == "keep" else dict.fromkeys(CONTENT_FIELDS, rule))


def test_an_export_passes_the_rules_of_the_lake_too(tmp_path: Path) -> None:
    """Runs of an export are redacted by the rules of the lake."""
    warehouse, out, lake = tmp_path / "runs.duckdb", tmp_path / "out", tmp_path / "lake"
    first, second = _inputs(tmp_path, "first"), _inputs(tmp_path, "second")
    alone(warehouse, first)
    assert command("export", "-w", warehouse, "--to", out).returncode == 0
    assert _is_in_a_file(out)
    engine.load(lake, [second], shards=1, content=_content("drop"))
    engine.load(lake, [out])
    assert not _is_in_a_file(lake)
    expected = tmp_path / "expected.duckdb"
    for inputs in (first, second):
        alone(expected, inputs, content=_content("drop"))
    assert tables(lake_rows(lake)) == tables(rows(expected))


def test_a_batch_may_change_the_rules(tmp_path: Path) -> None:
    """New rules hold from their batch on, and other fields keep the rules of the lake."""
    lake = tmp_path / "lake"
    engine.load(lake, [_inputs(tmp_path, "first")], shards=1, content=_content("drop"))
    engine.load(lake, [_inputs(tmp_path, "second")], content=RedactionPolicy({"instructions": "keep"}))
    engine.load(lake, [_inputs(tmp_path, "third")])
    texts = "select run_id from runs where instructions = ? order by run_id".replace("?", f"'{SECRET}'")
    kept = query(opened(lake), texts)
    assert {run_id.partition("_")[0] for (run_id,) in kept} == {"second", "third"}
    assert query(opened(lake), f"select count(*) from errors where message like '%{SECRET}%'") == [(0,)]
    assert set(manifest(lake)[1].content) == set(CONTENT_FIELDS) - {"instructions"}


def test_hashes_need_their_key(tmp_path: Path) -> None:
    """A missing or different key is refused before anything is read; equal texts of all batches have equal hashes."""
    lake = tmp_path / "lake"
    first, second = _inputs(tmp_path, "first"), _inputs(tmp_path, "second")
    with pytest.raises(WarehouseError, match="the key of the hashes is missing: set RUNMART_CONTENT_KEY"):
        begin(str(lake), [str(first)], source="x", content=_content("hash", None))
    engine.load(lake, [first], shards=1, content=_content("hash"))
    before = (lake / MANIFEST).read_bytes()
    with pytest.raises(WarehouseError, match="the key of the hashes is missing: set RUNMART_CONTENT_KEY"):
        engine.load(lake, [second])
    with pytest.raises(WarehouseError, match="made with another key"):
        engine.load(lake, [second], content=RedactionPolicy(key=OTHER_KEY))
    assert (lake / MANIFEST).read_bytes() == before
    engine.load(lake, [second], content=RedactionPolicy(key=KEY))
    hashed = "select count(*), count(distinct instructions), min(instructions) like 'hash:%' from runs"
    assert query(opened(lake), hashed) == [(24, 1, True)]


def test_the_key_is_not_shown(tmp_path: Path) -> None:
    """The representation of a job, which other machines may log, does not show the key."""
    todo = begin(str(tmp_path / "lake"), [str(tmp_path)], source="x", content=_content("hash"))
    assert todo.admission.content.key == KEY
    assert KEY.decode() not in repr(todo)


def test_a_lake_that_is_copied_keeps_its_rules(tmp_path: Path) -> None:
    """The rules are stored in the lake's manifest, so that a copy has them."""
    engine.load(tmp_path / "lake", [_inputs(tmp_path, "first")], shards=1, content=_content("drop"))
    copy = Path(shutil.move(tmp_path / "lake", tmp_path / "copy"))
    engine.load(copy, [_inputs(tmp_path, "second")])
    assert not _is_in_a_file(copy)
    assert query(opened(copy), "select count(*) from runs") == [(24,)]
