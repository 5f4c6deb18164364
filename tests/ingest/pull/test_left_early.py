"""Pulls that end at an awkward moment: nothing is lost without a word."""

import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest

from runmart.ingest.errors import WarehouseError
from runmart.ingest.pull.schedule import Schedule
from runmart.ingest.warehouse.connection import open_for_reading
from runmart.ingest.warehouse.writer import Writer
from runmart.queries import install
from tests.support.pull import TestServer, assert_equals_truth, pulled
from tests.support.warehouse import query


@pytest.mark.slow
def test_a_deadline_while_the_warehouse_is_read(
    server: TestServer, warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found until then is stored once the warehouse is free: a process opens it in one way at a time."""
    server.world(threads=4, runs=60)
    pulled(server, warehouse)
    server.steer("advance", steps=40)
    load_runs, calls = Schedule.load_runs, count()

    def slowly(schedule: Schedule, ids: Sequence[str]) -> None:
        next(calls)
        with open_for_reading(warehouse, 5):
            time.sleep(3)
        load_runs(schedule, ids)

    monkeypatch.setattr(Schedule, "load_runs", slowly)
    outcome = pulled(server, warehouse, deadline_seconds=2)
    assert next(calls) > 0
    assert outcome.deadline_reached
    monkeypatch.undo()
    assert pulled(server, warehouse).is_complete
    assert_equals_truth(server, warehouse, tmp_path)


def test_a_write_that_fails_hides_no_threads(server: TestServer, warehouse: Path) -> None:
    """Threads that were listed and could not be stored are listed again, also where the list comes oldest first."""
    server.world(threads=150, runs=0, after="later", lying_has_more=1.0)
    assert pulled(server, warehouse).is_complete
    for number in range(150, 300):
        server.steer("run", thread_id=f"thread_{number:06}", status="completed")
    calls = count()

    def fail_once(writer: Writer) -> None:
        if next(calls) == 0:
            raise WarehouseError("the disk is full")
        install(writer)

    with pytest.raises(WarehouseError, match="the disk is full"):
        pulled(server, warehouse, prepare=fail_once)
    assert pulled(server, warehouse).is_complete
    assert query(warehouse, "select count(*) from runs") == [(150,)]
