"""Rows beside runs in a warehouse: the latest observation of each, redacted, pruned, exported, and counted."""

import json
import pickle
import random
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runmart.ingest.load.latest import merge_neighbours
from runmart.ingest.parse.blocks import Block
from runmart.ingest.pipeline import loading
from runmart.ingest.transform.convert import Converter
from runmart.ingest.warehouse.connection import open_for_writing
from runmart.ingest.warehouse.migrations import create_tables
from runmart.models.observations import Origin
from runmart.models.tables.neighbours import NEIGHBOURS, NeighbourRow, batches
from tests.support import batch_engine
from tests.support.command import command
from tests.support.lake import manifest
from tests.support.warehouse import query, write

CUT = 1_700_000_000
"""2023-11-14T22:13:20Z."""

MESSAGE = "Incorrect key: hunter2"


def webhook(number: int, at: int = CUT, status: str = "failed") -> dict[str, Any]:
    """A webhook event."""
    reference = {"id": f"resp_{number}"}
    return {"id": f"evt_{number}", "type": f"response.{status}", "created_at": at, "data": reference}


def failed(number: int, at: int | None = CUT, status_code: int = 500) -> dict[str, Any]:
    """A failed request; without an instant, a failed line of a batch."""
    body = {"error": {"code": "x", "message": MESSAGE}}
    if at is None:
        response = {"status_code": status_code, "body": body}
        return {"id": f"batch_req_{number}", "custom_id": "a", "response": response, "error": None}
    headers = {"x-request-id": f"req_{number}"}
    return {"received_at": at, "status_code": status_code, "headers": headers, "body": body}


def costs(value: float, start: int = CUT) -> dict[str, Any]:
    """A bucket of costs."""
    results = [{"object": "organization.costs.result", "amount": {"value": value, "currency": "usd"}}]
    return {"object": "bucket", "start_time": start, "end_time": start + 86_400, "results": results}


def lines(*objects: dict[str, Any]) -> bytes:
    """JSON Lines."""
    return "\n".join(map(json.dumps, objects)).encode()


ALL = lines(webhook(1), failed(1), failed(2, None), costs(1.5))
COUNTS = "select " + ", ".join(f"(select count(*) from {table.name})" for table in NEIGHBOURS)


class Seen(NamedTuple):
    """An observation of a row."""

    table: int
    key: int
    observed_at: int
    position: int
    value: int


SEEN = st.builds(Seen, st.integers(0, 2), st.integers(0, 2), st.integers(0, 2), st.integers(0, 2), st.integers(0, 3))
_VALUES = ("status_code", "run_id", "model_requests")


def _row(seen: Seen) -> NeighbourRow:
    name = _VALUES[seen.table]
    values = {name: str(seen.value) if name == "run_id" else seen.value, "details": '{"a": 1}'}
    origin = Origin("s", seen.observed_at, 1)
    return NeighbourRow(NEIGHBOURS[seen.table].name, origin, seen.position, f"key_{seen.key}", values)


def _stored(parts: list[list[Seen]]) -> list[list[tuple[Any, ...]]]:
    """The rows of the three tables after merging batches, one after another."""
    with duckdb.connect() as connection:
        create_tables(connection, has_comments=False)
        for part in parts:
            merge_neighbours(connection, {name: [rows] for name, rows in batches(list(map(_row, part))).items()})
        found = [
            f"select {table.columns[0].name}, epoch_us(observed_at), observed_position, {name} from main.{table.name}"
            for table, name in zip(NEIGHBOURS, _VALUES, strict=True)
        ]
        return [connection.execute(f"{one} order by all").fetchall() for one in found]


@settings(max_examples=40)
@given(st.lists(SEEN, min_size=1, max_size=12), st.integers(0, 2**32))
def test_the_latest_observation_is_stored_in_whatever_order(seen: list[Seen], seed: int) -> None:
    """By time and position of the observation, then by content; batches, order and repetition change nothing."""
    random_ = random.Random(seed)
    once = _stored([seen])
    mixed = random_.sample([*seen, *seen], 2 * len(seen))
    cut = random_.randint(0, len(mixed))
    assert _stored([part for part in (mixed[:cut], mixed[cut:], seen) if part]) == once
    for table in range(3):
        latest = {}
        for one in sorted((one for one in seen if one.table == table), key=lambda one: (one.observed_at, one.position)):
            latest[f"key_{one.key}"] = (one.observed_at, one.position)
        assert {key: (at, position) for key, at, position, _ in once[table]} == latest


