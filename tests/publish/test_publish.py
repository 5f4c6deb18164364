"""Publishing: readers get whole copies under a name that never changes, and are in nobody's way."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from load.warehouses import command, load, page, query, run, write

from runmart.ingest import publish as publishing
from runmart.ingest.errors import LockedError, WarehouseError
from runmart.ingest.publish import publish
from runmart.ingest.warehouse import open_for_writing
from runmart.queries import connect, install

BIN = Path(sys.executable).parent


@pytest.fixture(name="warehouse")
def _warehouse(tmp_path: Path) -> Path:
    """A warehouse of one run."""
    write(tmp_path / "1.json", page(run("a")))
    return loaded(tmp_path)


def loaded(folder: Path) -> Path:
    """A warehouse of what is in a page, with views."""
    with open_for_writing(folder / "runs.duckdb", 0) as connection:
        install(connection)
    load(folder / "runs.duckdb", folder / "1.json")
    return folder / "runs.duckdb"


@pytest.fixture(name="published")
def _published(tmp_path: Path) -> Path:
    return tmp_path / "published.duckdb"


def add(warehouse: Path, run_id: str) -> None:
    """Load another run."""
    load(warehouse, write(warehouse.with_name(f"{run_id}.json"), page(run(run_id))))


def count(path: Path) -> int:
    """The runs that a new opener sees."""
    with connect(path) as reader:
        return reader.view("run_facts").height


def versions(published: Path) -> list[Path]:
    """All versions that are there."""
    return sorted(publishing.versions_folder(published).glob("*.duckdb"))


def test_a_reader_keeps_what_it_opened_and_a_new_one_sees_the_new(warehouse: Path, published: Path) -> None:
    """Under the same name; in this process and in others."""
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
    """The analyst's shell is open on the published copy while the job loads and publishes."""
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
    """Whoever may write to anything, such as root, leaves a log beside the version that the name led to."""
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


def test_a_version_is_read_only(warehouse: Path, published: Path) -> None:
    """And loads into it are refused, by root as well."""
    publish(warehouse, published, 0)
    assert published.resolve().stat().st_mode & 0o777 == 0o444
    done = command("ingest", warehouse.with_name("1.json"), "-w", published)
    assert done.returncode == 1
    assert "write to the warehouse itself" in done.stderr
    assert command("ingest", warehouse.with_name("1.json"), "-w", published.resolve()).returncode == 1


def test_the_same_state_is_not_copied_again(warehouse: Path, published: Path) -> None:
    """The name leads to it already."""
    first = publish(warehouse, published, 0)
    again = publish(warehouse, published, 0)
    assert (again.how, again.version) == ("unchanged", first.version)
    assert versions(published) == [first.version]


