"""Every command works on a DuckLake as it does on a DuckDB file."""

import json
import re
import sys
from pathlib import Path

import pytest

from runmart.ingest.warehouse.connection import open_for_writing
from runmart.ingest.warehouse.writer import Writer
from runmart.queries import Selection, connect, install, views
from tests.support.command import command
from tests.support.ducklake import Bare, made, query, tables
from tests.support.paths import REALDATA
from tests.support.warehouse import page, run, write

pytestmark = pytest.mark.ducklake

OF_THE_MOMENT = {"load_history", "data_freshness", "open_runs", "thread_activity"}
"""Views that tell of now, or of loads."""

BOOKKEEPING = {
    "runmart.inputs": "source, address, size, content_hash, modified_at, observations, rejected",
    "runmart.rejects": "source, input, position, line, observed_at, reason, json_path, raw, raw_encoding",
}


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    """A DuckDB file with all recorded payloads."""
    path = tmp_path / "runs.duckdb"
    assert command("ingest", REALDATA, "-w", path).returncode == 3
    return path


def test_a_lake_holds_what_a_file_holds(bare: Bare, file: Path) -> None:
    """After a load of all recorded payloads, and after a second one, a lake holds the same rows as a file."""
    for again in ((), ("--reload",), ()):
        assert bare.run("ingest", REALDATA, *again).returncode in {0, 3}
    assert tables(bare.location) == tables(file)
    names = [view.name for view in views() if view.name not in OF_THE_MOMENT]
    assert tables(bare.location, names) == tables(file, names)
    for table, columns in BOOKKEEPING.items():
        text = f"select {columns.replace('_at', '_at::varchar')} from {table} order by all"
        assert query(bare.location, text) == query(file, text)
    failed = json.loads(bare.run("check", "--json").stdout)["failed"]
    implausible = {"plausible_instants", "possible_tokens"}  # documentation of a server, made up
    assert {one["check"] for one in failed} == implausible


def test_responses_have_their_earliest_creation_time_in_a_lake(lake: Bare) -> None:
    """An observation that is not stored, but has an earlier `created_at`, is heard in all tables."""
    for number, (status, created_at) in enumerate((("completed", 1_764_241_205), ("queued", 1_764_241_200))):
        sent = run("resp_1", status, created_at=created_at, usage={"input_tokens": 3}, output=[{"type": "message"}])
        path = write(Path(lake.data).parent / f"{number}.json", page({**sent, "object": "response"}))
        assert lake.run("ingest", path).returncode == 0
    stored = "select runs.status, epoch(runs.created_at), epoch(run_created_at) from runs join usage using (run_id)"
    assert lake.query(f"{stored} join steps using (run_id)") == [("completed", 1_764_241_200, 1_764_241_200)]


def test_comments_are_in_the_lake(lake: Bare) -> None:
    """Tables, their columns and views have comments; DuckLake has none for columns of views."""
    bare = lake.query("""
        select table_name from duckdb_columns() where database_name = 'warehouse' and comment is null
        and table_name not in (select view_name from duckdb_views())
        union all select view_name from duckdb_views() where database_name = 'warehouse' and comment is null""")
    assert bare == []


def test_nothing_is_ever_inlined(lake: Bare) -> None:
    """No rows are inlined into the catalog, neither by runmart nor by writes from a plain DuckDB shell."""
    write(Path(lake.data).parent / "p.json", page(run("a")))
    assert lake.run("ingest", Path(lake.data).parent / "p.json").returncode == 0
    options = "select value from ducklake_options('warehouse') where option_name = 'data_inlining_row_limit'"
    assert lake.query(options) == [("0",)]
    inlined = "select 1 from pg_class where relname like 'ducklake_inlined_data_%' and relkind = 'r' and reltuples > 0"
    assert lake.postgres.execute(inlined, lake.database) == []


