"""Failures of a batch leave the lake unchanged, and a retry gives the same lake as an undisturbed load."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from runmart.lake.distributed import commit, convert, discover, lake_storage, merge, split
from runmart.lake.distributed.job import Job
from runmart.lake.distributed.lake_storage import Storage
from runmart.lake.parquet.manifest import MANIFEST, ExportError
from tests.support.disturbed_lake import Before
from tests.support.lake import alone, lake_rows, manifest, present, rows, unreferenced_files

pytestmark = pytest.mark.slow

STAGES: dict[str, Any] = {"listed": discover, "marked": discover, "splits": split, "observed": convert, "merged": merge}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_fails_leaves_the_lake_as_it_was(
    before: Before, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """A stage that fails after some tasks leaves the lake unchanged; the same command completes the batch."""
    whole = getattr(STAGES[stage], stage)

    def fails(job: Job, rows: Iterable[Any]) -> Iterator[Any]:
        yield from islice(whole(job, rows), 1)
        raise OSError("the machine is gone")

    with monkeypatch.context() as patched:
        patched.setattr(STAGES[stage], stage, fails)
        with pytest.raises(OSError, match="the machine is gone"):
            before.load()
    assert before.is_as_it_was()
    before.completes()


def _stop_at(monkeypatch: pytest.MonkeyPatch, before: Before, number: int, *, is_written: bool) -> bool:
    """Load a batch that stops before or after it puts a certain file into the lake; False if it has no such file."""
    put, left = Storage.put, number

    def stops(self: Storage, file: Path, name: str) -> None:
        nonlocal left
        if left or is_written:
            put(self, file, name)
        elif self.path is not None:  # as when the disk is full
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.with_name(f".{target.name}.part").write_bytes(file.read_bytes()[:100])
        if not left:
            raise KeyboardInterrupt
        left -= 1

    with monkeypatch.context() as patched:
        patched.setattr(Storage, "put", stops)
        try:
            before.load()
        except KeyboardInterrupt:
            return True
    return False


@pytest.mark.parametrize("is_written", [False, True])
def test_a_crash_at_any_file_leaves_the_lake_as_it_was(
    before: Before, monkeypatch: pytest.MonkeyPatch, *, is_written: bool
) -> None:
    """After crashes at one file after another the batch can be loaded, and no unreferenced file is left."""
    for number in range(is_written, 99, 3):
        if not _stop_at(monkeypatch, before, number, is_written=is_written):
            break
        assert unreferenced_files(before.lake)
        assert before.is_as_it_was()
    else:
        pytest.fail("there is no end of files")
    assert number > 4
    assert lake_rows(before.lake) == before.undisturbed
    assert unreferenced_files(before.lake) == set()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _stop_at_manifest(monkeypatch: pytest.MonkeyPatch, before: Before) -> None:
    """Load a batch that stops when the next manifest is written and not yet renamed."""
    rename = lake_storage.rename

    def stops(aside: Path, path: Path) -> None:
        if path.name == MANIFEST:
            raise KeyboardInterrupt
        rename(aside, path)

    with monkeypatch.context() as patched:
        patched.setattr(lake_storage, "rename", stops)
        with pytest.raises(KeyboardInterrupt):
            before.load()


def test_a_crash_before_the_manifest_is_in_its_place_leaves_the_lake_as_it_was(
    before: Before, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash before the manifest is renamed leaves the lake unchanged."""
    _stop_at_manifest(monkeypatch, before)
    assert before.is_as_it_was()
    assert lake_rows(before.lake) == before.rows
    before.completes()


def test_a_crash_once_the_manifest_is_in_its_place_leaves_the_whole_batch(
    before: Before, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the manifest is renamed the batch is committed; the next batch removes the leftovers."""
    with monkeypatch.context() as patched:
        patched.setattr(commit, "_clean", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            before.load()
    assert lake_rows(before.lake) == before.undisturbed
    replaced = set(manifest(before.lake)[1].replaced)
    assert replaced <= present(before.lake).keys()
    before.completes()
    assert not replaced & present(before.lake).keys()


def test_what_cannot_be_listed_does_not_undo_a_batch(before: Before, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure to list files for clean-up does not fail a committed batch."""

    def fails(*_: object) -> list[str]:
        raise ExportError("access denied")

    monkeypatch.setattr(Storage, "names", fails)
    assert before.load().load["new_runs"] == 2
    assert lake_rows(before.lake) == before.undisturbed


def test_the_first_batch_may_fail_too(before: Before, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The leftovers of a failed first batch are recognised, and removed by the next one."""
    new = before._replace(lake=tmp_path / "new")
    assert _stop_at(monkeypatch, new, 3, is_written=False)
    _stop_at_manifest(monkeypatch, new)
    assert {path.name for path in new.lake.iterdir() if path.is_file()} == {f".{MANIFEST}.part"}
    assert new.load().load["load_id"] == 1
    alone(tmp_path / "alone.duckdb", before.second)
    assert lake_rows(new.lake) == rows(tmp_path / "alone.duckdb")
    assert unreferenced_files(new.lake) == set()


@pytest.mark.parametrize("kept", ["first", "second"])
@pytest.mark.parametrize("stage", ["observed", "merged"])
def test_a_task_that_is_done_twice_changes_nothing(
    before: Before, monkeypatch: pytest.MonkeyPatch, stage: str, kept: str
) -> None:
    """If an engine runs a task twice, one of the results is used."""
    whole: Callable[[Job, Iterable[Any]], Iterator[Any]] = getattr(STAGES[stage], stage)
    attempts = 0

    def twice(job: Job, rows: Iterable[Any]) -> Iterator[Any]:
        nonlocal attempts
        attempts += 1
        given = list(rows)
        results = [list(whole(job, iter(given))), list(whole(job, iter(given[::-1])))]
        return iter(results[kept == "second"])

    with monkeypatch.context() as patched:
        patched.setattr(STAGES[stage], stage, twice)
        outcome = before.load()
    assert attempts == 2
    assert lake_rows(before.lake) == before.undisturbed
    assert (outcome.load["new_runs"], outcome.load["updated_runs"], outcome.load["rejected"]) == (2, 4, 1)
    assert unreferenced_files(before.lake) == set()
