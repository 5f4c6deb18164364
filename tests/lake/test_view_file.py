"""View files of lakes: DuckDB files whose views show a lake to everything that reads a warehouse."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from runmart.ingest.errors import WarehouseError
from runmart.lake.view_file import write_view_file
from runmart.models.tables.all import ALL_TABLES
from runmart.models.tables.bookkeeping import LOADS
from runmart.queries import connect, views
from runmart.queries.connection import Warehouse
from tests.support import batch_engine as engine
from tests.support.command import command
from tests.support.disturbed_lake import Before
from tests.support.lake import alone, opened, rows
from tests.support.paths import ROOT
from tests.support.warehouse import page, query, run, write

SHELL = Path(sys.executable).parent / "duckdb"
OF_THE_FILE = {"data_freshness", "load_history", "open_runs", "reject_summary"}
"""Views that tell when something was done, or how long ago, or number rejects."""


class Both:
    """The same recorded pages in a lake and in a warehouse."""

    def __init__(self, folder: Path) -> None:
        self.lake, self.warehouse, self.view_file = folder / "lake", folder / "alone.duckdb", folder / "w.duckdb"
        step = {"id": "step", "object": "thread.run.step", "status": "completed", "run_id": "fine"}
        bad = {"id": "run_bad", "status": "x", "created_at": "soon"}
        damaged = write(folder / "damaged.json", page(run("fine"), step, bad))
        self.sources = [ROOT / "cli" / "demo" / "pages", damaged]
        engine.load(self.lake, self.sources, shards=1)
        alone(self.warehouse, *self.sources, has_views=True)
        self.done = command("lake", "open", self.lake, "--warehouse", self.view_file)


@pytest.fixture(name="both", scope="module")
def _both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    return Both(tmp_path_factory.mktemp("both"))


def shell(view_file: Path, text: str) -> list[dict[str, Any]]:
    """The output of a query in DuckDB's shell, read-only."""
    done = subprocess.run(
        [SHELL, "-readonly", "-json", view_file, "-c", text], capture_output=True, text=True, timeout=60, check=True
    )
    return json.loads(done.stdout or "[]")


def test_the_command_makes_a_file_that_shows_the_lake(both: Both) -> None:
    """The command reports the number of runs, and all tables equal those of a warehouse of the same inputs."""
    [(count,)] = query(both.warehouse, "select count(*) from runs")
    assert both.done.returncode == 0, both.done.stderr
    assert both.done.stdout == f"{both.view_file}: shows {count:,} runs of {both.lake}\n"
    assert rows(both.view_file) == rows(both.warehouse)
    assert count > 50


def test_the_shell_shows_tables_and_views_with_their_comments(both: Both) -> None:
    """Tables, views and columns of a view file have their comments."""
    [latency] = shell(both.view_file, "select cast(sum(runs) as int) as runs from latency_by_model")
    assert [(latency["runs"],)] == query(both.warehouse, "select sum(runs) from latency_by_model")
    comments = {
        row["name"]: row["comment"]
        for row in shell(both.view_file, "select view_name as name, comment from duckdb_views() where not internal")
    }
    for table in ALL_TABLES:
        assert comments[table.name] == f"{table.purpose} Grain: {table.grain}."
        found = shell(
            both.view_file, f"select column_name, comment from duckdb_columns() where table_name = '{table.name}'"
        )
        meanings = {column.name: column.meaning for column in table.columns}
        assert {row["column_name"]: row["comment"] for row in found} == meanings
    assert {view.name: view.comment for view in views()}.items() <= comments.items()


