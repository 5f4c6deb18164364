"""All views over the same data return the same rows in DuckDB and in Spark, value by value."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest

from runmart.ingest.pipeline import ingest
from runmart.ingest.warehouse.connection import open_for_reading, open_for_writing
from runmart.ingest.warehouse.prices import seed
from runmart.lake.parquet.export import export
from runmart.lake.parquet.manifest import MANIFEST, ExportError, File, LakeMetadata, read_manifest, write_manifest
from runmart.lake.spark.views import register
from runmart.models.tables.bookkeeping import LOADS, REJECTS
from runmart.queries import View, find, install, views
from tests.support.paths import ROOT
from tests.support.view_differences import differences

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

GENERATED = 3000
INSTANTS = (1_735_689_599, 1_735_689_600, 1_710_054_000, 1_710_057_600, 0, None)
"""The last second of 2024 and the first of 2025; where clocks were put forward; the first of all; not known."""

METADATA = (
    "{}",
    '{"team":"a","n":1,"price":1.50,"large":12345678901234567890}',
    '{"team":"b","nested":{"x":[1,"y", {"é":"\\u00e9"}]},"none":null,"flag":true}',
    '{"team":"c","team":"d","o":{"x":1,"x":2},"a":"x\\u0000y"}',
    '{"team":"","k/~ \\u00e9":"v \\"quoted\\" \\n \\\\"," ":"漢字 🙂"}',
    *("null", '"team"', "7", '["team",{"team":"a"}]'),
)
CALLS = (
    {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
    {"id": "2", "function": {"name": "g", "arguments": {"a": 1}}},
    {"id": "3"},
    None,
)
ACTIONS = (
    json.dumps({"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": CALLS}}),
    '{"type":"submit_tool_outputs","submit_tool_outputs":{"tool_calls":[]}}',
    '{"type":"submit_tool_outputs","submit_tool_outputs":{"tool_calls":null}}',
    *("null", '"other"', "[1]", '{"submit_tool_outputs":"x"}', '{"submit_tool_outputs":{"tool_calls":{"id":"x"}}}'),
)
ODD_SOURCES = ("a/b=ü %", "007", "..", "")


def _odd(number: int) -> dict[str, Any]:
    """A run with unusual values."""
    created_at = INSTANTS[number % len(INSTANTS)]
    return {
        "id": f"odd_{number}",
        "object": "thread.run",
        "status": ("completed", "requires_action", "failed", None)[number % 4],
        "created_at": created_at,
        "started_at": created_at and created_at + number % 3,
        "completed_at": created_at and created_at + 5,
        "model": ("gpt-4o", "a\\b", "100%_sure", "mine", None)[number % 5],
        "instructions": "Be kind.\n" * (number % 3),
        "usage": {"prompt_tokens": number, "completion_tokens": 1, "total_tokens": number + 1} if number % 5 else None,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": number % 3}}}],
        "last_error": {"code": "server_error", "message": "é"} if number % 4 == 2 else None,
    }


def _add_costs(connection: duckdb.DuckDBPyConnection) -> None:
    """What the costs of responses are made of, and the organisation's pages of the same days."""
    connection.execute("""
        update runs set
            service_tier = ['flex', 'priority', 'scale', 'default'][cast(hash(run_id) % 4 as int) + 1],
            is_batch = hash(run_id) % 5 = 0,
            object = 'response'
        where hash(run_id) % 3 = 0;
        update usage set
            cache_write_tokens = (prompt_tokens - coalesce(cached_prompt_tokens, 0)) // 3,
            reported_cost = 0.1 * (hash(run_id) % 7), reported_cost_currency = if(hash(run_id) % 2 = 0, 'USD', null)
        where hash(run_id) % 4 = 0;
        insert into steps (step_id, item_id, position, source, run_id, type, name, status)
        select run_id || '/' || position, null, position, source, run_id,
            ['file_search_call', 'web_search_call', 'function_call', 'message'][position + 1],
            ['search', 'open_page', null][cast(hash(run_id) % 3 as int) + 1], 'completed'
        from runs, range(4) as positions (position) where hash(run_id) % 6 = 0;
        insert into organization_usage (bucket_id, source, object, start_time, end_time, project_id, model, line_item,
            input_tokens, output_tokens, model_requests, amount, currency)
        select md5(run_id || position), source,
            if(position < 3, 'organization.costs.result', 'organization.usage.completions.result'),
            date_trunc('day', created_at), date_trunc('day', created_at) + to_hours([24, 24, 168, 24, 1][position + 1]),
            if(hash(run_id) % 9 = 0, 'proj', null), if(position < 3, null, model),
            [model || ', input', 'priority | ' || model || ' audio, output', 'Tools', null, null][position + 1],
            100, 10, 1, 0.125 * (1 + hash(run_id) % 9), if(hash(run_id) % 2 = 0, 'USD', 'EUR')
        from runs, range(5) as positions (position) where hash(run_id) % 10 = 0 and created_at is not null;""")