def test_what_is_beside_runs_is_stored_and_counted(warehouse: Path, pages: Path) -> None:
    """On the screen, by --json and in `runmart.loads`; a second reading of the same changes nothing."""
    path = write(pages / "all.jsonl", ALL, CUT)
    done = command("ingest", path, "-w", warehouse)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1:] == ["2 failed requests, 1 webhook event, 1 usage or cost result"]
    assert query(warehouse, COUNTS) == [(2, 1, 1)]
    everything = [query(warehouse, f"from {table.name}") for table in NEIGHBOURS]
    again = json.loads(command("ingest", path, "-w", warehouse, "--reload", "--json").stdout)
    assert [again[table.name] for table in NEIGHBOURS] == [2, 1, 1]
    assert (again["skipped"], again["rejected"], again["inputs_without_runs"]) == ({}, 0, 0)
    assert [query(warehouse, f"from {table.name}") for table in NEIGHBOURS] == everything
    of_loads = "select request_failures, webhook_events, organization_usage from runmart.loads"
    assert query(warehouse, of_loads) == [(2, 1, 1)] * 2


def test_a_later_bucket_replaces_an_earlier_one(warehouse: Path, pages: Path) -> None:
    """Whichever is loaded first."""
    late, early = write(pages / "late", lines(costs(2.0)), CUT + 9), write(pages / "early", lines(costs(1.5)), CUT)
    for path in (late, early):
        command("ingest", path, "-w", warehouse)
    assert query(warehouse, "select amount, load_id from organization_usage") == [(2.0, 1)]


def test_positions_are_those_in_the_input(warehouse: Path) -> None:
    """Rows of a later block are behind those of the blocks before it; they can be sent to another process."""
    with open_for_writing(warehouse, 0) as writer, loading(writer, "test", "acme") as load:
        found = Converter().convert([(Block(ALL), Origin("acme", CUT * 1_000_000, load.load_id))])
        load.add(pickle.loads(pickle.dumps(found)), [("a", 10)])  # noqa: S301 - our own
    found = query(warehouse, "select observed_position from request_failures order by all")
    found += query(warehouse, "from (select observed_position from webhook_events)")
    assert found == [(11,), (12,), (10,)]


@pytest.mark.parametrize(("rule", "left"), [("drop", None), ("hash", "hash:")])
def test_messages_of_errors_are_content(rule: str, left: str | None, warehouse: Path, pages: Path) -> None:
    """They are redacted by the rule of `error_messages`, in an import as well; codes are kept."""
    write(pages / "all.jsonl", ALL, CUT)
    key = pages.parent / "key"
    key.write_text("0123456789abcdef" * 2)
    options = ("--content", f"error_messages={rule}", "--content-key-file", key)[: 2 if rule == "drop" else 4]
    assert command("ingest", pages, "-w", warehouse, *options).returncode == 0
    plain, copied = pages.parent / "plain.duckdb", pages.parent / "copied.duckdb"
    command("ingest", pages, "-w", plain)
    assert command("export", "--to", pages.parent / "out", "-w", plain).returncode == 0
    assert command("import", pages.parent / "out", "-w", copied, *options).returncode == 0
    for where in (warehouse, copied):
        found = query(where, "select code, message from request_failures")
        assert [code for code, _ in found] == ["x", "x"]
        assert all(message is None if left is None else message.startswith(left) for _, message in found)
        assert MESSAGE.encode() not in where.read_bytes()


def test_an_import_has_loads_of_its_own_and_keeps_the_later_observation(warehouse: Path, pages: Path) -> None:
    """Its rows are those of the load that imports them; what is there and later stays."""
    other = pages.parent / "other.duckdb"
    command("ingest", write(pages / "0", lines(webhook(9)), CUT), "-w", other)
    command("ingest", write(pages / "a", lines(costs(1.5), webhook(1)), CUT), "-w", other)
    command("ingest", write(pages / "b", lines(costs(2.0)), CUT + 9), "-w", warehouse)
    assert command("export", "--to", pages.parent / "out", "-w", other).returncode == 0
    done = command("import", pages.parent / "out", "-w", warehouse)
    assert done.stdout.splitlines()[1] == "2 webhook events, 1 usage or cost result"
    assert query(warehouse, "select amount, load_id from organization_usage") == [(2.0, 1)]
    assert query(warehouse, "select event_id, load_id from webhook_events order by all") == [("evt_1", 2), ("evt_9", 2)]


