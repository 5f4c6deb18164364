"""`runmart prune`: old runs, or their content, are deleted with all child rows, and later loads skip them."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest

from runmart.ingest.errors import WarehouseError
from runmart.ingest.maintenance.prune import prune
from runmart.ingest.pipeline import ingest
from runmart.ingest.warehouse.connection import open_for_writing
from runmart.ingest.warehouse.file_copy import compact
from tests.support.command import command, launch
from tests.support.sensitive_run import SECRET, SECRETIVE
from tests.support.warehouse import WRONG_TOOL_SUMS, assert_sound, empty, load, page, query, run, tables, write

DAY = 86_400
CUT = 1_700_000_000
"""2023-11-14 22:13:20"""


def _runs(number: int, created_at: int | None, **fields: Any) -> list[dict[str, Any]]:
    return [
        run(f"run_{created_at}_{index}", created_at=created_at, **{**SECRETIVE, **fields}) for index in range(number)
    ]


@pytest.fixture(name="warehouse")
def _warehouse(new_warehouse: Path) -> Path:
    """An empty warehouse with the views."""
    return empty(new_warehouse)


@pytest.fixture(name="loaded")
def _loaded(pages: Path, warehouse: Path) -> Path:
    """A warehouse with old and new runs, rejects, a step, and a view of the user."""
    step = {"id": "step_1", "object": "thread.run.step", "status": "failed", "run_id": f"run_{CUT - DAY}_0"}
    step |= {"created_at": CUT - DAY, "last_error": {"code": "x", "message": SECRET}}
    write(pages / "old.json", page(*_runs(2000, CUT - DAY, model=SECRET), step), CUT - DAY)
    write(pages / "unknown.json", page(*_runs(3, None)), CUT - DAY)
    write(pages / "bad.json", page(run("run_bad", metadata=SECRET)), CUT - DAY)
    write(pages / "new.json", page(*_runs(5, CUT + 1)), CUT + DAY)
    write(pages / "newly_seen.json", page(*_runs(4, None, instructions="x")[3:]), CUT + DAY)
    assert command("ingest", pages, "-w", warehouse).returncode == 3
    with duckdb.connect(warehouse) as connection:
        connection.execute("create view mine as select model, count(*) as runs from run_facts group by 1")
        connection.execute("comment on view mine is 'My own'")
    return warehouse


def _prune(warehouse: Path, *more: str) -> dict[str, Any]:
    done = command("prune", "-w", warehouse, "--older-than", "2023-11-14T22:13:20", "--yes", "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_old_runs_go_with_all_that_belongs_to_them(loaded: Path, pages: Path, tmp_path: Path) -> None:
    """After a prune the tables are those of a warehouse without the old runs, and the file holds nothing of them."""
    shown = command("prune", "-w", loaded, "--older-than", "2023-11-14T22:13:20", "--dry-run")
    assert "2,003 runs created before 2023-11-14 22:13 (UTC)" in shown.stdout
    before = loaded.stat().st_size
    printed = _prune(loaded)
    assert (printed["runs"], printed["rows"]["main.tools"], printed["is_done"]) == (2003, 4 * 2003, True)
    assert (printed["bytes_before"], printed["bytes"]) == (before, loaded.stat().st_size)
    assert printed["bytes"] < before
    assert printed["rows"]["main.steps"] == printed["rows"]["runmart.rejects"] == 1
    assert b"run_1699913600_77" not in loaded.read_bytes()
    left = tmp_path / "left.duckdb"
    load(left, pages / "new.json", pages / "newly_seen.json")
    assert tables(loaded) == tables(left)
    assert_sound(loaded)
    assert query(loaded, "select comment from duckdb_views() where view_name = 'mine'") == [("My own",)]
    assert query(loaded, "select sum(runs) from mine") == [(6,)]
    assert query(
        loaded, "select comment from duckdb_columns() where table_name = 'runs' and column_name = 'run_id'"
    ) != [(None,)]
    assert query(loaded, "select tags['storage_version'] from duckdb_databases() where path is not null") == [
        ("v1.4.0+",)
    ]
    assert not list(loaded.parent.glob(".*compact*"))


def test_what_was_pruned_stays_out_until_that_is_lifted(loaded: Path, pages: Path) -> None:
    """Later loads count and skip pruned runs, and succeed; after --lift they load them."""
    before = tables(loaded)
    _prune(loaded)
    pruned = tables(loaded)
    again = command("ingest", pages, "-w", loaded, "--reload")
    assert again.returncode == 3  # the reject
    assert "2,003 observations of pruned runs were skipped" in again.stderr
    assert tables(loaded) == pruned
    counts = "select observations, new_runs + updated_runs + unchanged + pruned, pruned from runmart.loads"
    assert query(loaded, f"{counts} order by load_id desc limit 1") == [(2009, 2009, 2003)]
    lifted = command("prune", "--lift", "-w", loaded)
    assert "1 prunes lifted" in lifted.stdout
    assert command("ingest", pages, "-w", loaded, "--reload").returncode == 3
    assert tables(loaded) == before


def test_content_goes_and_measures_stay(loaded: Path, pages: Path) -> None:
    """--content-only redacts old runs in the tables and the file, also in later loads, and keeps all measures."""
    measures = "select cast(v as varchar) from run_facts as v where model <> 'Zanzibar' order by 1"
    before, new = query(loaded, measures), "select cast(r as varchar) from runs as r where created_at >= '2023-11-15'"
    kept = query(loaded, new)
    printed = _prune(loaded, "--content-only")
    assert (printed["runs"], printed["rows"]) == (2003, {})
    assert query(loaded, measures) == before
    assert query(loaded, new) == kept
    old = "(select run_id from runs where coalesce(created_at, observed_at) < '2023-11-14 22:13:20+00')"
    for table in ("runs", "usage", "tools", "errors", "steps"):
        texts = "cast(t as varchar)" if table != "runs" else "replace(cast(t as varchar), '''model'': Zanzibar', '')"
        found = query(loaded, f"select count(*) from {table} as t where run_id in {old} and {texts} like '%{SECRET}%'")
        assert found == [(0,)], table
    assert query(loaded, "select raw_encoding from runmart.rejects") == [("withheld",)]
    assert query(loaded, WRONG_TOOL_SUMS) == []
    pruned = tables(loaded)
    assert command("ingest", pages / "old.json", pages / "unknown.json", "-w", loaded, "--reload").returncode == 0
    assert tables(loaded) == pruned


def test_content_of_steps_whose_run_is_not_there_goes(warehouse: Path, pages: Path) -> None:
    """An old step loses its content, too, where its run was never loaded."""
    error = {"code": "c", "message": SECRET}
    step = {"object": "thread.run.step", "id": "s", "run_id": "r", "status": "failed", "created_at": CUT - DAY}
    write(pages / "step.json", json.dumps(step | {"last_error": error}).encode())
    load(warehouse, pages)
    _prune(warehouse, "--content-only")
    assert query(warehouse, "select error_code, error_message from steps") == [("c", None)]


def test_content_of_a_file_without_new_runs_is_nowhere_in_its_bytes(pages: Path, warehouse: Path) -> None:
    """Redacted content is not in freed blocks of the file either."""
    write(pages / "old.json", page(*_runs(3000, CUT - DAY)))
    load(warehouse, pages)
    assert SECRET.encode() in warehouse.read_bytes()
    _prune(warehouse, "--content-only")
    assert SECRET.encode() not in warehouse.read_bytes()
    assert query(warehouse, "select count(*) from runs") == [(3000,)]


def test_nothing_goes_without_a_word(loaded: Path) -> None:
    """A prune needs --older-than and, without a terminal, --yes; else it changes nothing."""
    before = tables(loaded)
    for arguments, said in (
        (["--older-than", "90d"], "--yes"),
        ([], "--older-than"),
        (["--older-than", "soon", "--yes"], "not 'soon'"),
    ):
        done = command("prune", "-w", loaded, *arguments)
        assert done.returncode == 2
        assert said in done.stderr
    assert tables(loaded) == before
    nowhere = command("prune", "-w", loaded.with_name("none.duckdb"), "--older-than", "90d", "--yes")
    assert nowhere.returncode == 1
    assert not loaded.with_name("none.duckdb").exists()


def test_an_error_changes_nothing(loaded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prune that fails is rolled back as a whole."""
    before = tables(loaded)
    monkeypatch.setattr("runmart.ingest.maintenance.prune._DELETED", {"main.usage": "true", "main.none": "true"})
    with open_for_writing(loaded, 0) as writer, pytest.raises(duckdb.CatalogException):
        prune(writer, CUT * 1_000_000, content_only=False)
    assert tables(loaded) == before


