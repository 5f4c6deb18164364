"""An export can be imported without loss, and a later one writes only the partitions that have changed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.dataset
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runmart.ingest.digest import file_digest
from runmart.ingest.pipeline import ingest
from runmart.ingest.warehouse.connection import open_for_reading, open_for_writing
from runmart.lake.parquet import export as export_module
from runmart.lake.parquet.export import Outcome, export
from runmart.lake.parquet.manifest import (
    MANIFEST,
    ExportError,
    held,
    put_in_place,
    read_manifest,
    write_manifest,
)
from runmart.lake.parquet.restore import restore
from runmart.queries import install

RUNMART = Path(sys.executable).parent / "runmart"
TABLES = ("runs", "usage", "tools", "errors", "steps", "prices", "model_aliases")
MONTHS = (1_700_000_000, 1_703_000_000, 1_735_689_599, 1_735_689_600, None)
"""November and December 2023; the last second of 2024 and the first of 2025 (UTC); not known."""
SOURCES = ("default", "a/b=ü %", "..")


def a_run(number: int, created_at: int | None, **fields: Any) -> dict[str, Any]:
    """A run with child rows in each table."""
    return {
        "id": f"run_{number}",
        "object": "thread.run",
        "status": "failed",
        "created_at": created_at,
        "model": "gpt-4o",
        "metadata": {"n": number},
        "usage": {"prompt_tokens": number, "completion_tokens": 1, "total_tokens": number + 1},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": 1}}}, {"type": "file_search"}],
        "last_error": {"code": "server_error", "message": "é"},
        "unheard_of": [1.50],
        **fields,
    }


def a_step(number: int, created_at: int | None) -> dict[str, Any]:
    """A step of a run."""
    step = {"id": f"step_{number}", "object": "thread.run.step", "status": "completed", "type": "tool_calls"}
    return {**step, "run_id": f"run_{number}", "created_at": created_at}


def load(warehouse: Path, folder: Path, *objects: dict[str, Any], source: str = "default", at: int = 10**15) -> None:
    """One load of one page."""
    path = folder / "page.json"
    path.write_text(json.dumps({"object": "list", "data": objects}))
    with open_for_writing(warehouse, 0) as writer:
        install(writer)
        ingest(writer, [str(path)], source=source, observed_at=at, reload=True, workers=0)


def contents(warehouse: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows without `load_id`."""
    with duckdb.connect(warehouse, read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        found: dict[str, list[tuple[Any, ...]]] = {}
        for table in TABLES:
            names = [name for name, *_ in connection.sql(f"describe {table}").fetchall() if name != "load_id"]
            columns = ", ".join(f"cast({name} as varchar)" for name in names)
            found[table] = connection.sql(f"select {columns} from {table} order by all").fetchall()
        return found


def exported(warehouse: Path, folder: Path, *, full: bool = False) -> Outcome:
    """Export, and return the outcome."""
    with open_for_reading(warehouse, 0) as connection:
        return export(connection, folder, full=full)


def restored(warehouse: Path, folder: Path) -> Any:
    """Import, and return the load."""
    with open_for_writing(warehouse, 0) as writer:
        install(writer)
        return restore(writer, folder).totals


@pytest.fixture(name="built", scope="module")
def _built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of runs of several months and sources."""
    folder = tmp_path_factory.mktemp("built")
    warehouse = folder / "runs.duckdb"
    number = 0
    for source in SOURCES:
        for created_at in MONTHS:
            number += 10
            runs = [a_run(number + place, created_at) for place in range(3)]
            load(warehouse, folder, *runs, a_step(number, created_at), source=source)
    load(warehouse, folder, {"id": "bare", "status": "queued"})
    return warehouse


@pytest.fixture(name="loaded")
def _loaded(built: Path, tmp_path: Path) -> Path:
    """A copy of that warehouse, for one test."""
    return Path(shutil.copy(built, tmp_path / "runs.duckdb"))


def test_an_export_comes_back_as_it_was(loaded: Path, tmp_path: Path) -> None:
    """An import gives all rows except `load_id`; a second import changes nothing."""
    outcome = exported(loaded, tmp_path / "out")
    assert (outcome.written, outcome.unchanged, outcome.removed) == (15, 0, 0)
    assert (outcome.rows["runs"], outcome.rows["tools"], outcome.rows["steps"]) == (46, 90, 15)
    again = tmp_path / "again.duckdb"
    totals = restored(again, tmp_path / "out")
    assert (totals.new_runs, totals.steps) == (46, 15)
    assert contents(again) == contents(loaded)
    totals = restored(again, tmp_path / "out")
    assert (totals.new_runs, totals.updated_runs, totals.unchanged) == (0, 0, 46)
    assert contents(again) == contents(loaded)


@pytest.mark.slow
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seen=st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from(MONTHS), st.sampled_from(SOURCES), st.integers(0, 3)),
        min_size=1,
        max_size=8,
    ),
    cut=st.integers(1, 8),
)
def test_any_warehouse_comes_back(
    seen: list[tuple[int, int | None, str, int]], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Exports of random warehouses, whose runs change month, source and content, can be imported over each other."""
    folder = tmp_path_factory.mktemp("any")
    warehouse, again = folder / "w.duckdb", folder / "again.duckdb"
    for place, (number, created_at, source, at) in enumerate(seen):
        if place == cut:
            exported(warehouse, folder / "out")
            restored(again, folder / "out")
        run = a_run(number, created_at, model=str(place))
        load(warehouse, folder, run, a_step(number, created_at), source=source, at=10**15 + at)
    exported(warehouse, folder / "out")
    restored(again, folder / "out")
    assert contents(again) == contents(warehouse)
    fresh = folder / "fresh.duckdb"
    restored(fresh, folder / "out")
    assert contents(fresh) == contents(warehouse)


def test_only_what_has_changed_is_written(loaded: Path, tmp_path: Path) -> None:
    """New and changed runs, new steps, and prunes write their partitions, and no others."""
    out = tmp_path / "out"
    exported(loaded, out)

    def changed() -> tuple[set[str], Outcome]:
        before = {path: path.stat().st_mtime_ns for path in out.rglob("data.parquet")}
        outcome = exported(loaded, out)
        after = {path: path.stat().st_mtime_ns for path in out.rglob("data.parquet")}
        gone_or_new = before.keys() ^ after.keys()
        paths = gone_or_new | {path for path, time in after.items() if before.get(path) != time}
        months = {str(path.relative_to(out).parent).partition("/")[2] for path in paths}
        return {month for month in months if month}, outcome

    assert changed()[0] == set()
    load(loaded, tmp_path, a_run(900, MONTHS[0]))
    months, outcome = changed()
    assert months == {"source=default/month=2023-11"}
    assert (outcome.written, outcome.unchanged, outcome.removed) == (1, 14, 0)
    load(loaded, tmp_path, a_run(10, MONTHS[0], status="completed"))
    assert changed()[0] == {"source=default/month=2023-11"}
    load(loaded, tmp_path, a_step(901, MONTHS[1]))
    assert changed()[0] == {"source=default/month=2023-12"}
    load(loaded, tmp_path, a_run(10, MONTHS[1], status="completed"), at=2 * 10**15)
    assert changed()[0] == {"source=default/month=2023-11", "source=default/month=2023-12"}
    prune = [RUNMART, "prune", "-w", loaded, "--yes", "--older-than", "2023-12-01"]
    subprocess.run([*prune, "--content-only"], check=True, capture_output=True)
    old = {"month=2023-11", "month=__HIVE_DEFAULT_PARTITION__"}  # of runs without, it counts when they were observed
    assert {month.partition("/")[2] for month in changed()[0]} == old
    subprocess.run(prune, check=True, capture_output=True)
    months, outcome = changed()
    assert {month.partition("/")[2] for month in months} == old
    assert (outcome.written, outcome.removed) == (0, 6)
    assert not list(out.rglob("month=2023-11"))
    assert exported(loaded, out, full=True).written == 9
    assert contents_of_export(out, tmp_path) == contents(loaded)


def contents_of_export(out: Path, folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of an export, read through a new warehouse."""
    warehouse = folder / "from_export.duckdb"
    restored(warehouse, out)
    return contents(warehouse)


def test_everything_reads_it(loaded: Path, tmp_path: Path) -> None:
    """DuckDB, polars and Arrow read the rows, types and partitions."""
    out = tmp_path / "out"
    exported(loaded, out)
    count = "select source, month, count(*) from read_parquet(?, hive_partitioning = true) group by all order by all"
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        files = [str(out / "runs" / "**" / "*.parquet")]
        rows = connection.execute(count, files).fetchall()
        assert {row[0] for row in rows} == set(SOURCES)
        assert {str(row[1])[:7] for row in rows} >= {"2023-11", "2024-12", "2025-01"}
        assert sum(row[2] for row in rows) == 46
    frame = pl.scan_parquet(out / "runs", hive_partitioning=True).collect()
    assert frame.height == 46
    assert frame.schema["created_at"] == pl.Datetime("us", "UTC")
    assert set(frame["source"]) == set(SOURCES)
    assert frame.schema["metadata"] == pl.String
    arrow: Any = pyarrow.dataset
    table = arrow.dataset(out / "tools", format="parquet", partitioning="hive").to_table()
    assert (table.num_rows, set(table.column("source").to_pylist())) == (90, set(SOURCES))


def test_a_folder_with_something_else_is_left_alone(loaded: Path, tmp_path: Path) -> None:
    """A folder with other files, or with the export of another warehouse, is refused and not changed."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("x")
    with pytest.raises(ExportError, match="choose an empty folder"):
        exported(loaded, out)
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]
    (out / "thesis.txt").unlink()
    exported(loaded, out)
    other = tmp_path / "other.duckdb"
    load(other, tmp_path, a_run(1, None))
    with pytest.raises(ExportError, match="export of another warehouse"):
        exported(other, out)
    (out / MANIFEST).write_text("{")
    with pytest.raises(ExportError, match="cannot be read"):
        exported(loaded, out)
    (tmp_path / "file").write_text("x")
    done = subprocess.run(
        [RUNMART, "export", "-w", loaded, "--to", tmp_path / "file"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)


def _damage(out: Path, path: Path, damage: str) -> None:
    """Damage one file of an export, or remove columns as an older runmart would not have them."""
    text = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(text[:-50])
    elif damage == "flipped":
        text[len(text) // 4] ^= 1
        path.write_bytes(text)
    else:
        duckdb.sql(f"copy (select 'x' as run_id, 'y' as model) to '{path}' (format parquet)")
        manifest = read_manifest(out)
        assert manifest is not None
        [file] = [file for _, file in manifest.files() if out / file.path == path]
        file.bytes, file.sha256 = path.stat().st_size, file_digest(path)
        write_manifest(out, manifest)


@pytest.mark.parametrize("name", ["runs/source=default/month=2023-12", "tools/source=../month=2024-12", "prices"])
@pytest.mark.parametrize("damage", ["missing", "cut", "flipped", "columns"])
def test_a_damaged_export_is_not_loaded(loaded: Path, tmp_path: Path, name: str, damage: str) -> None:
    """The error names the damaged file, and nothing is imported, not even a load."""
    out = tmp_path / "out"
    exported(loaded, out)
    path = out / name / "data.parquet"
    _damage(out, path, damage)
    again = tmp_path / "again.duckdb"
    with pytest.raises(ExportError, match="lacks the columns" if damage == "columns" else "missing|damaged") as raised:
        restored(again, out)
    assert str(path) in str(raised.value)
    with duckdb.connect(again, read_only=True) as connection:
        assert connection.sql("select count(*) from runs").fetchall() == [(0,)]
        assert connection.sql("select count(*) from runmart.loads").fetchall() == [(0,)]


def test_a_manifest_of_a_newer_runmart_is_not_read(tmp_path: Path) -> None:
    """A manifest of a newer format is refused, whatever else it holds."""
    (tmp_path / MANIFEST).write_text('{"format": 99, "something": "new"}')
    with pytest.raises(ExportError, match=r"format 99.*upgrade"):
        read_manifest(tmp_path)


def test_an_export_that_was_cut_short_is_completed(loaded: Path, tmp_path: Path) -> None:
    """The next export after an interrupted one writes only what is missing."""
    out = tmp_path / "out"
    written = 0

    def stop_after_five(*_: object) -> None:
        nonlocal written
        written += 1
        if written == 5:
            raise KeyboardInterrupt

    with open_for_reading(loaded, 0) as connection, pytest.raises(KeyboardInterrupt):
        export(connection, out, progress=stop_after_five)
    manifest = read_manifest(out)
    assert manifest is not None
    assert [bool(one.digest) for one in manifest.partitions].count(True) == 5
    with pytest.raises(ExportError, match="cut short"):
        restored(tmp_path / "again.duckdb", out)
    outcome = exported(loaded, out)
    assert (outcome.written, outcome.unchanged) == (10, 5)
    assert contents_of_export(out, tmp_path) == contents(loaded)
    assert not list(out.rglob(".*"))


def _crash(monkeypatch: pytest.MonkeyPatch, loaded: Path, out: Path, after: int) -> None:
    """An export that stops with `after` files in place, before it renames the next one."""
    left = after

    def put(aside: Path, path: Path) -> None:
        nonlocal left
        if not left:
            raise KeyboardInterrupt
        left -= 1
        put_in_place(aside, path)

    with monkeypatch.context() as patched:
        patched.setattr(export_module, "put_in_place", put)
        with pytest.raises(KeyboardInterrupt):
            exported(loaded, out)


@pytest.mark.parametrize("after", [1, *(pytest.param(one, marks=pytest.mark.slow) for one in (0, 7, 30))])
def test_a_crash_leaves_what_everything_reads(
    loaded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """After crashes of a first and a later export, files are readable; only a completed export is imported."""
    out = tmp_path / "out"
    arrow: Any = pyarrow.dataset
    for _ in range(2):
        _crash(monkeypatch, loaded, out, after)
        for table in [path for path in out.iterdir() if any(path.rglob("*.parquet"))]:
            rows = pl.scan_parquet(table, hive_partitioning=True).collect().height
            assert rows == arrow.dataset(table, format="parquet", partitioning="hive").count_rows() > 0
        with pytest.raises(ExportError, match="cut short"):
            restored(tmp_path / "again.duckdb", out)
    exported(loaded, out)
    load(loaded, tmp_path, *[a_run(800 + place, at) for place, at in enumerate(MONTHS)])
    _crash(monkeypatch, loaded, out, min(after, 12))
    exported(loaded, out)
    assert contents_of_export(out, tmp_path) == contents(loaded)
    assert not list(out.rglob(".*"))


def test_what_a_crash_left_of_a_partition_that_is_gone_is_removed(
    loaded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next export removes files of a partition that no longer has runs when a crash left them."""
    out = tmp_path / "out"
    exported(loaded, out)
    load(loaded, tmp_path, a_run(700, 1_600_000_000, status="in_progress"))
    _crash(monkeypatch, loaded, out, 1)
    assert list(out.rglob("month=2020-09"))
    load(loaded, tmp_path, a_run(700, 1_700_000_000))
    assert exported(loaded, out).removed == 1
    assert not list(out.rglob("month=2020-09"))
    assert contents_of_export(out, tmp_path) == contents(loaded)


def test_an_upgrade_that_adds_a_column_writes_everything(
    loaded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade that adds a column all partitions are written again."""
    exported(loaded, tmp_path / "out")
    monkeypatch.setattr(export_module, "_columns_digest", lambda: "others")
    assert exported(loaded, tmp_path / "out").unchanged == 0


def test_only_one_is_at_work_in_an_export(loaded: Path, tmp_path: Path) -> None:
    """A second concurrent export is refused, while several processes may read."""
    out = tmp_path / "out"
    exported(loaded, out)
    with held(out, for_writing=True):
        with pytest.raises(ExportError, match="uses it"):
            exported(loaded, out)
        with pytest.raises(ExportError, match="uses it"):
            restored(tmp_path / "again.duckdb", out)
    with held(out, for_writing=False):
        restored(tmp_path / "again.duckdb", out)


def test_a_full_disk_is_reported_in_a_sentence(tmp_path: Path) -> None:
    """A full disk ends in a sentence, for the manifest and for tables; the next export completes."""
    warehouse, out = tmp_path / "runs.duckdb", tmp_path / "out"
    load(warehouse, tmp_path, a_run(1, None))
    for kilobytes in (0, 2):
        command = f"ulimit -f {kilobytes}; exec {RUNMART} export -w {warehouse} --to {out}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
        assert (done.returncode, (out / MANIFEST).exists()) == (1, kilobytes == 2)
        assert done.stderr.startswith(f"runmart: {out}: ")
        assert done.stderr.endswith("run the command again once that is fixed\n")
    exported(warehouse, out)
    assert contents_of_export(out, tmp_path) == contents(warehouse)


def test_what_is_newer_stays(loaded: Path, tmp_path: Path) -> None:
    """An import keeps newer observations and existing prices and aliases, and adds missing ones."""
    user = "insert into prices values ('me', 'mine', '2024-01-01', null, ?, null, 2, 'EUR', 'x')"
    alias = "insert into model_aliases values ('default', 'deployed', null, ?)"
    with duckdb.connect(loaded) as connection:
        connection.execute(user, [1.0])
        connection.execute(alias, ["gpt-4o"])
    out, again = tmp_path / "out", tmp_path / "again.duckdb"
    exported(loaded, out)
    load(again, tmp_path, a_run(10, MONTHS[0], model="newer"), at=2 * 10**15)
    with duckdb.connect(again) as connection:
        connection.execute(user, [7.0])
    for _ in range(2):
        restored(again, out)
        with duckdb.connect(again, read_only=True) as connection:
            assert connection.sql("select model from runs where run_id = 'run_10'").fetchall() == [("newer",)]
            assert connection.sql("select input from prices where provider = 'me'").fetchall() == [(7.0,)]
            assert connection.sql("select model, priced_as from model_aliases").fetchall() == [("deployed", "gpt-4o")]
            assert connection.sql("select count(*) from runs").fetchall() == [(46,)]


def test_a_folder_may_have_any_name(loaded: Path, tmp_path: Path) -> None:
    """Glob characters in the name of a folder are taken literally."""
    out = tmp_path / "it's [1]*?{a,b}"
    exported(loaded, out)
    assert contents_of_export(out, tmp_path) == contents(loaded)


def test_the_commands_tell_what_they_did(loaded: Path, tmp_path: Path) -> None:
    """Export and import report in words and in JSON; an import is recorded as a load."""
    out, again = tmp_path / "out", tmp_path / "again.duckdb"

    def output_of(*arguments: str | Path) -> str:
        return subprocess.run([RUNMART, *arguments], check=True, capture_output=True, text=True).stdout

    assert "bytes; 15 partitions written, 0 unchanged, 0 removed" in output_of("export", "-w", loaded, "--to", out)
    summary = json.loads(output_of("export", "-w", loaded, "--to", out, "--json"))
    assert (summary["unchanged"], summary["rows"]["runs"]) == (15, 46)
    assert summary["bytes"] == sum(path.stat().st_size for path in out.rglob("*.parquet"))
    assert "46 new runs" in output_of("import", out, "-w", again, "--content", "instructions=drop")
    assert json.loads(output_of("import", out, "-w", again, "--json"))["unchanged"] == 46
    with duckdb.connect(again, read_only=True) as connection:
        loads = connection.sql("select command, state, observations from runmart.loads").fetchall()
        assert loads == [("import", "done", 46)] * 2
        assert connection.sql("select rule from runmart.content_rules").fetchall() == [("drop",)]