def test_prices_rejects_views_and_status(lake: Bare, tmp_path: Path) -> None:
    """prices, rejects, views and status work on a lake."""
    assert lake.run("ingest", REALDATA).returncode == 3
    (tmp_path / "p.csv").write_text(
        "provider,model,valid_from,input,output,currency,source\nopenai,gpt-x,2024-01-01,1,2,USD,me\n"
    )
    assert "1 prices added" in lake.run("prices", "import", tmp_path / "p.csv").stdout
    assert lake.run("prices", "alias", "mine", "gpt-x").returncode == 0
    assert lake.query("select priced_as from model_aliases") == [("gpt-x",)]
    assert "gpt-x" in json.dumps(json.loads(lake.run("prices", "--json").stdout))
    assert lake.run("rejects", "--retry").returncode == 3
    rejects = lake.query("select count(*) from runmart.rejects")
    assert [(len(json.loads(lake.run("rejects", "--json").stdout)),)] == rejects != [(0,)]
    assert "gpt-4o" in lake.run("views", "latency_by_model").stdout
    status = json.loads(lake.run("status", "--json").stdout)
    assert (status["runs"], status["storage_version"]) == (105, f"DuckLake, files in {lake.data}/")
    assert 0 < status["bytes"] <= sum(path.stat().st_size for path in Path(lake.data).rglob("*.parquet"))


def test_what_is_exported_can_be_imported(lake: Bare, file: Path, tmp_path: Path) -> None:
    """An export of a file can be imported into a lake, and the other way round."""
    assert command("export", "--to", tmp_path / "a", "-w", file).returncode == 0
    assert lake.run("import", tmp_path / "a").returncode == 0
    assert tables(lake.location) == tables(file)
    assert lake.run("export", "--to", tmp_path / "b").returncode == 0
    assert command("import", tmp_path / "b", "-w", tmp_path / "back.duckdb").returncode == 0
    assert tables(tmp_path / "back.duckdb") == tables(file)


def test_a_lake_is_published_as_a_file(lake: Bare, file: Path, tmp_path: Path) -> None:
    """A lake is published as a complete DuckDB file with comments and views, and only when it has changed."""
    copy = tmp_path / "published.duckdb"
    assert lake.run("ingest", REALDATA, "--publish", copy).returncode == 3
    assert tables(copy) == tables(file)
    names = [view.name for view in views() if view.name not in OF_THE_MOMENT]
    assert tables(copy, names) == tables(file, names)
    bare = "select table_name, column_name from duckdb_columns() where comment is null and not internal"
    assert query(copy, bare) == []
    version = copy.resolve()
    assert lake.run("prune", "--older-than", "1971-01-01", "--yes", "--publish", copy).returncode == 0
    assert copy.resolve() != version


def test_python_and_reports_read_a_lake(lake: Bare, tmp_path: Path) -> None:
    """`connect` reads one snapshot until `refresh`; selections and reports work on a lake."""
    write(tmp_path / "1.json", page(run("a", model="m", created_at=1_700_000_000)))
    write(tmp_path / "2.json", page(run("b", model="n", created_at=1_700_000_001)))
    assert lake.run("ingest", tmp_path / "1.json").returncode == 0
    with connect(lake.location.address) as warehouse:
        assert warehouse.is_current
        assert lake.run("ingest", tmp_path / "2.json").returncode == 0
        assert not warehouse.is_current
        assert warehouse.view("run_facts").height == 1
        assert warehouse.refresh()
        assert warehouse.view("run_facts").height == 2
        with warehouse.within(Selection(models=["n"])) as some:
            assert some.view("run_facts")["run_id"].to_list() == ["b"]
        assert warehouse.is_current
        assert not re.search("geheim", repr(vars(warehouse)))
    done = lake.run("report", "--to", tmp_path / "report.html")
    assert (done.returncode, (tmp_path / "report.html").stat().st_size > 10_000) == (0, True)


def test_views_are_installed_once(lake: Bare, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that writes does not create views again that are up to date, since each would be a new snapshot."""

    def fail(_: Writer) -> None:
        pytest.fail("installed again")

    monkeypatch.setattr(sys.modules[install.__module__], "_install", fail)
    for _ in range(2):
        with open_for_writing(lake.location, 10) as writer:
            install(writer)
    monkeypatch.undo()
    with open_for_writing(lake.location, 10) as writer:
        writer.connection.execute("create or replace view runs_daily as select 1 as wrong")
    made(lake)
    assert "day" in {name for name, *_ in lake.query("describe runs_daily")}