@pytest.mark.slow
def test_loads_that_wait_while_the_file_is_rewritten_lose_nothing(loaded: Path, tmp_path: Path) -> None:
    """Loads that wait while a prune rewrites the file write to the new file."""
    codes: list[int] = []

    def load_some() -> None:
        for number in range(12):
            source = write(tmp_path / f"more_{number}.json", page(run(f"more_{number}", created_at=CUT + 2)))
            codes.append(launch("ingest", source, "-w", loaded).returncode)

    loading = threading.Thread(target=load_some)
    loading.start()
    pruned = 0
    while loading.is_alive():
        _prune(loaded)
        pruned += 1
    loading.join()
    assert codes == [0] * 12
    assert pruned > 2
    assert query(loaded, "select count(*) from runs where run_id like 'more%'") == [(12,)]
    assert query(loaded, "select count(*) from runmart.prunes") == [(pruned,)]


def test_runs_before_the_cut_never_come_in_whatever_the_order(pages: Path, warehouse: Path, tmp_path: Path) -> None:
    """Loading and then pruning gives the same tables as pruning and then loading."""
    files = [write(pages / f"{n}.json", page(*_runs(3, CUT - 5 + n)), CUT + n) for n in range(10)]
    other = tmp_path / "other.duckdb"
    for path, steps in ((warehouse, ("load", "prune")), (other, ("prune", "load"))):
        with open_for_writing(path, 0) as writer:
            for step in steps:
                if step == "load":
                    ingest(writer, map(str, files), source="default", workers=0)
                else:
                    prune(writer, CUT * 1_000_000, content_only=False)
                    prune(writer, (CUT + 2) * 1_000_000, content_only=True)
    assert tables(warehouse) == tables(other)
    assert query(warehouse, "select count(*), count(instructions) from runs") == [(15, 9)]


def test_a_write_that_was_cut_short_is_not_lost_to_a_smaller_file(loaded: Path, tmp_path: Path) -> None:
    """A file whose log holds a killed process's write is not compacted before the log is applied."""
    linked = tmp_path / "link.duckdb"
    linked.symlink_to(loaded)
    program = f"""if True:
        import duckdb, os
        connection = duckdb.connect({str(loaded)!r})
        connection.execute("insert into runs (run_id, status) values ('late', 'queued')")
        os._exit(9)"""
    subprocess.run([sys.executable, "-c", program], check=False)
    assert loaded.with_name(loaded.name + ".wal").exists()
    with pytest.raises(WarehouseError, match="was cut short"):
        compact(linked, 0)
    printed = _prune(linked)
    assert printed["bytes"] < printed["bytes_before"]
    assert query(loaded, "select count(*) from runs where run_id = 'late'") == [(1,)]
    assert linked.is_symlink()
