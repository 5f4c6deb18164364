"""Publishing: readers get complete snapshots behind a stable symlink, and do not block writers."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from runmart.ingest.errors import LockedError
from runmart.ingest.maintenance import publish as publishing
from runmart.ingest.maintenance.publish import publish
from runmart.ingest.warehouse import file_backend
from runmart.ingest.warehouse.file_backend import versions_folder
from runmart.queries import connect
from tests.support.command import command
from tests.support.published import add, count, versions
from tests.support.warehouse import page, query, run, write

BIN = Path(sys.executable).parent


def test_a_reader_keeps_what_it_opened_and_a_new_one_sees_the_new(warehouse: Path, published: Path) -> None:
    """Open readers stay at their version, and new readers get the new one, in the same and other processes."""
    assert publish(warehouse, published, 0).how in {"copied", "cloned"}
    with connect(published) as reader, duckdb.connect(published, read_only=True) as other:
        add(warehouse, "b")
        publish(warehouse, published, 0)
        assert (reader.view("run_facts").height, count(published)) == (1, 2)
        assert other.sql("select count(*) from runs").fetchall() == [(1,)]
        assert reader.refresh()
        assert reader.view("run_facts").height == 2
    shell = [BIN / "duckdb", "-readonly", published, "-csv", "-noheader", "-c", "select count(*) from run_facts"]
    assert subprocess.run(shell, capture_output=True, text=True, check=True).stdout == "2\n"


def test_an_open_shell_does_not_hold_up_a_load_nor_the_load_the_shell(warehouse: Path, published: Path) -> None:
    """Loads and publishing work while a shell reads the published copy, and the other way round."""
    publish(warehouse, published, 0)
    shell = subprocess.Popen(
        [BIN / "duckdb", "-readonly", published, "-csv", "-noheader"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write("select count(*) from runs;\n")
    shell.stdin.flush()
    assert shell.stdout.readline() == "1\n"
    file = write(warehouse.with_name("b.json"), page(run("b")))
    done = command("ingest", file, "-w", warehouse, "--publish", published, "--lock-timeout", "0")
    assert done.returncode == 0, done.stderr
    shell.stdin.write("select count(*) from runs;\n")
    shell.stdin.flush()
    assert shell.stdout.readline() == "1\n"
    shell.communicate()
    assert count(published) == 2


def test_what_was_written_to_an_old_version_never_meets_the_new_one(warehouse: Path, published: Path) -> None:
    """A log that root has written beside a version is not applied to later versions."""
    publish(warehouse, published, 0)
    script = """
import duckdb, os, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("create table scratch (x int)")
os._exit(0)
"""
    version = published.resolve()
    version.chmod(0o644)
    subprocess.run([sys.executable, "-c", script, published], check=True)
    assert version.with_name(f"{version.name}.wal").exists()
    for run_id in ("b", "c"):
        add(warehouse, run_id)
        publish(warehouse, published, 0)
    assert query(published, "select count(*) from duckdb_tables() where table_name = 'scratch'") == [(0,)]
    assert count(published) == 3


def test_the_same_state_is_not_copied_again(warehouse: Path, published: Path) -> None:
    """Publishing an unchanged warehouse copies nothing."""
    first = publish(warehouse, published, 0)
    again = publish(warehouse, published, 0)
    assert (again.how, again.version) == ("unchanged", first.version)
    assert versions(published) == [first.version]


def test_old_versions_go_but_the_one_before_and_those_of_a_moment_ago(
    warehouse: Path, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the current and the previous version remain after GRACE_SECONDS; open readers of others still work."""
    first = publish(warehouse, published, 0).version
    with duckdb.connect(first, read_only=True) as reader:
        for number in range(3):
            add(warehouse, f"more_{number}")
            publish(warehouse, published, 0)
        assert len(versions(published)) == 4
        monkeypatch.setattr(publishing, "GRACE_SECONDS", 0.0)
        add(warehouse, "last")
        before, last = published.resolve(), publish(warehouse, published, 0).version
        assert versions(published) == sorted((before, last))
        assert reader.sql("select run_id from runs").fetchall() == [("a",)]


def test_a_version_is_kept_from_the_moment_on_that_it_was_replaced(warehouse: Path, published: Path) -> None:
    """The grace period of a version begins when it is replaced, whatever its modification time was."""
    old = [publish(warehouse, published, 0).version]
    for run_id in ("b", "c"):
        for version in old:
            os.utime(version, (0, 0))
        add(warehouse, run_id)
        old.append(publish(warehouse, published, 0).version)
    assert old[0] not in versions(published)
    assert versions(published) == sorted(old[1:])
    assert time.time() - old[1].stat().st_mtime < 60


