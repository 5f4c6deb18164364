"""The transaction of a load: merged observations and their bookkeeping are committed together, or not at all."""

from pathlib import Path

import pytest

from runmart.ingest.load.loader import Load
from runmart.ingest.parse.blocks import Block
from runmart.ingest.transform.convert import Converted, Converter
from runmart.ingest.warehouse.connection import open_for_writing
from runmart.models.observations import Origin
from runmart.models.tables.bookkeeping import THREADS
from tests.support.warehouse import page, query, run


def converted(load: Load, *names: str) -> Converted:
    """The rows of a page of runs."""
    block = Block(page(*(run(name) for name in names)))
    return Converter().convert([(block, Origin("default", 0, load.load_id))], load.admission)


def test_a_commit_that_fails_stores_nothing(warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a batch cannot be written, the observations that were merged before in its transaction are rolled back."""
    monkeypatch.setattr("runmart.ingest.load.loader.MERGE_OBSERVATIONS", 2)
    with open_for_writing(warehouse, 1) as writer:
        load = Load(writer, "ingest", "default")
        load.add(converted(load, "a", "b"), [("page", 0)])  # merged, not committed
        assert load.totals.new_runs == 2
        load.add(converted(load, "c"), [("page", 2)])
        load.replace_rows(THREADS, [("too", "few")], ("source", "thread_id"))
        with pytest.raises(ValueError, match="zip"):
            load.commit("done")
        assert load.totals.new_runs == 2
        load.abandon("failed")
    assert query(warehouse, "select run_id from runs") == []
    assert query(warehouse, "select load_id from runmart.loads") == []


def test_a_failed_load_keeps_its_committed_batches(warehouse: Path) -> None:
    """After a failure, committed batches stay, others are rolled back, and the record of the load has its state."""
    with open_for_writing(warehouse, 1) as writer:
        load = Load(writer, "ingest", "default")
        load.add(converted(load, "a"), [("page", 0)])
        load.commit()
        load.add(converted(load, "b"), [("page", 1)])
        load.abandon("failed")
    assert query(warehouse, "select run_id from runs") == [("a",)]
    assert query(warehouse, "select state, new_runs, finished_at is not null from runmart.loads") == [
        ("failed", 1, True)
    ]
