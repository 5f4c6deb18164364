"""A migration that adds a column: older files and warehouses are read with nulls or the declared default."""

from collections.abc import Generator
from pathlib import Path

import duckdb
import pytest

from runmart.ingest.warehouse.connection import open_for_reading, open_for_writing
from runmart.ingest.warehouse.migrations import schema_version
from runmart.lake.parquet.export import export
from runmart.lake.parquet.manifest import ExportError, read_manifest
from runmart.lake.parquet.restore import restore
from runmart.lake.spark.views import expressions
from runmart.models.tables.runs import RUNS
from runmart.models.tables.usage import USAGE
from tests.formats.added_column import NEXT, OF_BOOKKEEPING, added_columns
from tests.formats.keep import rows
from tests.formats.support import EXPORTS, LAKES, WAREHOUSES, differences, kept, later_page, opened
from tests.support import batch_engine
from tests.support.lake import alone
from tests.support.warehouse import query

pytestmark = pytest.mark.slow

OLD = [*EXPORTS, *LAKES]
PROBLEMS = {"run_2": 1, "run_3": 1}
"""The kept runs that have rows in errors, and how many."""


@pytest.fixture(name="_added", autouse=True)
def _added_columns() -> Generator[None]:
    with added_columns():
        yield


def check(warehouse: Path, name: str, stored: tuple[str, ...] = ()) -> None:
    """Assert that old columns are unchanged, and new ones hold nulls or defaults except in `stored` runs."""
    found = rows(warehouse)
    if not stored:
        assert differences(found, name, but=("model_aliases", "prices")) == []
    assert {row["mood"] for row in found["runs"] if row["run_id"] not in stored} == {None}
    assert {row["mood"] for row in found["runs"] if row["run_id"] in stored} == ({"new"} if stored else set())
    expected = {str(row["run_id"]): str(PROBLEMS.get(str(row["run_id"]), 0)) for row in found["runs"]}
    assert {str(row["run_id"]): row["problems"] for row in found["runs"]} == expected | dict.fromkeys(stored, "77")
    assert {row["unit"] for row in found["usage"] if row["run_id"] not in stored} == {None}
    types = (
        "select distinct typeof(mood), typeof(problems) from runs union all select distinct typeof(unit), '' from usage"
    )
    assert query(warehouse, types) == [("VARCHAR", "BIGINT"), ("VARCHAR", "")]


@pytest.mark.parametrize("name", OLD)
def test_old_files_are_imported(name: str, tmp_path: Path) -> None:
    """Exports of every format and schema version are imported with the new columns."""
    warehouse = tmp_path / "runs.duckdb"
    with open_for_writing(warehouse, 0) as connection:
        restore(connection, kept(name, tmp_path))
    check(warehouse, name)


@pytest.mark.parametrize("name", LAKES)
def test_an_old_lake_is_opened_and_loaded_into(name: str, tmp_path: Path) -> None:
    """A lake of old files is readable before a batch, and after one that adds files of the new schema."""
    lake = kept(name, tmp_path)
    file = opened(lake)
    check(file, name)
    batch_engine.load(lake, [later_page(tmp_path)], source="acme")
    manifest = read_manifest(lake)
    assert manifest is not None
    assert {file.schema for table, file in manifest.files() if table == "runs"} > {NEXT}
    check(opened(lake), name, stored=("run_1", "run_new"))
    alone(complete := kept("warehouse-schema8", tmp_path), later_page(tmp_path), source="acme")
    columns = "run_id, model, tool_count, tools_digest, mood, problems"
    assert query(opened(lake), f"select {columns} from runs order by 1") == query(
        complete, f"select {columns} from runs order by 1"
    )


@pytest.mark.parametrize("name", LAKES)
def test_bookkeeping_of_an_old_lake_is_read(name: str, tmp_path: Path) -> None:
    """Old inputs, which are in files, and old loads, which are in the manifest, have the new columns."""
    lake = kept(name, tmp_path)
    with added_columns(OF_BOOKKEEPING):
        file = opened(lake)
    assert query(file, "select language, count(*) from runmart.inputs group by all") == [("en", 3)]
    assert query(file, "select retries, typeof(retries), count(*) from runmart.loads group by all") == [
        (0, "BIGINT", 3)
    ]


