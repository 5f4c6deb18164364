"""The warehouse file: its storage version, schema and migrations."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from runmart.ingest.warehouse.connection import open_for_writing
from runmart.ingest.warehouse.file_backend import DuckDBFile
from runmart.ingest.warehouse.migrations import MIGRATIONS, Migration, create_tables, migrate, schema_version
from runmart.models.tables.all import ALL_TABLES, OTHER_TABLES
from runmart.models.tables.bookkeeping import BOOKKEEPING_TABLES
from tests.support.command import command
from tests.support.warehouse import WRONG_TOOL_SUMS, load, page, query, run, write

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


NEXT = len(MIGRATIONS) + 1


def add_column(connection: "DuckDBPyConnection") -> None:
    """A migration that adds a column."""
    connection.execute("alter table main.runs add column later VARCHAR")


def fail(connection: "DuckDBPyConnection") -> None:
    """A migration that fails after a change."""
    connection.execute("alter table main.runs add column half VARCHAR")
    raise OSError("the disk is full")


def test_a_warehouse_of_an_older_schema_can_be_read(pages: Path, warehouse: Path, tmp_path: Path) -> None:
    """Commands that only read work on a warehouse of an older schema."""
    write(pages / "page.json", page(run("run_1", created_at=1_700_000_000)))
    load(warehouse, pages)
    with duckdb.connect(warehouse) as connection:
        connection.execute("drop table runmart.content_rules; drop table runmart.prunes")
        connection.execute("delete from runmart.schema_version where version > 6")
    assert command("status", "-w", warehouse).returncode == 0
    assert command("export", "-w", warehouse, "--to", tmp_path / "out").returncode == 0
    assert command("prune", "-w", warehouse, "--older-than", "90d", "--yes").returncode == 0
    assert query(warehouse, "select runs from runmart.prunes") == [(1,)]


def test_every_shell_since_1_4_opens_the_file(warehouse: Path, pages: Path) -> None:
    """The DuckDB file is created with storage version v1.4.0, and keeps it."""
    for number in (1, 2):
        load(warehouse, write(pages / f"{number}.json", page(run(str(number)))))
        with duckdb.connect(warehouse, read_only=True) as connection:
            version = DuckDBFile(warehouse).storage_version(connection)
        assert version.startswith("v1.4.0")
        assert DuckDBFile(warehouse).readable_by(version) == "every DuckDB shell from 1.4 on"


def test_tables_have_the_declared_columns_and_comments(warehouse: Path) -> None:
    """The tables in the database have the declared types and comments."""
    load(warehouse)
    found = query(
        warehouse,
        """
        select schema_name, table_name, column_name, data_type, comment from duckdb_columns()
        where database_name = current_database() and schema_name in ('main', 'runmart') and not internal
            and table_name in (select table_name from duckdb_tables())""",
    )
    declared = [
        (schema, table.name, column.name, column.duckdb_type, column.meaning)
        for schema, tables in (("main", (*ALL_TABLES, *OTHER_TABLES)), ("runmart", BOOKKEEPING_TABLES))
        for table in tables
        for column in table.columns
    ]
    assert sorted(found) == sorted(declared)


def test_a_migration_and_its_record_are_one_transaction(warehouse: Path) -> None:
    """A migration that fails leaves the schema, its record and the data as they were."""
    with open_for_writing(warehouse, 0) as writer:
        with pytest.raises(OSError, match="disk is full"):
            migrate(writer, (*MIGRATIONS, Migration(NEXT, "fails", fail)))
        assert schema_version(writer.connection) == NEXT - 1
        assert "half" not in {row[0] for row in writer.connection.execute("describe runs").fetchall()}
        migrate(writer, (*MIGRATIONS, Migration(NEXT, "adds a column", add_column)))
        assert schema_version(writer.connection) == NEXT
        assert "later" in {row[0] for row in writer.connection.execute("describe runs").fetchall()}
        migrate(writer, (*MIGRATIONS, Migration(NEXT, "adds a column", add_column)))
    versions = query(warehouse, "select version, description from runmart.schema_version order by version")
    assert versions[0] == (1, "create the tables")
    assert versions[-1] == (NEXT, "adds a column")


def test_the_first_migration_creates_the_declared_tables() -> None:
    """The first migration creates the tables, and migrations are numbered from 1 without gaps."""
    assert MIGRATIONS[0].apply is create_tables
    assert [migration.version for migration in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_a_warehouse_of_the_first_schema_is_brought_up_to_date(warehouse: Path, pages: Path) -> None:
    """Added columns are computed from the stored rows; the next load works."""
    tools: list[dict[str, Any]] = [
        {"type": "function", "function": {"name": "f", "strict": True, "parameters": {}}},
        {"type": "mcp", "x": 1},
    ]
    first = run("a", created_at=1_700_000_000, usage={"total_tokens": 1}, tools=tools)
    write(pages / "1.json", page(first, run("b", usage={}), run("c", tools=tools)))
    load(warehouse, pages)
    before = query(warehouse, "select run_id, tool_count, tools_digest from runs order by 1")
    with duckdb.connect(warehouse) as connection:
        for table in ("usage", "tools", "errors"):
            connection.execute(f"alter table {table} drop column run_created_at")
        for column in ("tool_count", "tools_digest"):
            connection.execute(f"alter table runs drop column {column}")
        connection.execute("drop table runmart.installed_views")
        connection.execute("delete from runmart.schema_version where version > 1")
    second = run("a", created_at=1_700_000_000, usage={"total_tokens": 2}, model="gpt-4o")
    write(pages / "2.json", page(second), 1_800_000_000)
    assert load(warehouse, pages).totals.updated_runs == 1
    after = query(warehouse, "select run_id, tool_count, tools_digest from runs order by 1")
    assert after[1:] == before[1:]
    assert [row[1] for row in before] == [2, 0, 2]
    assert before[0][2] == before[2][2] is not None
    assert query(warehouse, WRONG_TOOL_SUMS) == []
    assert query(warehouse, "select total_tokens, epoch_us(run_created_at) from usage") == [(2, 1_700_000_000_000_000)]
    assert query(warehouse, "select count(*) from runmart.schema_version") == [(len(MIGRATIONS),)]
