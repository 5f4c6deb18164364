"""`--publish`, and `publish` in the settings: which paths are refused, what is published, output and exit codes."""

import json
from pathlib import Path

import pytest

from runmart.ingest.maintenance.publish import publish
from runmart.ingest.warehouse.file_backend import versions_folder
from runmart.ingest.warehouse.file_lock import wait_for
from tests.support.command import command
from tests.support.published import add, count, loaded, versions
from tests.support.warehouse import page, query, run, write

PRUNE = ["prune", "--older-than", "2000-01-01", "--yes"]
"""Records a prune of no run."""


@pytest.fixture(name="warehouse")
def _warehouse(tmp_path: Path) -> Path:
    """A warehouse of one run."""
    write(tmp_path / "1.json", page(run("a")))
    return loaded(tmp_path)


@pytest.fixture(name="published")
def _published(tmp_path: Path) -> Path:
    return tmp_path / "published.duckdb"


PRUNED = ["prune", "--older-than", "2030-01-01", "--yes"]


def test_a_version_is_read_only(warehouse: Path, published: Path) -> None:
    """A published version is read-only: loads into it are refused, also for root."""
    publish(warehouse, published, 0)
    assert published.resolve().stat().st_mode & 0o777 == 0o444
    done = command("ingest", warehouse.with_name("1.json"), "-w", published)
    assert done.returncode == 1
    assert "write to the warehouse itself" in done.stderr
    warehouse.with_name("link.duckdb").symlink_to(published)
    for other in (published.resolve(), warehouse.with_name("link.duckdb")):
        assert command("ingest", warehouse.with_name("1.json"), "-w", other).returncode == 1


def test_after_a_prune_no_older_version_is_left(warehouse: Path, published: Path) -> None:
    """A prune that publishes removes all older versions, which hold the pruned runs."""
    for run_id in ("b", "c"):
        add(warehouse, run_id)
        publish(warehouse, published, 0)
    done = command(*PRUNED, "-w", warehouse, "--publish", published, "--json")
    assert done.returncode == 0, done.stderr
    assert versions(published) == [Path(json.loads(done.stdout)["published"]["version"])]
    assert count(published) == 0


def test_what_was_pruned_is_gone_whoever_publishes_next(warehouse: Path, published: Path) -> None:
    """If a prune does not publish, the next publish removes all versions from before it."""
    publish(warehouse, published, 0)
    assert command(*PRUNED, "-w", warehouse).returncode == 0
    assert count(published) == 1
    add(warehouse, "b")
    version = publish(warehouse, published, 0).version
    assert versions(published) == [version]
    assert query(published, "select run_id from runs") == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [("file", "not published"), ("folder", "not published"), ("link", "not published"),
     ("link_to_published", "not published"), ("version", "not published"), ("no/such", "create it first"),
     ("runs.duckdb", "the warehouse itself")],
)  # fmt: skip
def test_names_that_are_in_use_are_refused_before_anything_is_loaded(name: str, reason: str, warehouse: Path) -> None:
    """A path that is in use for something else is refused before the load."""
    (warehouse.parent / "file").write_text("precious")
    (warehouse.parent / "folder").mkdir()
    (warehouse.parent / "link").symlink_to("file")
    version = publish(warehouse, warehouse.parent / "published", 0).version
    (warehouse.parent / "link_to_published").symlink_to("published")
    file = write(warehouse.with_name("b.json"), page(run("b")))
    path = version if name == "version" else warehouse.parent / name
    done = command("ingest", file, "-w", warehouse, "--publish", path)
    assert done.returncode == 1
    assert reason in done.stderr
    assert (warehouse.parent / "link").read_text() == "precious"
    assert (version.is_symlink(), (warehouse.parent / "link_to_published").readlink().name) == (False, "published")
    assert count(warehouse) == 1


@pytest.mark.slow
def test_the_settings_name_it_too(warehouse: Path, published: Path, tmp_path: Path) -> None:
    """The path can be set for every command that writes: option, then environment, then runmart.toml."""
    (tmp_path / "runmart.toml").write_text(f'publish = "{published}"\n')
    file = write(warehouse.with_name("b.json"), page(run("b"), {"id": "c", "object": "thread.run", "status": 7}))
    config = ("--config", tmp_path / "runmart.toml")
    done = command("ingest", file, "-w", warehouse, *config, "--json")
    printed = json.loads(done.stdout)["published"]
    assert (done.returncode, printed["path"], printed["bytes"]) == (3, str(published), published.stat().st_size)
    assert count(published) == 2
    for arguments in (["rejects", "--retry"], ["prices", "alias", "x", "gpt-4o"], PRUNE, ["prune", "--lift"]):
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
    """A failed load does not publish, and readers keep the previous version."""
    assert command("ingest", "no-such-file", "-w", warehouse, "--publish", published).returncode == 1
    assert not published.exists()


def test_a_load_that_waits_too_long_for_another_publisher_is_committed(warehouse: Path, published: Path) -> None:
    """A load that cannot get the publish lock is committed, with exit code 5; the next one publishes both."""
    publish(warehouse, published, 0)
    for run_id, code in (("b", 5), ("c", 0)):
        file = write(warehouse.with_name(f"{run_id}.json"), page(run(run_id)))
        with (versions_folder(published) / "lock").open("ab") as lock:
            if code:
                wait_for(published, lock.fileno(), 0, is_shared=False)
            done = command("ingest", file, "-w", warehouse, "--publish", published, "--lock-timeout", "0.2")
        assert done.returncode == code
        assert ("is committed, but could not be published" in done.stderr) == bool(code)
    assert count(published) == 3
