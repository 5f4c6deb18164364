"""Runs can be moved between warehouses, exports and lakes without loss."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from runmart.ingest.warehouse.connection import open_for_reading, open_for_writing
from runmart.lake.distributed import convert
from runmart.lake.distributed.discover import export_of
from runmart.lake.parquet.export import export
from runmart.lake.parquet.manifest import MANIFEST, ExportError
from runmart.lake.parquet.restore import restore
from tests.support import batch_engine as engine
from tests.support.command import command
from tests.support.lake import Rows, alone, lake_rows, opened, rows, tables, unreferenced_files
from tests.support.warehouse import page, query, run, write

MONTHS = (1_735_689_599, 1_735_689_600, None)
"""The last second of 2024 and the first of 2025 (UTC); not known."""
SOURCES = ("default", "a/b=ü %", "", "it's null..")
RUNS = 2 * len(SOURCES) * len(MONTHS) + 1


def _a_run(number: int, created_at: int | None, **fields: Any) -> dict[str, Any]:
    """A run with child rows in each table."""
    return run(
        f"run_{number}",
        "failed",
        created_at=created_at,
        metadata={"n": number, "é": ["漢字", None]},
        usage={"prompt_tokens": number, "completion_tokens": 1, "total_tokens": number + 1},
        tools=[{"type": "function", "function": {"name": "f", "parameters": {"a": 1}}}, {"type": "file_search"}],
        last_error={"code": "server_error", "message": "é"},
        unheard_of=[1.50],
        **fields,
    )


def _load(warehouse: Path, *objects: dict[str, Any], source: str = "default", at: int = 10**15) -> None:
    alone(
        warehouse,
        write(warehouse.with_suffix(".json"), page(*objects)),
        source=source,
        observed_at=at,
        reload=True,
    )


@pytest.fixture(name="laptop", scope="module")
def _laptop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of several months and sources, and its export."""
    warehouse, number = tmp_path_factory.mktemp("laptop") / "runs.duckdb", 0
    for source in SOURCES:
        runs: list[dict[str, Any]] = []
        for created_at in MONTHS:
            number += 10
            step = {"id": f"step_{number}", "object": "thread.run.step", "status": "completed", "type": "tool_calls"}
            runs += [_a_run(number, created_at), _a_run(number + 1, created_at)]
            runs.append({**step, "run_id": f"run_{number}", "created_at": created_at})
        _load(warehouse, *runs, source=source)
    _load(warehouse, {"id": "bare", "status": "queued"})
    _exported(warehouse, warehouse.with_name("out"))
    return warehouse


@pytest.fixture(name="out")
def _out(laptop: Path) -> Path:
    """The export of that warehouse."""
    return laptop.with_name("out")


@pytest.fixture(name="lake", scope="module")
def _lake(laptop: Path) -> Path:
    """A lake of one batch, loaded from that export."""
    lake = laptop.with_name("lake")
    outcome = engine.load(lake, [laptop.with_name("out")], source="", tasks=4, shards=2)
    assert (outcome.load["new_runs"], outcome.load["steps"]) == (RUNS, 12)
    assert outcome.load["inputs"] == len(SOURCES) * len(MONTHS)
    return lake


def _imported(folder: Path, warehouse: Path) -> Rows:
    """The rows of a new warehouse after the import of a folder."""
    with open_for_writing(warehouse, 0) as writer:
        restore(writer, folder)
    return tables(rows(warehouse))


def _exported(warehouse: Path, folder: Path) -> Path:
    """The folder to which a warehouse was exported."""
    with open_for_reading(warehouse, 0) as connection:
        export(connection, folder)
    return folder


def test_a_warehouse_moves_into_a_lake(laptop: Path, lake: Path, out: Path) -> None:
    """An export loaded into a lake keeps sources with odd names, steps, and runs without a creation time."""
    assert tables(lake_rows(lake)) == tables(rows(laptop))
    assert {row[0] for row in query(opened(lake), "select distinct source from runs")} == set(SOURCES)
    again = shutil.copytree(lake, lake.with_name("again"))
    outcome = engine.load(again, [out], source="", tasks=2, shards=3)
    assert (outcome.load["new_runs"], outcome.load["updated_runs"], outcome.load["unchanged"]) == (0, 0, RUNS)
    assert outcome.files_written == 0
    assert tables(lake_rows(again)) == tables(rows(laptop))


