"""Files of older schemas in Spark: missing columns hold typed nulls or defaults, as in DuckDB."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runmart.lake.spark.views import register
from tests.formats.added_column import added_columns
from tests.formats.support import LAKES, kept, later_page, opened
from tests.support import batch_engine
from tests.support.warehouse import query

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

COLUMNS = ["run_id", "source", "model", "tool_count", "tools_digest"]


def found(session: "SparkSession", columns: list[str]) -> list[tuple[object, ...]]:
    """Columns of the table `runs`, sorted by id."""
    rows = session.table("runs").select(*columns).toArrow().to_pylist()
    return sorted(tuple(row.values()) for row in rows)


def test_an_export_without_sums_of_tools_has_them(spark: "SparkSession", tmp_path: Path) -> None:
    """The columns computed from tools, which old files lack, have the values of a warehouse."""
    session = spark.newSession()
    register(session, kept("export-format1-schema7", tmp_path))
    complete = kept("warehouse-schema8", tmp_path)
    assert found(session, COLUMNS) == query(complete, f"select {', '.join(COLUMNS)} from runs order by run_id")


def test_files_of_two_schemas_are_one_table(spark: "SparkSession", tmp_path: Path) -> None:
    """A lake of old and new files gives the same rows as its view file, and the views work."""
    lake, session = kept(LAKES[0], tmp_path), spark.newSession()
    with added_columns():
        batch_engine.load(lake, [later_page(tmp_path)], source="acme")
        register(session, lake)
        columns = [*COLUMNS, "mood", "problems"]
        shown = query(opened(lake), f"select {', '.join(columns)} from runs order by run_id")
    assert found(session, columns) == shown
    assert {row[-2] for row in shown} == {None, "new"}
    types = {field.name: str(field.type) for field in session.table("runs").toArrow().schema}
    assert (types["mood"], types["problems"]) == ("string", "int64")
    assert session.table("run_facts").toArrow().num_rows == len(shown)