def figures(warehouse: Warehouse) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of all views."""
    found = {view.name: warehouse.sql(f"select * from {view.name}").rows() for view in views()}
    return {name: sorted(map(_comparable, some)) for name, some in found.items() if name not in OF_THE_FILE}


def _comparable(row: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(f"{value:.9e}" if isinstance(value, float) else str(value) for value in row)


def test_all_views_give_what_they_give_on_a_warehouse(both: Both) -> None:
    """All views have the rows of a warehouse; those with times of loads have as many rows."""
    with connect(both.view_file) as view_file, connect(both.warehouse) as warehouse:
        found, expected = figures(view_file), figures(warehouse)
        assert found == expected
        assert sum(map(bool, expected.values())) > 25
        for name in OF_THE_FILE:
            count = f"select count(*) as n from {name}"
            assert view_file.sql(count)["n"][0] == warehouse.sql(count)["n"][0]


def test_commands_that_read_do_so(both: Both, tmp_path: Path) -> None:
    """check, status, views and rejects work on a view file."""
    view_file = ["-w", both.view_file]
    settings = tmp_path / "runmart.toml"
    settings.write_text("[checks]\nmax_rejects = 0\n")
    checked = command("check", *view_file, "--config", settings, "--json")
    assert checked.returncode == 4, checked.stderr
    assert [one["check"] for one in json.loads(checked.stdout)["failed"]] == ["rejects"]
    status, expected = (
        json.loads(command("status", "-w", w, "--json").stdout) for w in (both.view_file, both.warehouse)
    )
    same = ("runs", "open_runs", "oldest_run_at", "newest_run_at", "statuses", "rejects", "schema", "storage_version")
    assert {name: status[name] for name in same} == {name: expected[name] for name in same}
    assert [(load["load_id"], load["new_runs"]) for load in status["loads"]] == [(1, status["runs"])]
    view = json.loads(command("views", "token_usage_by_model", "--rows", "99", *view_file, "--json").stdout)["rows"]
    expected = query(both.warehouse, "select model, runs_with_usage from token_usage_by_model")
    assert sorted(map(str, expected)) == sorted(str((row["model"], row["runs_with_usage"])) for row in view)
    rejects = json.loads(command("rejects", *view_file, "--json").stdout)
    assert sorted(map(str, query(both.warehouse, "select reason, raw from runmart.rejects"))) == sorted(
        str((one["reason"], one["raw"])) for one in rejects
    )


@pytest.mark.slow
def test_a_report_is_made_of_it(both: Both, tmp_path: Path) -> None:
    """A report of a view file is that of a warehouse."""
    done = command("report", "-w", both.view_file, "--to", tmp_path / "report.html")
    assert done.returncode == 0, done.stderr
    assert "<html" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    "arguments",
    [("ingest", "PAGES"), ("prune", "--older-than", "2024-01-01", "--yes"), ("import", "LAKE"), ("rejects", "--retry")],
    ids=lambda arguments: arguments[0],
)
def test_commands_that_write_are_refused(both: Both, arguments: tuple[str, ...]) -> None:
    """Commands that write give exit code 1 and name the alternative; the view file stays as it was."""
    before = both.view_file.read_bytes()
    names = {"PAGES": both.sources[0], "LAKE": both.lake}
    done = command(*(names.get(argument, argument) for argument in arguments), "-w", both.view_file)
    assert done.returncode == 1
    assert done.stderr == (
        f"runmart: {both.view_file}: it only shows the lake {both.lake}: load there with runmart lake load, then bring "
        "this up to date with runmart lake open\n"
    )
    assert both.view_file.read_bytes() == before


def test_a_view_file_that_is_opened_again_shows_what_is_new_and_keeps_its_prices(before: Before) -> None:
    """Opening again shows new batches, and keeps the file's prices and aliases."""
    view_file = opened(before.lake)
    with duckdb.connect(view_file) as connection:
        connection.execute("""
            insert into prices (provider, model, valid_from, input, output, currency)
            values ('me', 'mine', '2024-01-01', 1, 2, 'EUR')""")
        connection.execute("delete from prices where provider <> 'me'")
        connection.execute("insert into model_aliases values ('default', 'deployed', null, 'mine')")
    before.load()
    assert rows(view_file) == before.rows
    done = command("lake", "open", before.lake, "-w", view_file)
    assert (done.returncode, done.stderr) == (0, "")
    assert rows(view_file) == before.undisturbed
    assert query(view_file, "select provider, model, output from prices") == [("me", "mine", 2.0)]
    assert query(view_file, "select model, priced_as from model_aliases") == [("deployed", "mine")]
    assert query(view_file, "select lake, batch from runmart.window") == [(str(before.lake), 2)]
    assert query(view_file, f"select count(*) from runmart.{LOADS.name}") == [(2,)]
    assert sorted(path.name for path in view_file.parent.iterdir()) == sorted([before.lake.name, view_file.name])


def test_what_is_no_view_file_is_not_overwritten(before: Before, tmp_path: Path) -> None:
    """A warehouse, another DuckDB file, any other file, or a folder is not overwritten."""
    alone(tmp_path / "warehouse", before.second)
    duckdb.connect(tmp_path / "other").close()
    (tmp_path / "notes").write_text("x" * 9000)
    for name in ("warehouse", "other", "notes"):
        text = (tmp_path / name).read_bytes()
        with pytest.raises(WarehouseError, match=f"^{tmp_path / name}: "):
            write_view_file(str(before.lake), tmp_path / name)
        assert (tmp_path / name).read_bytes() == text
    (tmp_path / "folder").mkdir()
    assert command("lake", "open", before.lake, "-w", tmp_path / "folder").returncode == 1
    assert {path.name for path in tmp_path.iterdir()} == {"warehouse", "other", "notes", "folder", "lake"}


def test_a_folder_that_is_no_lake_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """A folder that is no lake is refused with advice, and so is a DuckLake as the view file; no file is created."""
    done = command("lake", "open", tmp_path / "none", "-w", tmp_path / "w.duckdb")
    assert done.returncode == 1
    expected = f"there is no lake; make one with: runmart lake load {tmp_path / 'none'} PAGES\n"
    assert done.stderr == f"runmart: {tmp_path / 'none'}: {expected}"
    done = command("lake", "open", tmp_path, "-w", "ducklake:postgres:dbname=x password=secret")
    assert (done.returncode, "secret" in done.stderr) == (1, False)
    assert "views over a lake need a DuckDB file" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_paths_may_be_relative_and_have_any_name(
    before: Before, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A view file of a relative path works from other folders; glob characters in names are literal."""
    before.lake.rename(tmp_path / "it's [1]*?{a,b} ü")
    monkeypatch.chdir(tmp_path)
    engine.load(Path("it's [1]*?{a,b} ü"), [Path(os.path.relpath(before.second))])
    write_view_file("it's [1]*?{a,b} ü", Path("w.duckdb"))
    monkeypatch.chdir("/")
    assert {**rows(tmp_path / "w.duckdb"), "runmart.inputs": []} == {**before.undisturbed, "runmart.inputs": []}