def _pruned(warehouse: Path, *options: str) -> None:
    done = command("prune", "-w", warehouse, "--older-than", "2023-11-14T22:13:20", "--yes", *options)
    assert done.returncode == 0, done.stderr


def test_old_rows_are_pruned_and_stay_out(warehouse: Path, pages: Path) -> None:
    """By their instant, else by that of the observation; buckets of an organisation are of no run, and stay."""
    old = lines(webhook(1, CUT - 1), failed(1, CUT - 1), failed(2, None), costs(1.5, CUT - 86_400))
    new = lines(webhook(3, CUT + 1), failed(3, CUT + 1), failed(4, None))
    write(pages / "old.jsonl", old, CUT - 1)
    write(pages / "new.jsonl", new, CUT + 1)
    command("ingest", pages, "-w", warehouse)
    _pruned(warehouse)
    left = "select failure_id from request_failures union all select event_id from webhook_events order by all"
    assert query(warehouse, left) == [("batch_req_4",), ("evt_3",), ("req_3",)]
    assert query(warehouse, "select amount from organization_usage") == [(1.5,)]
    assert query(warehouse, "select load_id from runmart.loads") == [(1,)]
    command("ingest", pages, "-w", warehouse, "--reload")
    assert query(warehouse, left) == [("batch_req_4",), ("evt_3",), ("req_3",)]


def test_old_messages_are_pruned_and_stay_out(warehouse: Path, pages: Path) -> None:
    """With --content-only the failures stay, without their texts."""
    write(pages / "all.jsonl", lines(failed(1, CUT - 1), failed(2, CUT + 1)), CUT + 1)
    command("ingest", pages, "-w", warehouse)
    for _ in range(2):
        _pruned(warehouse, "--content-only")
        found = query(warehouse, "select failure_id, code, message from request_failures order by all")
        assert found == [("req_1", "x", None), ("req_2", "x", MESSAGE)]
        command("ingest", pages, "-w", warehouse, "--reload")
    assert query(warehouse, "select message from request_failures order by all") == [(MESSAGE,), (None,)]


def test_checks_name_webhook_events_without_response_and_time_that_is_counted_twice(
    warehouse: Path, pages: Path
) -> None:
    """A response that was never stored; and buckets that overlap."""
    stored = {"id": "resp_2", "object": "response", "status": "failed", "created_at": CUT - 10}
    objects = (webhook(1), webhook(2), stored, costs(1.5), costs(1.5, CUT + 86_400), costs(2.0, CUT + 86_000))
    write(pages / "all.jsonl", lines(*objects), CUT)
    command("ingest", pages, "-w", warehouse)
    done = command("check", "-w", warehouse, "--json")
    failed_checks = {one["check"]: one["offenders"] for one in json.loads(done.stdout)["failed"]}
    assert failed_checks.keys() == {"responses_of_webhooks", "usage_buckets"}
    [webhook_offender] = failed_checks["responses_of_webhooks"]
    assert (webhook_offender["subject"], webhook_offender["value"]) == ("resp_1", "response.failed evt_1")
    assert [one["value"][:10] for one in failed_checks["usage_buckets"]] == ["2023-11-14", "2023-11-15"]
    ends = query(warehouse, "select run_id, epoch(finished_at), total_seconds from run_times")
    assert ends == [("resp_2", CUT, 10.0)]


def test_a_lake_counts_them_as_skipped(tmp_path: Path, pages: Path) -> None:
    """It has no tables for them."""
    write(pages / "all.jsonl", ALL, CUT)
    batch_engine.load(tmp_path / "lake", [pages])
    [recorded] = manifest(tmp_path / "lake")[1].loads
    assert (recorded["skipped"], recorded["observations"], recorded["rejected"]) == (4, 0, 0)
    assert [recorded[table.name] for table in NEIGHBOURS] == [0, 0, 0]
