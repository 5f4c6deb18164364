"""A DuckDB file that holds other people's tables does not become a warehouse."""

import hashlib
from pathlib import Path

import duckdb
import pytest

from tests.support.command import command
from tests.support.warehouse import page, query, run, write

FOREIGN = {
    "a table": ("create table orders (i int)", "main.orders"),
    "a view": ("create view totals as select 1 as i", "main.totals"),
    "another schema": ("create schema crm; create table crm.people (i int)", "crm.people"),
    "many": (
        "create table d (i int); create view a as select 1; create table b as from d; create table c as from a",
        "main.a, main.b, main.c and 1 more",
    ),
}
"""What is in the file, and how it is named."""


@pytest.fixture(name="given")
def _given(pages: Path) -> Path:
    """A file of one run."""
    return write(pages / "1.json", page(run("a")))


@pytest.mark.parametrize("statement", FOREIGN)
def test_no_command_that_writes_touches_it(given: Path, new_warehouse: Path, tmp_path: Path, statement: str) -> None:
    """The message says what was found and what to do; not a byte of the file changes."""
    sql, named = FOREIGN[statement]
    with duckdb.connect(new_warehouse) as connection:
        connection.execute(sql)
    before = hashlib.sha256(new_warehouse.read_bytes()).hexdigest()
    for arguments in (("ingest", given), ("demo",), ("prices", "update"), ("rejects", "--retry")):
        done = command(*arguments, "-w", new_warehouse)
        assert done.returncode == 1, arguments
        assert f"it holds tables or views that are not runmart's ({named}); name another --warehouse" in done.stderr
    reading = (("prune", "--older-than", "90d", "--yes"), ("status",), ("check",), ("views", "runs_daily"))
    for arguments in (*reading, ("report", "--to", tmp_path / "1.html")):
        done = command(*arguments, "-w", new_warehouse)
        assert (done.returncode, "it is a DuckDB file, but no runmart warehouse" in done.stderr) == (1, True), arguments
    assert hashlib.sha256(new_warehouse.read_bytes()).hexdigest() == before


@pytest.mark.parametrize("sql", ["select 1", "create schema runmart", "create schema other"])
def test_an_empty_file_becomes_a_warehouse(given: Path, new_warehouse: Path, sql: str) -> None:
    """An empty database, or one with nothing but schemas, can be loaded into."""
    with duckdb.connect(new_warehouse) as connection:
        connection.execute(sql)
    assert command("ingest", given, "-w", new_warehouse).returncode == 0
    assert query(new_warehouse, "select run_id from runs") == [("a",)]


def test_own_tables_and_views_may_be_added_to_a_warehouse(given: Path, new_warehouse: Path) -> None:
    """A warehouse keeps its owner's tables, views and schemas, and is loaded into as before."""
    assert command("ingest", given, "-w", new_warehouse).returncode == 0
    with duckdb.connect(new_warehouse) as connection:
        connection.execute("create table teams (i int); create view mine as select run_id from runs")
        connection.execute("create schema crm; create table crm.people (i int)")
        connection.execute("delete from runmart.schema_version where version > 7")  # an earlier version made it
    assert command("ingest", given, "-w", new_warehouse, "--reload").returncode == 0
    assert query(new_warehouse, "select * from mine") == [("a",)]
    assert query(new_warehouse, "select count(*) from crm.people, teams") == [(0,)]
