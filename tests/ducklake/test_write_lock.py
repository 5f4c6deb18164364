"""Writers hold the write lock one at a time, and without it concurrent commits would corrupt the tables."""

import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest

from runmart.cli import app
from runmart.ingest.errors import LockedError, WarehouseError
from runmart.ingest.load.loader import Load
from runmart.ingest.maintenance.prune import prune
from runmart.ingest.pipeline import ingest
from runmart.ingest.warehouse import ducklake, write_lock
from runmart.ingest.warehouse.connection import open_for_writing
from runmart.ingest.warehouse.ducklake_maintenance import purge
from runmart.ingest.warehouse.write_lock import DuckLakeWriter, WriteLock
from tests.support.ducklake import Bare, query
from tests.support.warehouse import DOUBLES, page, run, write

pytestmark = pytest.mark.ducklake

BEFORE_OTHERS_SECONDS = 3.0


def load(lake: Bare, *files: Path) -> Load:
    """One load in this process."""
    with open_for_writing(lake.location, 30) as writer:
        return ingest(writer, [str(path) for path in files], source="default", reload=True, workers=0)


@contextmanager
def foreign(lake: Bare) -> Generator[duckdb.DuckDBPyConnection]:
    """A connection that writes without the write lock."""
    connection = ducklake.attach(lake.location, read_only=False)
    assert connection is not None
    try:
        yield connection
    finally:
        connection.close()


def before_commits(patch: pytest.MonkeyPatch, act: Callable[[], object], times: int = 1) -> None:
    """Run a function before each of the next commits."""
    left, commit = [act] * times, DuckLakeWriter.commit

    def late(writer: DuckLakeWriter) -> None:
        if left:
            left.pop()()
        commit(writer)

    patch.setattr(DuckLakeWriter, "commit", late)


def without_lock(patch: pytest.MonkeyPatch) -> None:
    """Disable the write lock."""

    @contextmanager
    def held(*_: object) -> Generator[None]:
        yield

    patch.setattr(WriteLock, "held", held)
    patch.setattr(WriteLock, "check", held)