def test_old_versions_go_but_the_one_before_and_those_of_a_moment_ago(
    warehouse: Path, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody may have followed the link, and be about to open it; one that is still open can be read."""
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
    """However old it is."""
    old = [publish(warehouse, published, 0).version]
    for run_id in ("b", "c"):
        for version in old:
            os.utime(version, (0, 0))
        add(warehouse, run_id)
        old.append(publish(warehouse, published, 0).version)
    assert old[0] not in versions(published)
    assert versions(published) == sorted(old[1:])
    assert time.time() - old[1].stat().st_mtime < 60


def test_after_a_prune_no_older_version_is_left(warehouse: Path, published: Path) -> None:
    """What was pruned must be gone."""
    for run_id in ("b", "c"):
        add(warehouse, run_id)
        publish(warehouse, published, 0)
    done = command("prune", "--older-than", "2030-01-01", "--yes", "-w", warehouse, "--publish", published, "--json")
    assert done.returncode == 0, done.stderr
    assert versions(published) == [Path(json.loads(done.stdout)["published"]["version"])]
    assert count(published) == 0


KILLED = """
import os, signal, sys
from pathlib import Path
from runmart.ingest import publish as publishing

def killed(*arguments, **named):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(publishing, sys.argv[3], killed)
publishing.publish(Path(sys.argv[1]), Path(sys.argv[2]), 0)
"""


@pytest.mark.parametrize("where", ["_copied", "sync", "_switch", "_remove_old"])
def test_a_crash_leaves_a_whole_version_published(where: str, warehouse: Path, published: Path) -> None:
    """Before, in and after the switch; the next one cleans up."""
    publish(warehouse, published, 0)
    add(warehouse, "b")
    killed = subprocess.run([sys.executable, "-c", KILLED, warehouse, published, where], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert count(published) == (2 if where == "_remove_old" else 1)
    publish(warehouse, published, 0)
    assert count(published) == 2
    assert not list(publishing.versions_folder(published).glob("*.partial*"))


def test_what_a_killed_load_has_left_in_the_log_is_published(warehouse: Path, published: Path) -> None:
    """The file alone would lack it."""
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
    """A writer that holds the file is waited for, then told of."""
    script = "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script, warehouse], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(LockedError, match="locked by another process"):
            publish(warehouse, published, 0.2)
        writer.kill()
    assert publish(warehouse, published, 0).how != "unchanged"


def test_two_publishers_take_turns(warehouse: Path, published: Path) -> None:
    """Both end well, and nothing of them is left but versions."""
    script = """
import sys
from pathlib import Path
from runmart.ingest.publish import publish
for _ in range(20):
    publish(Path(sys.argv[1]), Path(sys.argv[2]), 30)
"""
    add(warehouse, "b")
    both = [subprocess.Popen([sys.executable, "-c", script, warehouse, published]) for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    assert count(published) == 2
    assert {file.suffix for file in publishing.versions_folder(published).iterdir()} == {".duckdb", ""}


def test_much_free_space_is_left_behind(warehouse: Path, published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy is written anew when a quarter of the file holds nothing; with comments, and views that work."""
    with duckdb.connect(warehouse) as connection:
        for name in ("large", "last"):
            connection.execute(
                f"create table {name} as select md5(range::varchar) as x from range(300_000); checkpoint"
            )
        connection.execute("drop table large; checkpoint")
    monkeypatch.setattr(publishing, "FREE_BYTES", 1 << 20)
    found = publish(warehouse, published, 0)
    assert found.how == "rewritten"
    assert found.bytes < warehouse.stat().st_size * 0.75
    assert query(published, "select comment is not null from duckdb_views() where view_name = 'run_facts'") == [(True,)]
    assert count(published) == 1


def test_a_disk_that_is_full_beforehand(warehouse: Path, published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version before stays, and the file system is not filled."""
    publish(warehouse, published, 0)
    add(warehouse, "b")
    free = shutil.disk_usage("/")._replace(free=1000)

    def disk_usage(_: Path) -> tuple[int, int, int]:
        return free

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    with pytest.raises(WarehouseError, match="no room"):
        publish(warehouse, published, 0)
    assert count(published) == 1
    assert len(versions(published)) == 1


def test_a_disk_that_becomes_full(warehouse: Path, published: Path) -> None:
    """The load is committed, its exit code 1 with a sentence; the version before stays, and nothing beside it."""
    publish(warehouse, published, 0)
    file = write(warehouse.with_name("b.json"), page(run("b")))
    script = """
import os, resource, sys
from runmart.cli.app import run
from runmart.ingest import publish
copied = publish._copied

def limited(*arguments):
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    copied(*arguments)

publish._cloned = lambda *_: False
publish._copied = limited
sys.exit(run(["ingest", sys.argv[1], "-w", sys.argv[2], "--publish", sys.argv[3]]))
"""
    arguments = [sys.executable, "-c", script, file, warehouse, published]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "there is no room for it" in done.stderr
    assert os.strerror(errno.EFBIG) in done.stderr
    assert count(published) == 1
    assert [file.name for file in publishing.versions_folder(published).iterdir() if "partial" in file.name] == []
    assert count(warehouse) == 2


def test_a_file_system_that_can_clone_does(tmp_path: Path) -> None:
    """XFS, in a file of its own, where that can be mounted."""
    image, folder = tmp_path / "xfs", tmp_path / "mounted"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(400 << 20)
    try:
        subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True, capture_output=True)
        subprocess.run(["mount", "-o", "loop", image, folder], check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no XFS here: {error}")
    try:
        write(folder / "1.json", page(run("a")))
        assert publish(loaded(folder), folder / "published.duckdb", 0).how == "cloned"
        assert count(folder / "published.duckdb") == 1
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("file", "not published"), ("folder", "not published"), ("link", "not published"), ("no/such", "create it first"),
     ("runs.duckdb", "the warehouse itself")],
)  # fmt: skip
def test_names_that_are_in_use_are_refused_before_anything_is_loaded(name: str, reason: str, warehouse: Path) -> None:
    """Nothing of somebody else's is replaced."""
    (warehouse.parent / "file").write_text("precious")
    (warehouse.parent / "folder").mkdir()
    (warehouse.parent / "link").symlink_to("file")
    file = write(warehouse.with_name("b.json"), page(run("b")))
    done = command("ingest", file, "-w", warehouse, "--publish", warehouse.parent / name)
    assert done.returncode == 1
    assert reason in done.stderr
    assert (warehouse.parent / "link").read_text() == "precious"
    assert count(warehouse) == 1


def test_the_settings_name_it_too(warehouse: Path, published: Path, tmp_path: Path) -> None:
    """For every command that writes; the option comes first, then the environment."""
    (tmp_path / "runmart.toml").write_text(f'publish = "{published}"\n')
    file = write(warehouse.with_name("b.json"), page(run("b"), {"id": "c", "object": "thread.run", "status": 7}))
    config = ("--config", tmp_path / "runmart.toml")
    done = command("ingest", file, "-w", warehouse, *config, "--json")
    told = json.loads(done.stdout)["published"]
    assert (done.returncode, told["path"], told["how"]) == (3, str(published), "copied")
    assert count(published) == 2
    for arguments in (["rejects", "--retry"], ["prices", "alias", "x", "gpt-4o"]):
        before = published.resolve()
        assert command(*arguments, "-w", warehouse, *config).returncode in {0, 3}
        assert published.resolve() != before, arguments
    other = tmp_path / "other.duckdb"
    environment = {"RUNMART_CONFIG": str(tmp_path / "runmart.toml"), "RUNMART_PUBLISH": str(other)}
    assert command("ingest", file, "-w", warehouse, environment=environment).returncode == 0
    assert count(other) == 2
    (tmp_path / "runmart.toml").write_text("publish = 3\n")
    done = command("ingest", file, "-w", warehouse, *config)
    assert done.returncode == 2
    assert "publish must be a path" in done.stderr


def test_a_load_that_failed_publishes_nothing(warehouse: Path, published: Path) -> None:
    """What readers see is what was there before."""
    assert command("ingest", "no-such-file", "-w", warehouse, "--publish", published).returncode == 1
    assert not published.exists()