def test_a_lake_moves_into_a_warehouse(laptop: Path, lake: Path, tmp_path: Path) -> None:
    """`runmart import` of a lake gives all rows; a second import changes nothing."""
    done = command("import", lake, "-w", tmp_path / "back.duckdb")
    assert (done.returncode, done.stderr) == (0, "")
    assert tables(rows(tmp_path / "back.duckdb")) == tables(rows(laptop))
    assert _imported(lake, tmp_path / "back.duckdb") == tables(rows(laptop))
    loads = query(tmp_path / "back.duckdb", "select command, new_runs, unchanged from runmart.loads order by load_id")
    assert loads == [("import", RUNS, 0), ("import", 0, RUNS)]


def test_a_view_file_is_exported_and_comes_back(laptop: Path, lake: Path, tmp_path: Path) -> None:
    """A view file can be exported as any warehouse, and the export imported."""
    done = command("export", "-w", opened(lake), "--to", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert _imported(tmp_path / "out", tmp_path / "back.duckdb") == tables(rows(laptop))


def test_a_lake_is_loaded_into_another(laptop: Path, lake: Path, tmp_path: Path) -> None:
    """A lake can be loaded into one with another number of shards, together with pages, in chunks of any size."""
    pages = write(tmp_path / "pages.json", page(_a_run(10, MONTHS[0], model="newer"), run("new")), 1_900_000_000)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(convert, "_BYTES", 1)
        outcome = engine.load(tmp_path / "other", [lake, pages], tasks=2, shards=1)
    expected = Path(shutil.copy(laptop, tmp_path / "expected.duckdb"))
    alone(expected, pages)
    assert tables(lake_rows(tmp_path / "other")) == tables(rows(expected))
    assert (outcome.load["new_runs"], outcome.load["rejected"]) == (RUNS + 1, 0)
    assert unreferenced_files(tmp_path / "other") == set()


def test_what_is_imported_meets_other_observations(laptop: Path, lake: Path, tmp_path: Path) -> None:
    """Imported runs are merged with stored ones by the merge rule, in a warehouse and in a lake."""
    changes = (
        ([_a_run(10, MONTHS[0], model="newer"), _a_run(11, MONTHS[1], model="moved")], 2 * 10**15),
        (
            [{**_a_run(20, MONTHS[1]), "metadata": {"is": "older"}}, run("run_21", "queued", created_at=MONTHS[1])],
            10**14,
        ),
    )
    warehouse, expected = tmp_path / "other.duckdb", Path(shutil.copy(laptop, tmp_path / "expected.duckdb"))
    for runs, at in changes:
        _load(warehouse, *runs, at=at)
        _load(expected, *runs, at=at)
    _exported(warehouse, tmp_path / "out")
    assert _imported(lake, warehouse) == tables(rows(expected))
    models = query(warehouse, "select run_id, model from runs where model is not null order by all")
    assert models == [("run_10", "newer"), ("run_11", "moved")]
    other = Path(shutil.copytree(lake, tmp_path / "lake"))
    outcome = engine.load(other, [tmp_path / "out"], shards=3)
    assert tables(lake_rows(other)) == tables(rows(expected))
    assert (outcome.load["new_runs"], outcome.load["updated_runs"], outcome.load["unchanged"]) == (0, 2, 2)


def _damage(out: Path, how: str) -> None:
    text = (out / MANIFEST).read_bytes()
    path = next((out / "tools").rglob("*.parquet"))
    if how == "cut short":
        (out / MANIFEST).write_bytes(text.replace(b'"is_complete": true', b'"is_complete": false'))
    elif how == "missing":
        path.unlink()
    else:
        data = bytearray(path.read_bytes())
        data[len(data) // 4] ^= 1
        path.write_bytes(data)


def _begun(out: Path, lake: Path) -> None:
    """Check the export, then load it as a batch; engines report unreadable sources each in their own way."""
    export_of(str(out))
    engine.load(lake, [out], shards=1)


DAMAGES = {
    "cut short": "the export was cut short; run it again",
    "missing": "is missing; export it again, or restore the file",
    "flipped": "is damaged, or was changed after the export",
}


@pytest.mark.parametrize("how", DAMAGES)
def test_an_export_that_is_not_whole_is_not_loaded(laptop: Path, tmp_path: Path, how: str) -> None:
    """The error names what is wrong with the export, and no lake is created."""
    out = Path(shutil.copytree(laptop.with_name("out"), tmp_path / "out"))
    _damage(out, how)
    with pytest.raises(ExportError, match=DAMAGES[how]) as raised:
        _begun(out, tmp_path / "lake")
    assert str(out) in str(raised.value)
    assert not (tmp_path / "lake").exists()
