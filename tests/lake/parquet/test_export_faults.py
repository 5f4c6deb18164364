"""Exports that are damaged, cut short, or written by two: nothing wrong is read, and the next one completes them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.dataset
import pytest

from runmart.ingest.digest import file_digest
from runmart.ingest.warehouse.connection import open_for_reading
from runmart.lake.parquet import export as export_module
from runmart.lake.parquet.export import export
from runmart.lake.parquet.manifest import (
    MANIFEST,
    ExportError,
    held,
    put_in_place,
    read_manifest,
    write_manifest,
)
from tests.support.exports import MONTHS, a_run, contents, contents_of_export, exported, load, restored

RUNMART = Path(sys.executable).parent / "runmart"


def _damage(out: Path, path: Path, damage: str) -> None:
    """Damage one file of an export, or remove columns as an older runmart would not have them."""
    text = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(text[:-50])
    elif damage == "flipped":
        text[len(text) // 4] ^= 1
        path.write_bytes(text)
    else:
        duckdb.sql(f"copy (select 'x' as run_id, 'y' as model) to '{path}' (format parquet)")
        manifest = read_manifest(out)
        assert manifest is not None
        [file] = [file for _, file in manifest.files() if out / file.path == path]
        file.bytes, file.sha256 = path.stat().st_size, file_digest(path)
        write_manifest(out, manifest)


@pytest.mark.parametrize("name", ["runs/source=default/month=2023-12", "tools/source=../month=2024-12", "prices"])
@pytest.mark.parametrize("damage", ["missing", "cut", "flipped", "columns"])
def test_a_damaged_export_is_not_loaded(loaded: Path, tmp_path: Path, name: str, damage: str) -> None:
    """The error names the damaged file, and nothing is imported, not even a load."""
    out = tmp_path / "out"
    exported(loaded, out)
    path = out / name / "data.parquet"
    _damage(out, path, damage)
    again = tmp_path / "again.duckdb"
    with pytest.raises(ExportError, match="lacks the columns" if damage == "columns" else "missing|damaged") as raised:
        restored(again, out)
    assert str(path) in str(raised.value)
    with duckdb.connect(again, read_only=True) as connection:
        assert connection.sql("select count(*) from runs").fetchall() == [(0,)]
        assert connection.sql("select count(*) from runmart.loads").fetchall() == [(0,)]


def test_a_manifest_of_a_newer_runmart_is_not_read(tmp_path: Path) -> None:
    """A manifest of a newer format is refused, whatever else it holds."""
    (tmp_path / MANIFEST).write_text('{"format": 99, "something": "new"}')
    with pytest.raises(ExportError, match=r"format 99.*upgrade"):
        read_manifest(tmp_path)


def test_an_export_that_was_cut_short_is_completed(loaded: Path, tmp_path: Path) -> None:
    """The next export after an interrupted one writes only what is missing."""
    out = tmp_path / "out"
    written = 0

    def stop_after_five(*_: object) -> None:
        nonlocal written
        written += 1
        if written == 5:
            raise KeyboardInterrupt

    with open_for_reading(loaded, 0) as connection, pytest.raises(KeyboardInterrupt):
        export(connection, out, progress=stop_after_five)
    manifest = read_manifest(out)
    assert manifest is not None
    assert [bool(one.digest) for one in manifest.partitions].count(True) == 5
    with pytest.raises(ExportError, match="cut short"):
        restored(tmp_path / "again.duckdb", out)
    outcome = exported(loaded, out)
    assert (outcome.written, outcome.unchanged) == (10, 5)
    assert contents_of_export(out, tmp_path) == contents(loaded)
    assert not list(out.rglob(".*"))


def _crash(monkeypatch: pytest.MonkeyPatch, loaded: Path, out: Path, after: int) -> None:
    """An export that stops with `after` files in place, before it renames the next one."""
    left = after

    def put(aside: Path, path: Path) -> None:
        nonlocal left
        if not left:
            raise KeyboardInterrupt
        left -= 1
        put_in_place(aside, path)

    with monkeypatch.context() as patched:
        patched.setattr(export_module, "put_in_place", put)
        with pytest.raises(KeyboardInterrupt):
            exported(loaded, out)


@pytest.mark.parametrize("after", [1, *(pytest.param(one, marks=pytest.mark.slow) for one in (0, 7, 30))])
def test_a_crash_leaves_what_everything_reads(
    loaded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """After crashes of a first and a later export, files are readable; only a completed export is imported."""
    out = tmp_path / "out"
    arrow: Any = pyarrow.dataset
    for _ in range(2):
        _crash(monkeypatch, loaded, out, after)
        for table in [path for path in out.iterdir() if any(path.rglob("*.parquet"))]:
            rows = pl.scan_parquet(table, hive_partitioning=True).collect().height
            assert rows == arrow.dataset(table, format="parquet", partitioning="hive").count_rows() > 0
        with pytest.raises(ExportError, match="cut short"):
            restored(tmp_path / "again.duckdb", out)
    exported(loaded, out)
    load(loaded, tmp_path, *[a_run(800 + place, at) for place, at in enumerate(MONTHS)])
    _crash(monkeypatch, loaded, out, min(after, 12))
    exported(loaded, out)
    assert contents_of_export(out, tmp_path) == contents(loaded)
    assert not list(out.rglob(".*"))


def test_what_a_crash_left_of_a_partition_that_is_gone_is_removed(
    loaded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next export removes files of a partition that no longer has runs when a crash left them."""
    out = tmp_path / "out"
    exported(loaded, out)
    load(loaded, tmp_path, a_run(700, 1_600_000_000, status="in_progress"))
    _crash(monkeypatch, loaded, out, 1)
    assert list(out.rglob("month=2020-09"))
    load(loaded, tmp_path, a_run(700, 1_700_000_000))
    assert exported(loaded, out).removed == 1
    assert not list(out.rglob("month=2020-09"))
    assert contents_of_export(out, tmp_path) == contents(loaded)


def test_an_upgrade_that_adds_a_column_writes_everything(
    loaded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade that adds a column all partitions are written again."""
    exported(loaded, tmp_path / "out")
    monkeypatch.setattr(export_module, "_columns_digest", lambda: "others")
    assert exported(loaded, tmp_path / "out").unchanged == 0


def test_only_one_is_at_work_in_an_export(loaded: Path, tmp_path: Path) -> None:
    """A second concurrent export is refused, while several processes may read."""
    out = tmp_path / "out"
    exported(loaded, out)
    with held(out, for_writing=True):
        with pytest.raises(ExportError, match="uses it"):
            exported(loaded, out)
        with pytest.raises(ExportError, match="uses it"):
            restored(tmp_path / "again.duckdb", out)
    with held(out, for_writing=False):
        restored(tmp_path / "again.duckdb", out)


def test_a_full_disk_is_reported_in_a_sentence(tmp_path: Path) -> None:
    """A full disk ends in a sentence, for the manifest and for tables; the next export completes."""
    warehouse, out = tmp_path / "runs.duckdb", tmp_path / "out"
    load(warehouse, tmp_path, a_run(1, None))
    for kilobytes in (0, 2):
        command = f"ulimit -f {kilobytes}; exec {RUNMART} export -w {warehouse} --to {out}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
        assert (done.returncode, (out / MANIFEST).exists()) == (1, kilobytes == 2)
        assert done.stderr.startswith(f"runmart: {out}: ")
        assert done.stderr.endswith("run the command again once that is fixed\n")
    exported(warehouse, out)
    assert contents_of_export(out, tmp_path) == contents(warehouse)