@pytest.fixture(name="warehouse", scope="module")
def _warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of all recorded and demo pages, generated runs, and unusual ones."""
    folder = tmp_path_factory.mktemp("warehouse")
    warehouse, page = folder / "runs.duckdb", folder / "page.json"
    subprocess.run([sys.executable, ROOT / "benchmarks" / "generate.py", folder / "pages", str(GENERATED)], check=True)
    recorded, sample = ROOT / "tests" / "data" / "realdata", ROOT / "cli" / "demo" / "pages"
    sources = {"recorded": recorded, "demo": sample, "": folder / "pages"}
    with open_for_writing(warehouse, 0) as writer:
        install(writer)
        for source, path in sources.items():
            ingest(writer, [str(path)], source=source or "generated", workers=0)
        for place, source in enumerate(ODD_SOURCES):
            page.write_text(json.dumps({"object": "list", "data": [_odd(40 * place + number) for number in range(40)]}))
            ingest(writer, [str(page)], source=source, observed_at=10**15, reload=True, workers=0)
        ingest(writer, [str(ROOT / "docs" / "migration")], source="moved", workers=0)
        writer.connection.execute("""
            insert into deployments (deployment, side, match_kind, match_value, source, valid_from) values
                ('support', 'before', 'assistant_id', 'asst_support', 'moved', null),
                ('support', 'after', 'agent_name', 'support-agent', null, '2026-01-01'),
                ('invoices', 'before', 'metadata:app', 'invoices', null, null),
                ('invoices', 'after', 'metadata:app', 'invoices', null, null),
                ('kind', 'before', 'instructions_digest', md5('Be kind.'), null, null),
                ('kind', 'after', 'model', 'gpt-4.1', null, null)""")
        writer.connection.execute("""
            insert into request_failures (failure_id, source, model) values
                ('1', 'moved', 'gpt-4o'), ('2', 'moved', 'gpt-4.1'), ('3', 'moved', null), ('4', 'demo', null)""")
        for name, texts in (("metadata", METADATA), ("required_action", ACTIONS)):
            for place, text in enumerate(texts):
                of = f"run_id like 'odd_%' and cast(substr(run_id, 5) as int) % {len(texts)} = {place}"
                writer.connection.execute(f"update runs set {name} = ? where {of}", [text])
        writer.connection.execute("""
            insert into prices
                (provider, model, valid_from, valid_to, input, cached_input, output, currency, source)
            values
                ('openai', 'a\\b%', '2024-01-01', null, 3, null, 4, 'USD', 'x'),
                ('me', 'mine', '2024-01-01', null, 0.1, null, 2.3, 'EUR', 'x'),
                ('me', 'mine', '2024-12-31 23:59:59.999999+00', '2025-01-01', 0.7, 0.3, 2.9, 'EUR', 'x')""")
        _add_costs(writer.connection)
        writer.connection.execute(
            "insert into model_aliases values ('..', 'mine', 'me', 'mine'), ('007', 'a\\b', null, 'gpt-4')"
        )
    return warehouse


@pytest.fixture(name="exported", scope="module")
def _exported(warehouse: Path) -> Path:
    """An export of it, in a folder with unrelated files."""
    folder = warehouse.parent / "it's [1]*?{a,b} %20 ü"
    with open_for_reading(warehouse, 0) as connection:
        export(connection, folder)
    manifest = read_manifest(folder)
    assert manifest is not None
    for table, file in list(manifest.files()):
        if table == "runs":
            shutil.copy(folder / file.path, (folder / file.path).with_name("other.parquet"))
    return folder


@pytest.fixture(name="duck", scope="module")
def _duck(warehouse: Path) -> Generator[duckdb.DuckDBPyConnection]:
    """DuckDB with the views."""
    with open_for_reading(warehouse, 0) as connection:
        yield connection


@pytest.fixture(name="registered", scope="module")
def _registered(spark: "SparkSession", exported: Path, duck: duckdb.DuckDBPyConnection) -> "SparkSession":
    """Spark with the views; bookkeeping tables, which an export lacks, come from the warehouse."""
    session = spark.newSession()
    register(session, exported)
    for table in (LOADS, REJECTS):
        rows = duck.sql(f"from runmart.{table.name}").to_arrow_table()
        session.createDataFrame(rows).createOrReplaceTempView(table.name)
    return session


@pytest.mark.parametrize("view", views(), ids=lambda view: view.name)
def test_a_view_gives_the_same_in_both_engines(
    view: View, registered: "SparkSession", duck: duckdb.DuckDBPyConnection
) -> None:
    """Every view has the same rows; floats are equal to nine digits, instants to the microsecond."""
    expected = duck.sql(f"from {view.name}").to_arrow_table()
    assert expected.num_rows > 0
    assert differences(view, registered.table(view.name).toArrow(), expected) == []


def _other(value: Any) -> Any:
    """A different value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, float):
        return value * (1 + 1e-8)
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1)
    return f"{value} " if isinstance(value, str) else value + 1


