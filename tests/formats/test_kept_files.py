"""Exports, lakes and warehouses of every earlier format and schema version stay readable, with the same rows."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from runmart.ingest.digest import file_digest
from runmart.ingest.warehouse import migrations
from runmart.ingest.warehouse.connection import open_for_reading, open_for_writing
from runmart.ingest.warehouse.file_backend import DuckDBFile
from runmart.lake.distributed.discover import export_of
from runmart.lake.parquet import schema
from runmart.lake.parquet.export import export
from runmart.lake.parquet.manifest import FORMAT, MANIFEST, ExportError, File, read_manifest, write_manifest
from runmart.lake.parquet.restore import restore
from runmart.models.tables.tools import DIGEST
from runmart.queries import connect
from runmart.queries.checks import INVARIANTS, offenders
from tests.formats.keep import rows
from tests.formats.support import EXPORTS, KEPT, LAKES, WAREHOUSES, differences, kept, lake_rows, later_page, opened
from tests.support import batch_engine
from tests.support.command import command
from tests.support.lake import alone, tables
from tests.support.lake import rows as compared
from tests.support.warehouse import assert_sound, query

pytestmark = pytest.mark.slow


def imported(folder: Path, warehouse: Path) -> Path:
    """A warehouse into which a folder was imported."""
    with open_for_writing(warehouse, 0) as connection:
        restore(connection, folder)
    return warehouse


def test_what_is_written_now_is_kept() -> None:
    """The present format and schema are among the kept files: a change needs new ones, see README.md there."""
    names = {
        *(f"{kind}-format{FORMAT}-schema{schema.current()}" for kind in ("export", "lake")),
        f"warehouse-schema{migrations.MIGRATIONS[-1].version}",
    }
    assert names <= {path.name for path in KEPT.iterdir()}
    for folder in KEPT.iterdir():
        assert max(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 300_000


@pytest.mark.parametrize("name", EXPORTS + LAKES)
def test_a_kept_folder_is_imported(name: str, tmp_path: Path) -> None:
    """All tables are imported, with defaults in columns that the files lack; a second import changes nothing."""
    folder = kept(name, tmp_path)
    warehouse = imported(folder, tmp_path / "runs.duckdb")
    assert differences(rows(warehouse), name, but=("model_aliases",) if name in LAKES else ()) == []
    assert_sound(warehouse)
    imported(folder, warehouse)
    assert query(warehouse, "select new_runs, updated_runs, unchanged from runmart.loads order by load_id") == [
        (7, 0, 0),
        (0, 0, 7),
    ]


@pytest.mark.parametrize("name", LAKES)
def test_a_kept_lake_is_opened(name: str, tmp_path: Path) -> None:
    """The tables, views, checks and bookkeeping of an old lake are right."""
    lake = kept(name, tmp_path)
    file = opened(lake)
    assert differences(rows(file), name, but=("model_aliases",)) == []
    with open_for_reading(file, 0) as connection:
        assert [found for check in INVARIANTS for found in offenders(connection, check)] == []
    with connect(file) as warehouse:
        assert warehouse.sql("select sum(runs) as n from failure_rates_by_model")["n"][0] == 7
    assert query(file, "select new_runs, updated_runs, rejected, steps from runmart.loads order by load_id") == [
        (4, 0, 1, 2),
        (2, 0, 0, 0),
        (1, 1, 0, 0),
    ]
    assert query(file, "select count(*) from runmart.inputs") == [(3,)]
    assert query(file, "select position, load_id from runmart.rejects") == [(6, 1)]


@pytest.mark.parametrize("name", LAKES)
def test_a_batch_is_loaded_onto_a_kept_lake(name: str, tmp_path: Path) -> None:
    """After a batch an old lake holds the rows of a warehouse; its old files keep their schema version."""
    lake, page = kept(name, tmp_path), later_page(tmp_path)
    before = read_manifest(lake)
    assert before is not None
    outcome = batch_engine.load(lake, [page], source="acme")
    assert (outcome.load["new_runs"], outcome.load["updated_runs"]) == (1, 1)
    warehouse = kept("warehouse-schema8", tmp_path)
    alone(warehouse, page, source="acme")
    assert tables(compared(opened(lake))) == tables(compared(warehouse))
    after = read_manifest(lake)
    assert after is not None
    assert (json.loads((lake / MANIFEST).read_text())["format"], after.schema) == (FORMAT, schema.current())
    schemas = {file.path: file.schema for _, file in before.all_files()}
    for _, file in after.all_files():
        assert file.schema == schemas.get(file.path, schema.current())


@pytest.mark.parametrize("name", EXPORTS + LAKES)
def test_a_kept_folder_is_loaded_into_a_lake(name: str, tmp_path: Path) -> None:
    """An old folder is loaded into a new lake, and again into the same one without a change."""
    folder, lake = kept(name, tmp_path), tmp_path / "new"
    batch_engine.load(lake, [folder], shards=2)
    found = lake_rows(lake)
    assert differences(found, name, but=("prices", "model_aliases")) == []
    assert batch_engine.load(lake, [folder]).load["unchanged"] == 7
    assert lake_rows(lake) == found


@pytest.mark.parametrize("name", EXPORTS)
def test_a_kept_export_is_continued(name: str, tmp_path: Path) -> None:
    """The warehouse of an old export can update it, to the present format and with all of its rows."""
    folder = kept(name, tmp_path)
    warehouse = imported(folder, tmp_path / "runs.duckdb")
    utc = "select cast(min(applied_at) at time zone 'UTC' as varchar) || '+00' from runmart.schema_version"
    [(made,)] = query(warehouse, utc)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "warehouse": made}))
    with open_for_reading(warehouse, 0) as connection:
        export(connection, folder)
    text = json.loads((folder / MANIFEST).read_text())
    assert (text["format"], text["schema"]) == (FORMAT, schema.current())
    again = imported(folder, tmp_path / "again.duckdb")
    assert differences(rows(again), name) == []


@pytest.mark.parametrize("name", WAREHOUSES)
def test_a_kept_warehouse_is_brought_up_to_date(name: str, tmp_path: Path) -> None:
    """Opening an old warehouse for writing migrates it, with computed values in new columns; loads then work."""
    warehouse = kept(name, tmp_path)
    [(version,)] = query(warehouse, "select max(version) from runmart.schema_version")
    assert name == f"warehouse-schema{version}"
    with open_for_writing(warehouse, 0) as writer:
        assert DuckDBFile(warehouse).storage_version(writer.connection).startswith("v1.4.0")
    assert differences(rows(warehouse), name) == []
    assert_sound(warehouse)
    alone(warehouse, later_page(tmp_path), source="acme")
    assert_sound(warehouse)
    assert query(warehouse, "select model, tool_count from runs where run_id = 'run_1'") == [("o3", 1)]


@pytest.mark.parametrize("name", WAREHOUSES)
def test_a_kept_warehouse_is_exported_as_it_is(name: str, tmp_path: Path) -> None:
    """An export of an old warehouse does not migrate it, and has all columns; a too old one is refused."""
    warehouse = kept(name, tmp_path)
    done = command("export", "--to", tmp_path / "out", "-w", warehouse)
    [(version,)] = query(warehouse, "select max(version) from runmart.schema_version")
    assert name == f"warehouse-schema{version}"
    if version < 6:
        assert (done.returncode, "bring it up to date first" in done.stderr) == (1, True)
        return
    assert (done.returncode, done.stderr) == (0, "")
    assert differences(rows(imported(tmp_path / "out", tmp_path / "runs.duckdb")), name) == []


@pytest.mark.parametrize("name", WAREHOUSES)
def test_rejects_of_a_kept_warehouse_are_counted_as_it_is(name: str, tmp_path: Path) -> None:
    """Commands that only read show the rejects of an old warehouse, each for one item, and do not migrate it."""
    warehouse = kept(name, tmp_path)
    before = query(warehouse, "select max(version) from runmart.schema_version")
    [reject] = json.loads(command("rejects", "-w", warehouse, "--json").stdout)
    assert (reject["items"], reject["last_position"]) == (1, None)
    assert "Rejects (1 of 1)" in command("rejects", "-w", warehouse).stdout
    assert json.loads(command("status", "-w", warehouse, "--json").stdout)["rejects"] == 1
    assert query(warehouse, "select max(version) from runmart.schema_version") == before
    done = command("rejects", "--retry", "-w", warehouse, "--json")
    assert json.loads(done.stdout)["still_rejected"] == 1
    assert query(warehouse, "select items, last_position, last_line from runmart.rejects") == [(1, None, None)]


def _newer(folder: Path, how: str) -> None:
    """Change the manifest or a file into one of a newer runmart."""
    text = json.loads((folder / MANIFEST).read_text())
    manifest = read_manifest(folder)
    assert manifest is not None
    if how == "schema":
        (folder / MANIFEST).write_text(json.dumps({**text, "format": FORMAT, "schema": 99}))
    elif how == "table":
        manifest.partitions[0].files["reasonings"] = File("x", 1, 1, "", 8)
        write_manifest(folder, manifest)
    else:
        file = manifest.partitions[0].files["runs"]
        path = folder / file.path
        duckdb.sql(f"copy (select *, 1 as later from '{path}') to '{path}.new' (format parquet)")
        Path(f"{path}.new").replace(path)
        file.bytes, file.sha256 = path.stat().st_size, file_digest(path)
        write_manifest(folder, manifest)


@pytest.mark.parametrize("how", ["schema", "table", "column"])
@pytest.mark.parametrize("name", [EXPORTS[-1], LAKES[-1]])
def test_files_of_a_newer_runmart_are_refused(name: str, how: str, tmp_path: Path) -> None:
    """Files of a newer runmart are refused with the advice to upgrade, and nothing is written."""
    folder = kept(name, tmp_path)
    _newer(folder, how)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    tries: list[Any] = [lambda: imported(folder, tmp_path / "runs.duckdb")]
    if how == "column":
        tries.append(lambda: batch_engine.load(tmp_path / "lake", [folder]))
    else:
        tries.append(lambda: export_of(str(folder)))
    if how != "column" and name in LAKES:
        tries += [lambda: opened(folder), lambda: batch_engine.load(folder, [later_page(tmp_path)])]
    for attempt in tries:
        with pytest.raises(ExportError, match="upgrade"):
            attempt()
    done = command("import", folder, "-w", tmp_path / "other.duckdb")
    assert (done.returncode, "upgrade" in done.stderr) == (1, True)
    assert query(tmp_path / "runs.duckdb", "select count(*) from runs") == [(0,)]
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_the_digest_of_tools_is_the_one_that_migrations_give(tmp_path: Path) -> None:
    """`DIGEST` over the kept rows of tools equals the digests in the kept runs."""
    warehouse = kept("warehouse-schema8", tmp_path)
    assert query(warehouse, f"select run_id, {DIGEST} from tools group by run_id order by run_id") == query(
        warehouse, "select run_id, tools_digest from runs where tool_count > 0 order by run_id"
    )
