"""A selection of runs: all views give what they would give of a warehouse that holds these runs only."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from runmart.ingest.warehouse.file_backend import FileWriter
from runmart.ingest.warehouse.migrations import create_tables
from runmart.queries import Selection, connect, install, views
from tests.support.random_tables import BEGINNINGS, GROWING, random_tables
from tests.support.recomputed_reconciliation import ITEMS
from tests.support.rows import Fill, Rows, insert, records

CHILDREN = ("usage", "tools", "errors", "steps")
START = datetime.fromtimestamp(BEGINNINGS[1], UTC)

SELECTIONS: dict[str, tuple[Selection, Callable[[dict[str, Any]], bool]]] = {
    "everything": (Selection(), lambda _: True),
    "since": (Selection(since=START), lambda run: (run["created_at"] or 0) >= BEGINNINGS[1]),
    "until": (
        Selection(until=START.replace(tzinfo=None)),
        lambda run: run["created_at"] is not None and run["created_at"] < BEGINNINGS[1],
    ),
    "source and model": (
        Selection(sources=("b",), models=("gpt-4o", "o3-mini")),
        lambda run: run["source"] == "b" and run["model"] in ("gpt-4o", "o3-mini"),
    ),
    "a time and an assistant": (
        Selection(since=START, until=START + timedelta(days=10), assistants=["asst_1", "it's none"]),
        lambda run: run["assistant_id"] == "asst_1" and 0 <= (run["created_at"] or 0) - BEGINNINGS[1] < 864_000,
    ),
    "nothing": (Selection(models=["no such model"]), lambda _: False),
}


def _with_times(tables: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Children that know when their run was created, as loads write them."""
    created = {run["run_id"]: run["created_at"] for run in tables["runs"]}
    for name in ("usage", "tools", "errors"):
        tables[name] = [{**row, "run_created_at": created[row["run_id"]]} for row in tables[name]]
    return tables


QUICK = ("since", "a time and an assistant")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in SELECTIONS]
)
def test_views_of_a_selection_are_those_of_a_warehouse_that_holds_nothing_else(
    name: str, filled: Fill, warehouse: Path, tmp_path: Path
) -> None:
    """Whatever is selected, and every view."""
    selection, holds = SELECTIONS[name]
    tables = random_tables(random.Random(3), 150)
    tables["runs"][0] |= {"created_at": BEGINNINGS[1], "source": "b", "model": "gpt-4o", "assistant_id": "asst_1"}
    tables = _with_times(tables)
    filled(tables).close()
    left = {run["run_id"] for run in tables["runs"] if holds(run)}
    untold = {"created_at": None, "assistant_id": None}  # of failed requests
    few: Rows = {
        **tables,
        "request_failures": [row for row in tables["request_failures"] if holds({**row, **untold})],
        "runs": [run for run in tables["runs"] if run["run_id"] in left],
        **{
            child: [row for row in tables[child] if row["run_id"] in left or name == "everything"] for child in CHILDREN
        },
    }
    few = {**few, "organization_usage": [row for row in tables["organization_usage"] if _is_selected(row, selection)]}
    assert (0 < len(left) < len(tables["runs"])) is (name not in ("everything", "nothing"))
    with duckdb.connect(tmp_path / "few.duckdb") as connection:
        connection.execute("set timezone = 'UTC'")
        create_tables(connection)
        install(FileWriter(connection))
        insert(connection, few)
        expected = {view.name: _rows(connection, view.name) for view in views()}
    with connect(warehouse) as whole, whole.within(selection) as part:
        for view in views():
            part.view(view.name)  # pyright: ignore[reportArgumentType] - any of them
            found = _rows(part._connection, view.name)  # pyright: ignore[reportPrivateUsage] # noqa: SLF001
            assert found == expected[view.name], view.name
        assert whole.sql("select count(*) as n from runs")["n"].to_list() == [len(tables["runs"])]
        for table in ("runs", *CHILDREN, "organization_usage"):
            assert part.sql(f"select count(*) as n from {table}")["n"].to_list() == [len(few[table])], table


def _is_selected(row: dict[str, Any], selection: Selection) -> bool:
    """Whether usage of the organisation is selected, which tells no assistants, and of costs names models only."""
    since, until = (
        None if one is None else one.replace(tzinfo=UTC).timestamp() for one in (selection.since, selection.until)
    )
    model = row["model"] or ITEMS[row["line_item"]]
    return (
        (since is None or row["start_time"] >= since)
        and (until is None or row["start_time"] < until)
        and (not selection.sources or row["source"] in selection.sources)
        and (not selection.models or model in selection.models)
        and not selection.assistants
    )


def _rows(connection: duckdb.DuckDBPyConnection, view: str) -> list[Sequence[Any]]:
    """The rows of a view; floats to nine digits, in an order of their own."""
    found = [
        [
            f"{value:.9g}" if isinstance(value, float) else value
            for column, value in row.items()
            if column not in GROWING
        ]
        for row in records(connection, view, "all")
    ]
    return sorted(found, key=str)


@pytest.mark.parametrize(
    ("grain", "beginnings"),
    [
        ("hour", ["2024-01-31 23:00:00", "2024-02-01 00:00:00"]),
        ("day", ["2024-01-31 00:00:00", "2024-02-01 00:00:00"]),
        ("week", ["2024-01-29 00:00:00"]),  # a Monday
        ("month", ["2024-01-01 00:00:00", "2024-02-01 00:00:00"]),
        ("all", [None]),
    ],
)
def test_periods_are_as_long_as_was_asked(
    grain: Any, beginnings: list[str | None], filled: Fill, warehouse: Path
) -> None:
    """In UTC; all runs are one period, that of no time, if need be."""
    times = {"a": 1_706_745_599, "b": 1_706_745_600, "c": 1_706_745_601}  # about midnight, 1 February 2024
    filled({"runs": [{"run_id": one, "status": "completed", "created_at": at} for one, at in times.items()]}).close()
    with connect(warehouse) as whole, whole.within(Selection(grain=grain)) as part:
        frame = part.sql("select cast(period as varchar) as period, runs from runs_over_time order by period")
    assert frame["period"].to_list() == beginnings
    assert frame["runs"].sum() == 3


def test_a_selection_stays_when_another_version_is_opened(filled: Fill, warehouse: Path) -> None:
    """The new version is seen through it, too."""
    runs = [{"run_id": one, "status": "completed", "model": one} for one in ("a", "b")]
    filled({"runs": runs}).close()
    with connect(warehouse) as whole:
        part = whole.within(Selection(models=["a"]))
    with duckdb.connect(warehouse.with_name("new.duckdb")) as connection:
        connection.execute(f"attach '{warehouse}' as old (read_only); copy from database old to new")
        connection.execute("insert into runs (run_id, status, model) values ('c', 'completed', 'a')")
    warehouse.with_name("new.duckdb").replace(warehouse)
    assert part.refresh()
    assert part.view("failure_rates_by_model")["runs"].to_list() == [2]
    part.close()
    with pytest.raises(ValueError, match="closed"):
        part.within(Selection())


def test_an_older_warehouse_says_what_to_do(filled: Fill, warehouse: Path) -> None:
    """Its tables lack what a view needs."""
    connection = filled({"runs": [{"run_id": "a", "status": "completed"}]})
    connection.execute("alter table runs drop column tool_count")
    connection.close()
    with connect(warehouse) as whole, whole.within(Selection()) as part:
        with pytest.raises(ValueError, match="load into it once"):
            part.view("run_facts")
        with pytest.raises(ValueError, match="load into it once"):
            part.sql("select * from tool_usage")
