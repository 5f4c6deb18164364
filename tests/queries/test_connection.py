"""Reading a warehouse in Python: frames, and changes of the file meanwhile."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import duckdb
import polars as pl
import pytest

from runmart.queries import ViewName, connect, read, views
from tests.support.rows import Fill


@pytest.fixture(name="published")
def _published(filled: Fill, warehouse: Path, tmp_path: Path) -> Path:
    """A published copy at another path."""
    filled({"runs": [{"run_id": "a", "status": "completed", "model": "gpt-4o", "created_at": 1000}]}).close()
    return Path(shutil.copy(warehouse, tmp_path / "published.duckdb"))


def _publish(warehouse: Path, published: Path, *, by_link: bool, run_id: str) -> None:
    """Replace the published file by a newer version of the warehouse."""
    version = published.with_name(f"version-{run_id}.duckdb")
    shutil.copy(warehouse, version)
    with duckdb.connect(version) as connection:
        connection.execute("insert into runs (run_id, status, model) values (?, 'completed', 'gpt-4o')", [run_id])
    if by_link:
        link = published.with_name("link")
        link.symlink_to(version)
        link.replace(published)
    else:
        version.replace(published)


def test_each_view_has_a_name_that_a_checker_knows() -> None:
    """The type ViewName lists exactly the views."""
    assert list(get_args(ViewName)) == sorted(view.name for view in views())


def test_views_and_queries_are_frames(published: Path) -> None:
    """Views and queries return frames with instants in UTC; queries take parameters."""
    with connect(str(published)) as warehouse:
        frame = warehouse.view("latency_by_model")
        assert (frame["model"].to_list(), frame["runs"].to_list()) == (["gpt-4o"], [1])
        facts = warehouse.view("run_facts")
        assert facts.schema["created_at"] == pl.Datetime("us", "UTC")
        assert facts["created_at"].dt.epoch("s").to_list() == [1000]
        assert warehouse.sql("select count(*) as n from runs where model = ?", ["gpt-4o"])["n"].to_list() == [1]
        assert warehouse.sql("select run_id from runs where model = $m", {"m": "x"}).is_empty()
        with pytest.raises(ValueError, match="did you mean latency_by_model"):
            warehouse.view("latency_by_modell")  # pyright: ignore[reportArgumentType] - as an analyst might
        with pytest.raises(duckdb.InvalidInputException, match="read-only"):
            warehouse.sql("delete from runs")
    assert read(published, "latency_by_model").equals(frame)


@pytest.mark.parametrize("by_link", [False, True])
def test_a_published_file_may_be_replaced_at_any_time(published: Path, warehouse: Path, by_link: bool) -> None:
    """After a replacement, open readers stay at the old version until `refresh`; new readers get the new one."""
    count = "select count(*) as n from runs"
    opened = connect(published)
    _publish(warehouse, published, by_link=by_link, run_id="b")
    assert opened.sql(count)["n"].to_list() == [1]
    assert not opened.is_current
    with connect(published) as other:
        assert other.sql(count)["n"].to_list() == [2]
        assert opened.sql(count)["n"].to_list() == [1]
        assert opened.refresh()
        assert opened.sql(count)["n"].to_list() == [2]
        assert (opened.is_current, opened.refresh()) == (True, False)
        published.unlink()
        with pytest.raises(FileNotFoundError):
            opened.refresh()
        assert opened.sql(count)["n"].to_list() == [2]
    opened.close()


def test_what_is_no_warehouse_is_said_so(tmp_path: Path, published: Path) -> None:
    """A missing file, another file, another DuckDB database and a locked warehouse have their own errors."""
    with pytest.raises(FileNotFoundError, match="no such warehouse"):
        connect(tmp_path / "none.duckdb")
    (tmp_path / "text").write_text("hello, this is no database at all\n" * 1000)
    with pytest.raises(ValueError, match="no DuckDB file"):
        connect(tmp_path / "text")
    damaged = bytearray(published.read_bytes())
    damaged[5000:5100] = b"\xff" * 100
    (tmp_path / "damaged").write_bytes(damaged)
    with pytest.raises(ValueError, match=r"a damaged one.*[Cc]hecksum"):
        connect(tmp_path / "damaged")
    with pytest.raises(ValueError, match="no DuckDB file"):
        connect(tmp_path)
    duckdb.connect(tmp_path / "other.duckdb").close()
    with pytest.raises(ValueError, match="no runmart warehouse"):
        connect(tmp_path / "other.duckdb")
    program = f"import duckdb; held = duckdb.connect({str(published)!r}); print('open', flush=True); input()"
    writer = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    writer.stdout.readline()
    with pytest.raises(BlockingIOError, match="another process writes to it"):
        connect(published)
    writer.communicate("\n")
    connect(published).close()


def _writer_gets_in(path: Path) -> bool:
    """Whether another process can open the file for writing now."""
    program = f"import duckdb; duckdb.connect({str(path)!r}).close()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "Could not set lock" in done.stderr
    return done.returncode == 0


def test_what_one_reader_closes_stays_closed_to_writers_while_another_reads(published: Path) -> None:
    """Closing one reader keeps the file locked against writers while another reader is open."""
    with connect(published) as opened:
        read(published, "run_facts")
        connect(published.resolve()).close()
        assert not _writer_gets_in(published)
        assert opened.sql("select count(*) as n from runs")["n"].to_list() == [1]
    assert _writer_gets_in(published)


def test_readers_of_one_file_have_settings_and_tables_of_their_own(published: Path) -> None:
    """Settings and temporary tables of one reader are invisible to others."""
    with connect(published) as one, connect(published) as other:
        one.sql("create temp table mine as select 1 as a")
        one.sql("set timezone = 'Asia/Tokyo'")
        assert one.sql("from mine")["a"].to_list() == [1]
        with pytest.raises(duckdb.CatalogException):
            other.sql("from mine")
        assert other.view("run_facts").schema["created_at"] == pl.Datetime("us", "UTC")


def test_the_views_that_are_there_are_named(published: Path) -> None:
    """`views` lists all views, the user's included; the error for a missing view says how to create it."""
    known = sorted(view.name for view in views())
    with connect(published) as warehouse:
        assert warehouse.views == known
    with duckdb.connect(published) as connection:
        connection.execute("create view mine as select 1 as a; drop view open_runs")
    with connect(published) as warehouse:
        assert warehouse.views == sorted({*known, "mine"} - {"open_runs"})
        with pytest.raises(ValueError, match="no view open_runs yet"):
            warehouse.view("open_runs")


@pytest.mark.parametrize("by_link", [False, True])
def test_a_file_may_be_replaced_while_it_is_opened(published: Path, warehouse: Path, by_link: bool) -> None:
    """While other processes publish, each opening gives a complete old or new warehouse."""
    program = """
import os, pathlib, shutil, sys, time
warehouse, published, by_link = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3] == "True"
for number in range(150):
    old, new = published.resolve(), published.with_name(f"version-{number}")
    shutil.copy(warehouse, new)
    if by_link:
        link = published.with_name("link")
        link.symlink_to(new)
        new = link
    os.replace(new, published)
    if old != published:
        old.unlink(missing_ok=True)
    time.sleep(0.002)
"""
    publisher = subprocess.Popen([sys.executable, "-c", program, warehouse, published, str(by_link)])
    while publisher.poll() is None:
        with connect(published) as opened:
            assert opened.sql("select run_id from runs")["run_id"].to_list() == ["a"]
            opened.refresh()
            assert opened.sql("select run_id from runs")["run_id"].to_list() == ["a"]
    assert publisher.returncode == 0
