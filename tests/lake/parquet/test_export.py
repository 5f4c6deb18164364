"""An export can be imported without loss, and a later one writes only the partitions that have changed."""

import json
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

from runmart.lake.parquet.export import Outcome
from runmart.lake.parquet.manifest import (
    MANIFEST,
    ExportError,
)
from tests.support.exports import (
    MONTHS,
    SOURCES,
    a_run,
    a_step,
    contents,
    contents_of_export,
    exported,
    load,
    restored,
)

RUNMART = Path(sys.executable).parent / "runmart"


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


def test_what_is_newer_stays(loaded: Path, tmp_path: Path) -> None:
    """An import keeps newer observations and existing prices and aliases, and adds missing ones."""
    user = """
        insert into prices (provider, model, valid_from, input, output, currency)
        values ('me', 'mine', '2024-01-01', ?, 2, 'EUR')"""
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