@pytest.mark.parametrize("name", OLD)
def test_old_files_are_loaded_into_a_lake(name: str, tmp_path: Path) -> None:
    """Runs restored from old files have the new columns, as newly observed ones have."""
    lake = tmp_path / "new"
    batch_engine.load(lake, [kept(name, tmp_path), later_page(tmp_path)], source="acme", shards=2)
    check(opened(lake), name, stored=("run_1", "run_new"))


@pytest.mark.parametrize("name", WAREHOUSES)
def test_an_old_warehouse_is_brought_up_to_date(name: str, tmp_path: Path) -> None:
    """An old warehouse is migrated, exported, and imported again with the new columns."""
    warehouse = kept(name, tmp_path)
    with open_for_writing(warehouse, 0) as writer:
        assert schema_version(writer.connection) == NEXT
    check(warehouse, name)
    alone(warehouse, later_page(tmp_path), source="acme")
    check(warehouse, name, stored=("run_1", "run_new"))
    with open_for_reading(warehouse, 0) as connection:
        export(connection, tmp_path / "out")
    again = tmp_path / "again.duckdb"
    with open_for_writing(again, 0) as connection:
        restore(connection, tmp_path / "out")
    check(again, name, stored=("run_1", "run_new"))


def test_what_is_written_with_it_is_refused_without_it(tmp_path: Path) -> None:
    """An export or lake of a newer schema is refused by an older runmart; see also test_kept_files."""
    warehouse, lake = kept("warehouse-schema8", tmp_path), kept(LAKES[0], tmp_path)
    alone(warehouse, later_page(tmp_path), source="acme")
    with open_for_reading(warehouse, 0) as connection:
        export(connection, tmp_path / "out")
    batch_engine.load(lake, [later_page(tmp_path)], source="acme")
    for folder in (lake, tmp_path / "out"):
        manifest = read_manifest(folder)
        assert manifest is not None
        assert manifest.schema == NEXT
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("runmart.lake.parquet.schema.current", lambda: NEXT - 1)
        for folder in (lake, tmp_path / "out"):
            with pytest.raises(ExportError, match=rf"schema version {NEXT}.*upgrade runmart"):
                read_manifest(folder)


@pytest.mark.parametrize("name", ["export-format1-schema7", "export-format2-schema8", LAKES[0]])
def test_spark_gets_the_same_defaults(name: str, tmp_path: Path) -> None:
    """The default expressions for Spark give the same values in DuckDB, after replacing quotes and one function."""
    folder = kept(name, tmp_path)
    manifest = read_manifest(folder)
    assert manifest is not None
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        for table in ("errors", "tools", "usage", "runs"):
            files = [file for of, file in manifest.files() if of == table]
            [version] = {file.schema for file in files}
            connection.execute(
                f"create table {table} as from read_parquet({[str(folder / file.path) for file in files]})"
            )
            declared = {"runs": RUNS, "usage": USAGE}.get(table)
            for number, values in enumerate(expressions(declared, version) if declared else []):
                nulls = ", ".join(f"null as {column.name}" for column in declared.columns) if declared else ""
                connection.execute(
                    f"create table {table}_{number} as from {table} union all by name select {nulls} where false"
                )
                text = ", ".join(values).replace("`", '"').replace("timestamp_ltz", "timestamptz")
                text = text.replace("listagg(", "string_agg(").replace(" within group (order by position)", "")
                connection.execute(f"create or replace table {table} as select {text} from {table}_{number} as {table}")
        found = connection.sql("select run_id, mood, problems, tool_count from runs order by 1").fetchall()
    counts = query(kept("warehouse-schema8", tmp_path), "select run_id, tool_count from runs order by 1")
    assert found == [(run_id, None, PROBLEMS.get(run_id, 0), count) for run_id, count in counts]
