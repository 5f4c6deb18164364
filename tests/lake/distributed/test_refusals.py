"""Concurrent batches, and folders that are no lake, are refused with a sentence, and nothing is written."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runmart.ingest.errors import WarehouseError
from runmart.ingest.warehouse.connection import open_for_reading
from runmart.lake.distributed import commit, manifests, merge
from runmart.lake.distributed.lake_storage import Storage
from runmart.lake.parquet.export import export
from runmart.lake.parquet.manifest import MANIFEST, ExportError, held
from runmart.lake.view_file import write_view_file
from tests.support import batch_engine as engine
from tests.support.disturbed_lake import Before
from tests.support.lake import alone, lake_rows, manifest, opened, unreferenced_files
from tests.support.warehouse import page, query, run, write


@pytest.mark.parametrize("moment", ["merged", "put", "finish", "commit"])
def test_of_two_batches_at_once_the_first_to_finish_is_loaded(
    before: Before, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Of two concurrent batches the first to commit wins; the other ends with a sentence, and can be repeated."""
    other = write(tmp_path / "other.json", page(run("other", created_at=1_703_000_000)))
    module: Any = {"merged": merge, "put": Storage, "finish": commit, "commit": manifests}[moment]
    whole = getattr(module, moment)

    def later(*arguments: Any) -> Any:
        monkeypatch.undo()
        engine.load(before.lake, [other])
        return whole(*arguments)

    monkeypatch.setattr(module, moment, later)
    with pytest.raises(ExportError, match="another batch was loaded meanwhile; run this one again"):
        before.load()
    found = lake_rows(before.lake)
    assert [row[0] for row in found["runs"]] == sorted([row[0] for row in before.rows["runs"]] + ["other"])
    assert len(manifest(before.lake)[1].loads) == 2
    before.load()
    runs = {row[0]: row for row in lake_rows(before.lake)["runs"]}
    assert runs.pop("other")
    assert sorted(runs.values()) == sorted(before.undisturbed["runs"])
    assert unreferenced_files(before.lake) == set()


def test_a_lake_that_somebody_writes_to_is_not_written_to(before: Before) -> None:
    """If two processes replace the manifest at once, one of them ends with a sentence."""
    with held(before.lake, for_writing=True), pytest.raises(ExportError, match="uses it; try again later"):
        before.load()
    assert before.is_as_it_was()


def _spoil(folder: Path, how: str) -> None:
    path = folder / MANIFEST
    if how == "something else":
        path.unlink()
        (folder / "thesis.txt").write_text("x")
    elif how == "cut short":
        path.write_bytes(path.read_bytes()[:-20])
    elif how == "newer":
        path.write_text(json.dumps({**json.loads(path.read_bytes()), "format": 99}))
    else:
        shutil.rmtree(folder)
        alone(folder.with_name("w.duckdb"), write(folder.with_name("w.json"), page(run("a"))))
        with open_for_reading(folder.with_name("w.duckdb"), 0) as connection:
            export(connection, folder)


REFUSALS = {
    "something else": "it holds something that is no lake .* choose an empty folder",
    "cut short": "runmart-export.json cannot be read",
    "newer": "it has format 99, this runmart knows 3: upgrade it",
    "export": "it is an export of a warehouse; load it into a lake in another folder",
}


@pytest.mark.parametrize("how", REFUSALS)
def test_what_is_no_lake_is_refused_and_left_alone(before: Before, how: str) -> None:
    """A folder with other files, a damaged lake, a newer lake and an export are refused and not changed."""
    _spoil(before.lake, how)
    files = {path: path.read_bytes() for path in before.lake.rglob("*") if path.is_file()}
    with pytest.raises(ExportError, match=REFUSALS[how]):
        before.load()
    with pytest.raises(ExportError, match="there is no lake" if how == "something else" else REFUSALS[how]):
        write_view_file(str(before.lake), before.lake.with_name("view_file.duckdb"))
    assert not before.lake.with_name("view_file.duckdb").exists()
    assert {path: path.read_bytes() for path in before.lake.rglob("*") if path.is_file()} == files


def test_a_missing_file_of_a_lake_is_reported_in_a_sentence(before: Before) -> None:
    """A missing file ends in a sentence; the existing view file stays, without leftovers beside it."""
    view_file = opened(before.lake)
    text = view_file.read_bytes()
    path = next((before.lake / "runs").rglob("*.parquet"))
    path.unlink()
    with pytest.raises(WarehouseError, match=f"{view_file}: .*{path.name}"):
        opened(before.lake)
    assert view_file.read_bytes() == text
    assert {found.name for found in view_file.parent.iterdir()} == {before.lake.name, view_file.name}


def test_a_shell_that_was_killed_does_not_spoil_a_view_file(before: Before) -> None:
    """The log that a killed shell has left of an old view file is not applied to the new one."""
    view_file = opened(before.lake)
    dies = "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); c.execute(sys.argv[2]); os._exit(9)"
    alias = "insert into model_aliases values ('default', 'deployed', null, 'mine')"
    subprocess.run([sys.executable, "-c", dies, view_file, alias], check=False)
    assert view_file.with_name(f"{view_file.name}.wal").exists()
    assert lake_rows(before.lake) == before.rows
    assert query(view_file, "select model from model_aliases") == [("deployed",)]