def _changed(table: Any, column: str, change: Callable[[Any], Any]) -> Any:
    """The same table with another value in its first row that has a value other than null and zero."""
    values = table.column(column).to_pylist()
    place = next(place for place, one in enumerate(values) if one)
    values[place] = change(values[place])
    field = table.schema.field(column)
    return table.set_column(table.schema.get_field_index(column), field, pa.array(values, field.type))


def _slightly(value: float) -> float:
    return value * (1 + 1e-10)


def _null(_: object) -> None:
    return None


def test_the_comparison_sees_every_change(duck: duckdb.DuckDBPyConnection) -> None:
    """One changed value, row, name or type is reported; a difference beyond nine digits is not."""
    view, rows = find("run_facts"), duck.sql("from run_facts").to_arrow_table()
    assert differences(view, rows, rows) == []
    assert differences(view, _changed(rows, "run_seconds", _slightly), rows) == []
    for column in ("run_seconds", "total_tokens", "created_at", "model", "is_failure"):
        for change in (_other, _null):
            assert any(f" {column}: " in one for one in differences(view, _changed(rows, column, change), rows))
    assert differences(view, rows.slice(1), rows)
    assert differences(view, rows.rename_columns([f"{name}_" for name in rows.column_names]), rows)
    assert differences(view, rows.set_column(0, "run_id", pa.array(range(rows.num_rows))), rows)


def test_a_view_that_is_wrong_in_spark_is_found(registered: "SparkSession", duck: duckdb.DuckDBPyConnection) -> None:
    """A view whose days follow the session's time zone is reported as different."""
    view = find("costs_daily")
    assert "utc_day(created_at)" in view.sql
    wrong = view.sql.replace("utc_day(created_at)", "cast(created_at as date)")
    found, expected = registered.sql(wrong).toArrow(), duck.sql(view.sql).to_arrow_table()
    assert any(" day: " in one or "rows: " in one for one in differences(view, found, expected))