def both_at_once(patch: pytest.MonkeyPatch, *loads: Callable[[], object]) -> None:
    """Run two functions so that both have merged before either commits, if that is possible."""
    together = threading.Barrier(len(loads))

    def wait() -> None:
        with suppress(threading.BrokenBarrierError):
            together.wait(BEFORE_OTHERS_SECONDS)

    before_commits(patch, wait, len(loads))
    threads = [threading.Thread(target=one) for one in loads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("has_lock", [True, False])
def test_two_loads_of_the_same_new_runs_store_each_once(
    has_lock: bool, lake: Bare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the lock DuckLake lets both loads commit and runs are duplicated; with it they are not."""
    files = [write(tmp_path / f"{name}.json", page(run("a", model=name), run("b"))) for name in "xy"]
    if not has_lock:
        without_lock(monkeypatch)
    both_at_once(monkeypatch, lambda: load(lake, files[0]), lambda: load(lake, files[1]))
    monkeypatch.undo()
    assert query(lake.location, "select count(*) from runs") == [(2 if has_lock else 4,)]
    assert bool(query(lake.location, DOUBLES)) is not has_lock
    checked = lake.run("check")
    assert (checked.returncode, "unique_runs" in checked.stdout) == ((0, False) if has_lock else (4, True))


@pytest.mark.parametrize("has_lock", [True, False])
def test_two_that_delete_from_the_same_file_delete_both(
    has_lock: bool, lake: Bare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the lock DuckLake commits both deletes and then holds the file twice; with it each row is once."""
    load(lake, write(tmp_path / "1.json", page(*(run(f"r{n}", created_at=1_700_000_000 + n) for n in range(9)))))

    def delete(run_id: str) -> None:
        with open_for_writing(lake.location, 30) as writer:
            statement = "delete from main.runs where run_id = ?"
            writer.write_exclusively(lambda: writer.connection.execute(statement, [run_id]))

    delete("r0")
    if not has_lock:
        without_lock(monkeypatch)
    both_at_once(monkeypatch, lambda: delete("r1"), lambda: delete("r2"))
    found = [run_id for (run_id,) in query(lake.location, "select run_id from runs order by all")]
    left = [f"r{n}" for n in range(3, 9)]
    assert (found == left) is has_lock
    assert len(found) == len(left) if has_lock else len(found) > len(left)


@pytest.mark.parametrize("inlined_rows", [0, 10])
def test_what_is_replaced_while_files_are_merged_does_not_come_back(
    inlined_rows: int, bare: Bare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without inlined rows a load repeats its merge after a compaction; with them a replaced row would return."""
    monkeypatch.setattr(ducklake, "INLINED_ROWS", inlined_rows)
    for name in "abc":
        load(bare, write(tmp_path / f"{name}.json", page(run(name, "queued"))))
        with foreign(bare) as connection:
            connection.execute("call ducklake_flush_inlined_data('warehouse')")
    newer = write(tmp_path / "new.json", page(run("b", completed_at=1_700_000_000), run("d")), 1_700_000_900)

    def merge_files() -> None:
        with foreign(bare) as connection:
            assert connection.execute("call ducklake_merge_adjacent_files('warehouse', 'runs')").fetchall()

    before_commits(monkeypatch, merge_files)
    done = load(bare, newer)
    assert (done.totals.new_runs, done.totals.updated_runs) == (1, 1)
    found = query(bare.location, "select run_id, status from runs order by all")
    wrong = [("b", "queued")] * bool(inlined_rows)
    assert found == sorted([("a", "queued"), ("b", "completed"), ("c", "queued"), ("d", "completed"), *wrong])


def test_a_load_gives_up_when_others_never_stop(
    lake: Bare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After several conflicting attempts a load stores nothing, and a sentence names the reason."""
    load(lake, write(tmp_path / "1.json", page(run("a", "queued"), run("other"))))
    newer = write(tmp_path / "2.json", page(run("a", completed_at=1_700_000_000), run("b")), 1_700_000_900)

    def write_along() -> None:
        with foreign(lake) as connection:
            connection.execute("update main.runs set model = coalesce(model, '') || 'x' where run_id = 'other'")

    monkeypatch.setattr(write_lock, "ATTEMPTS", 3)
    monkeypatch.setattr(write_lock, "LONGEST_WAIT_SECONDS", 0.1)
    before_commits(monkeypatch, write_along, 3)
    assert app.run(["ingest", str(newer), *lake.options]) == 1
    said = capsys.readouterr().err
    assert "without the write lock, 3 times in a row" in said
    assert "let only runmart write to it" in said
    monkeypatch.undo()
    assert query(lake.location, "select run_id, status, model from runs order by all") == [
        ("a", "queued", None),
        ("other", "completed", "xxx"),
    ]
    assert load(lake, newer).totals.updated_runs == 1


def test_nothing_is_written_when_the_lock_is_lost(lake: Bare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that has lost the lock writes nothing, since another writer may hold it."""
    lost = "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database = (\
        select oid from pg_database where datname = current_database()) and pid <> pg_backend_pid()"
    before_commits(monkeypatch, lambda: lake.postgres.execute(lost, lake.database))
    with pytest.raises(WarehouseError, match=r"PostgreSQL cannot be used|lock in PostgreSQL was lost"):
        load(lake, write(tmp_path / "1.json", page(run("a"))))
    monkeypatch.undo()
    assert query(lake.location, "select count(*) from runs union all select count(*) from runmart.loads") == [
        (0,),
        (0,),
    ]


def test_a_running_load_is_no_killed_one(lake: Bare, tmp_path: Path) -> None:
    """Concurrent loads have different ids, and a running load is not recorded as killed."""
    file = write(tmp_path / "1.json", page(run("a")))
    with open_for_writing(lake.location, 30) as first:
        going_on = Load(first, "ingest", "default")
        going_on.commit()
        assert load(lake, file).load_id == going_on.load_id + 1
        states = "select load_id, state from runmart.loads order by all"
        assert query(lake.location, states) == [(1, "running"), (2, "done")]
        unwritten = Load(first, "ingest", "default")
        assert (unwritten.load_id, load(lake, file).load_id) == (3, 4)
        unwritten.abandon("failed")
        going_on._record.close()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - as if it were killed
    assert load(lake, file).load_id == 5
    assert query(lake.location, states) == [(1, "killed"), (2, "done"), (4, "done"), (5, "done")]


@pytest.mark.parametrize("content_only", [True, False])
def test_what_is_pruned_while_a_load_goes_on_stays_out(content_only: bool, lake: Bare, tmp_path: Path) -> None:
    """A load ends with a sentence when the warehouse was pruned while it ran, since its admission filter is stale."""
    old = write(tmp_path / "1.json", page(run("a", created_at=1_600_000_000, instructions="private")))
    load(lake, old)
    with open_for_writing(lake.location, 30) as first, open_for_writing(lake.location, 30) as second:
        going_on = Load(first, "ingest", "default")
        prune(second, 1_650_000_000_000_000, content_only=content_only)
        assert isinstance(second, DuckLakeWriter)
        purge(second)
        with pytest.raises(WarehouseError, match="run it again"):
            going_on.commit()
        going_on.abandon("failed")
    load(lake, old)
    expected: list[tuple[Any, ...]] = [("a", None)] if content_only else []
    assert query(lake.location, "select run_id, instructions from runs") == expected


def test_a_lock_timeout_names_the_holder(lake: Bare, tmp_path: Path) -> None:
    """A lock time-out gives exit code 5 and names the program, machine and process that hold the lock."""
    file = write(tmp_path / "1.json", page(run("a")))
    with open_for_writing(lake.location, 30) as writer:
        assert isinstance(writer, DuckLakeWriter)
        with writer.lock.held():
            done = lake.run("ingest", file, "--lock-timeout", "0.5")
    assert done.returncode == LockedError.exit_code == 5
    for words in ("locked by", "process", "from 127.0.0.1, since 20", "waited 0.5 s", "--lock-timeout"):
        assert words in done.stderr
    assert lake.run("ingest", file).returncode == 0


def test_who_waits_can_be_interrupted(lake: Bare, tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM end the wait for the lock with exit code 130, and nothing is written."""
    file = write(tmp_path / "1.json", page(run("a")))
    waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
    with open_for_writing(lake.location, 30) as writer:
        assert isinstance(writer, DuckLakeWriter)
        for sign in (signal.SIGINT, signal.SIGTERM):
            with writer.lock.held():
                load_ = lake.start("ingest", file)
                while lake.postgres.execute(waiting, lake.database) == [(0,)]:
                    time.sleep(0.1)
                load_.send_signal(sign)
                _, said = load_.communicate(timeout=30)
            assert (load_.returncode, len(said.splitlines())) == (130, 1), said
            assert "interrupted" in said
    assert query(lake.location, "select count(*) from runmart.loads") == [(0,)]
    assert lake.run("ingest", file).returncode == 0