KILLED = """
import os, signal, sys
from pathlib import Path
from runmart.ingest.maintenance import publish as publishing
from runmart.ingest.warehouse import file_copy

def killed(*arguments, **named):
    os.kill(os.getpid(), signal.SIGKILL)

replace = Path.replace
if sys.argv[3] == "replace the link":
    Path.replace = lambda path, target: killed() if path.is_symlink() else replace(path, target)
else:
    setattr(publishing if hasattr(publishing, sys.argv[3]) else file_copy, sys.argv[3], killed)
publishing.publish(Path(sys.argv[1]), Path(sys.argv[2]), 0)
"""


@pytest.mark.parametrize("where", ["_cloned", "sync", "_switch", "replace the link", "_remove_old"])
def test_a_crash_leaves_a_whole_version_published(where: str, warehouse: Path, published: Path) -> None:
    """After a crash before, in or after the switch a complete version is published; the next publish cleans up."""
    publish(warehouse, published, 0)
    add(warehouse, "b")
    killed = subprocess.run([sys.executable, "-c", KILLED, warehouse, published, where], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert count(published) == (2 if where == "_remove_old" else 1)
    add(warehouse, "c")
    publish(warehouse, published, 0)
    assert count(published) == 3
    assert not list(versions_folder(published).glob("*.partial*"))


def test_what_a_killed_load_has_left_in_the_log_is_published(warehouse: Path, published: Path) -> None:
    """Commits that a killed load has left in the log are published as well."""
    script = """
import duckdb, os, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("insert into runs (run_id) values ('b')")
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", script, warehouse], check=True)
    assert warehouse.with_name("runs.duckdb.wal").exists()
    publish(warehouse, published, 0)
    assert count(published) == 2


def test_nobody_writes_while_it_is_copied(warehouse: Path, published: Path) -> None:
    """Publishing waits for a writer that holds the file, and after the time-out names it."""
    script = "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script, warehouse], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(LockedError, match="locked by another process"):
            publish(warehouse, published, 0.2)
        writer.kill()
    assert publish(warehouse, published, 0).how != "unchanged"


WRITING = """
import subprocess, sys
from pathlib import Path
from runmart.ingest.maintenance.publish import publish
from runmart.ingest.warehouse import file_copy

copied = file_copy._copied
script = "import duckdb, sys; duckdb.connect(sys.argv[1])"

def meanwhile(*arguments):
    copied(*arguments)
    done = subprocess.run([sys.executable, "-c", script, sys.argv[1]], capture_output=True, text=True)
    assert "Could not set lock" in done.stderr, done.stderr

file_copy._cloned, file_copy._copied = lambda *_: False, meanwhile
publish(Path(sys.argv[1]), Path(sys.argv[2]), 0)
"""


def test_nobody_begins_to_write_while_it_is_copied(warehouse: Path, published: Path) -> None:
    """No writer can open the file during the copy, even if this process had it open in DuckDB and closed it."""
    subprocess.run([sys.executable, "-c", WRITING, warehouse, published], check=True)
    assert count(published) == 1


@pytest.mark.slow
def test_two_publishers_wait_for_each_other(warehouse: Path, published: Path) -> None:
    """Two concurrent publishers both succeed, and leave versions only."""
    script = """
import os, sys
from pathlib import Path
from runmart.ingest.maintenance.publish import publish
for _ in range(20):
    os.utime(sys.argv[1])  # to be copied again
    publish(Path(sys.argv[1]), Path(sys.argv[2]), 30)
"""
    add(warehouse, "b")
    both = [subprocess.Popen([sys.executable, "-c", script, warehouse, published]) for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    assert count(published) == 2
    assert {file.suffix for file in versions_folder(published).iterdir()} == {".duckdb", ""}


def test_much_free_space_is_left_behind(warehouse: Path, published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of a file with more than a quarter of free space is rewritten, with comments and working views."""
    with duckdb.connect(warehouse) as connection:
        for name in ("large", "last"):
            connection.execute(
                f"create table {name} as select md5(range::varchar) as x from range(300_000); checkpoint"
            )
        connection.execute("drop table large; checkpoint")
    monkeypatch.setattr(file_backend, "FREE_BYTES", 1 << 20)
    found = publish(warehouse, published, 0)
    assert found.how == "rewritten"
    assert found.bytes < warehouse.stat().st_size * 0.75
    assert query(published, "select comment is not null from duckdb_views() where view_name = 'run_facts'") == [(True,)]
    assert count(published) == 1