def test_what_the_session_is_set_to_does_not_matter(
    spark: "SparkSession", exported: Path, duck: duckdb.DuckDBPyConnection
) -> None:
    """Results do not depend on the session's time zone, timestamp type or ANSI mode."""
    session = spark.newSession()
    session.conf.set("spark.sql.session.timeZone", "Asia/Kathmandu")
    session.conf.set("spark.sql.timestampType", "TIMESTAMP_NTZ")
    session.conf.set("spark.sql.ansi.enabled", "false")
    register(session, exported)
    for name in ("runs_hourly", "costs_daily", "open_runs", "gen_ai_runs", "run_costs", "required_tool_calls"):
        found, expected = session.table(name).toArrow(), duck.sql(f"from {name}").to_arrow_table()
        assert differences(find(name), found, expected) == []


def test_an_export_in_which_nothing_is_has_all_views(spark: "SparkSession", tmp_path: Path) -> None:
    """In an empty export, tables without files have their columns, and prices are there; a later one shows its rows."""
    page, out, session = tmp_path / "page.json", tmp_path / "out", spark.newSession()
    page.write_text(json.dumps({"object": "list", "data": [_odd(1)]}))
    with open_for_writing(tmp_path / "runs.duckdb", 0) as writer:
        install(writer)
        export(writer.connection, out)
        register(session, f"file:{out}/")
        for view in views():
            assert session.table(view.name).columns == [column.name for column in view.columns]
        for name in ("run_facts", "runs_daily", "migration_comparison"):
            expected = writer.connection.sql(f"from {name}").to_arrow_table()
            assert differences(find(name), session.table(name).toArrow(), expected) == []
        assert session.table("prices").toArrow().num_rows == len(seed())
        ingest(writer, [str(page)], source="default", observed_at=10**15, reload=True, workers=0)
        export(writer.connection, out)
    register(session, str(out))
    assert session.table("run_times").toArrow().num_rows == 1


def test_the_bookkeeping_and_the_prices_of_a_lake_are_those_that_it_has(
    spark: "SparkSession", exported: Path, tmp_path: Path, duck: duckdb.DuckDBPyConnection
) -> None:
    """Loads of a lake come from its manifest, rejects from files, prices from the bundled list."""
    folder = tmp_path / "lake"
    shutil.copytree(exported, folder)
    manifest = read_manifest(folder)
    assert manifest is not None
    (folder / "rejects").mkdir()
    duck.sql("from runmart.rejects").write_parquet(str(folder / "rejects" / "0.parquet"))
    instants = ", ".join(f"epoch_us({name}) as {name}" for name in ("started_at", "finished_at"))
    loads = duck.sql(f"select * replace ({instants}) from runmart.loads").to_arrow_table().to_pylist()
    manifest.tables = {}
    manifest.lake = LakeMetadata(1, loads, {"rejects": {0: File("rejects/0.parquet", 1, 1, "")}}, {})
    write_manifest(folder, manifest)
    session = spark.newSession()
    register(session, folder)
    for name in ("data_freshness", "load_history", "reject_summary"):
        found, expected = session.table(name).toArrow(), duck.sql(f"from {name}").to_arrow_table()
        assert differences(find(name), found, expected) == []
    assert session.table("prices").toArrow().num_rows == len(seed())


@pytest.mark.parametrize("prefix", ["", "file:"])
def test_an_incomplete_export_is_refused_in_a_sentence(spark: "SparkSession", tmp_path: Path, prefix: str) -> None:
    """A missing manifest or file, a damaged manifest and an interrupted export end in a sentence."""
    out, session = tmp_path / "out", spark.newSession()
    with pytest.raises(ExportError, match=r"no export of runmart, and no lake"):
        register(session, f"{prefix}{out}")
    with open_for_writing(tmp_path / "runs.duckdb", 0) as writer:
        install(writer)
        export(writer.connection, out)
    (out / "prices" / "data.parquet").unlink()
    with pytest.raises(ExportError, match=r"out: .*prices/data\.parquet is missing"):
        register(session, f"{prefix}{out}")
    manifest = read_manifest(out)
    assert manifest is not None
    manifest.is_complete = False
    write_manifest(out, manifest)
    with pytest.raises(ExportError, match="cut short"):
        register(session, f"{prefix}{out}")
    (out / MANIFEST).write_text("{")
    with pytest.raises(ExportError, match="cannot be read"):
        register(session, f"{prefix}{out}")
