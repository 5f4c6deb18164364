"""The catalog, the comments in the database, and the form of the SQL."""

import re
from importlib.resources import files

import duckdb
import polars as pl
import pytest

from runmart.ingest.warehouse.file_backend import FileWriter
from runmart.models.statuses import TERMINAL_STATUSES
from runmart.queries import View, find, install, read, views
from tests.support.rows import Fill

NOT_PORTABLE = re.compile(
    r"->>|epoch|quantile|qualify|\bexclude\b|::|group by all|\bmedian\(|->|\bepoch_ms\b|\bi?like\b|//", re.IGNORECASE
)


@pytest.mark.parametrize("view", views(), ids=lambda view: view.name)
def test_a_view_has_the_columns_and_types_that_its_file_declares(view: View, filled: Fill) -> None:
    """Every output column stands with its type and meaning in the file itself."""
    described = filled({}).sql(f"describe {view.name}").fetchall()
    assert [(row[0], row[1]) for row in described] == [(column.name, column.type) for column in view.columns]


def test_the_shell_shows_purpose_grain_and_meanings(filled: Fill) -> None:
    """`comment on` puts purpose, grain and the meaning of each column into the database."""
    connection = filled({})
    comments = dict(connection.sql("select view_name, comment from duckdb_views() where not internal").fetchall())
    columns = connection.sql("select table_name, column_name, comment from duckdb_columns()").fetchall()
    meanings = {(table, column): comment for table, column, comment in columns}
    for view in views():
        assert comments[view.name] == view.comment
        assert view.purpose in view.comment
        assert view.grain in view.comment
        for column in view.columns:
            assert meanings[view.name, column.name] == column.meaning


@pytest.mark.parametrize(
    "damage",
    [
        "create or replace view runs_daily as select 1 as wrong",
        "create or replace view runs_daily as select 1 as wrong; comment on view runs_daily is '{comment}'",
        "drop view runs_daily",
        "create or replace macro utc_day(instant) as date '1999-01-01'",
        "create or replace macro utc_day(instant, more) as instant",
        "drop macro utc_day",
    ],
)
def test_a_view_or_function_that_was_changed_is_ours_again(damage: str, filled: Fill, warehouse: object) -> None:
    """After the next command that writes; a view made on top of ours goes on working."""
    filled({"runs": [{"run_id": "a", "created_at": 1_700_000_000}]}).close()
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create view mine as select count(*) as runs from run_facts")
        connection.execute(damage.format(comment=find("runs_daily").comment.replace("'", "''")))
    with duckdb.connect(str(warehouse)) as connection:
        install(FileWriter(connection))
        assert connection.sql("select cast(day as varchar) from runs_daily").fetchall() == [("2023-11-14",)]
        assert connection.sql("select runs from mine").fetchall() == [(1,)]


def test_views_are_installed_once(filled: Fill, warehouse: object) -> None:
    """Views that are installed are left as they are, also after the file was opened again."""
    filled({}).close()
    for _ in range(2):
        with duckdb.connect(str(warehouse)) as connection:
            before = _view_ids(connection)
            install(FileWriter(connection))
            assert _view_ids(connection) == before


def _view_ids(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, int]]:
    """The views, and the number that DuckDB gives to each whenever it is made."""
    return connection.sql(
        "select view_name, view_oid from duckdb_views() where not internal and database_name = current_database()"
    ).fetchall()


@pytest.mark.parametrize("view", views(), ids=lambda view: view.name)
def test_a_view_uses_portable_sql_only(view: View) -> None:
    """A view uses only SQL that DuckDB and Spark SQL both run with the same answer."""
    statement = "\n".join(line for line in view.sql.splitlines() if not line.startswith("--"))
    assert not NOT_PORTABLE.findall(statement)


def test_views_know_all_terminal_statuses() -> None:
    """The lists of statuses in the SQL are those of the record kinds."""
    listed = {
        view.name: [
            set(re.findall(r"'(\w+)'", found)) for found in re.findall(r"status[^\n]* in \(([^)]+)\)", view.sql)
        ]
        for view in views()
    }
    terminal, failures = set(TERMINAL_STATUSES), {"failed", "expired", "incomplete"}
    assert [listed[name] for name in ("run_times", "open_runs", "data_freshness")] == [
        [terminal, failures],
        [terminal],
        [terminal],
    ]


def test_an_engine_function_is_defined_once_for_each_engine() -> None:
    """What has no shared spelling is a function defined once per engine, in one prelude file each."""
    folder = files("runmart.queries").joinpath("prelude")
    defined = {
        file.name: re.findall(r"(?:macro|function) (\w+)\(", file.read_text("utf-8")) for file in folder.iterdir()
    }
    assert set(defined) == {"duckdb.sql", "spark.sql"}
    for name in ("explode", "percentile", "array_repeat"):  # which Spark has
        defined["duckdb.sql"].remove(name)
    assert defined["duckdb.sql"] == defined["spark.sql"]
    assert len(defined["spark.sql"]) > 3


def test_an_unknown_view_is_answered_with_the_one_that_was_meant() -> None:
    """Errors say what was found and what to do."""
    with pytest.raises(ValueError, match=r"no view latency_by_modell; did you mean latency_by_model\?"):
        find("latency_by_modell")


def test_a_view_is_a_frame_in_a_notebook(filled: Fill, warehouse: object) -> None:
    """A view is one call away, as a polars frame, and the file is closed again."""
    filled({"runs": [{"run_id": "a", "status": "completed", "model": "gpt-4o"}]}).close()
    frame = read(str(warehouse), "latency_by_model")
    assert isinstance(frame, pl.DataFrame)
    assert (frame["model"].to_list(), frame["runs"].to_list()) == (["gpt-4o"], [1])
    duckdb.connect(str(warehouse)).close()
    with pytest.raises(FileNotFoundError, match="no such warehouse"):
        read("nowhere.duckdb", "run_facts")
