"""Batches of a lake: the same rows as one load into a warehouse, and only files that change are written."""

import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from runmart.ingest.warehouse.connection import open_for_reading
from runmart.lake.distributed.shuffle import shard_of
from runmart.queries.checks import INVARIANTS, offenders
from tests.support import batch_engine as engine
from tests.support.lake import (
    alone,
    counts,
    lake_rows,
    manifest,
    named,
    opened,
    present,
    rows,
    tables,
    unreferenced_files,
)
from tests.support.warehouse import page, query, run, write

NOVEMBER, DECEMBER = 1_700_000_000, 1_703_000_000
"""Of 2023; when runs were created."""
BEFORE, AFTER = 1_800_000_000, 1_800_000_001
"""When they were observed."""

IDS = st.sampled_from(["run_a", "run_b", "run_c", "run_d"])
CREATED = st.sampled_from([None, NOVEMBER, DECEMBER])
STATUSES = st.sampled_from(["queued", "odd", "completed", "failed"])
RUNS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"id": IDS, "status": STATUSES, "created_at": CREATED},
    optional={
        "completed_at": CREATED,
        "model": st.sampled_from(["gpt-4o", "o3"]),
        "metadata": st.sampled_from([{"a": "1"}, {"a": "2"}]),
        "usage": st.sampled_from([None, {"total_tokens": 1}, {"total_tokens": 2}]),
        "tools": st.sampled_from([[], [{"type": "file_search"}], [{"type": "mcp"}, {"type": "mcp"}]]),
        "last_error": st.sampled_from([None, {"code": "x"}, {"code": "x", "message": "y"}]),
        "unheard_of": st.sampled_from([1, 2]),
    },
)
STEPS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["step_a", "step_b"]),
        "object": st.just("thread.run.step"),
        "status": st.sampled_from(["in_progress", "completed"]),
        "run_id": IDS,
        "created_at": CREATED,
    }
)
RESPONSES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["resp_a", "resp_b"]),
        "object": st.just("response"),
        "status": st.sampled_from(["queued", "completed"]),
        "created_at": CREATED,
    },
    optional={
        "usage": st.sampled_from([None, {"total_tokens": 1}]),
        "tools": st.sampled_from([[], [{"type": "web_search"}]]),
        "output": st.sampled_from([[], [{"type": "message"}], [{"type": "reasoning"}, {"type": "function_call"}]]),
    },
)
DAMAGED = st.sampled_from([{"id": "run_a", "status": "completed", "created_at": "soon"}, {"id": 7, "status": "queued"}])


class File(NamedTuple):
    """One input: its contents, its time, its label."""

    items: Sequence[dict[str, Any]]
    modified_at: int
    source: str


FILES = st.lists(
    st.builds(
        File,
        st.lists(st.one_of(RUNS, RUNS, RUNS, RESPONSES, STEPS, DAMAGED), min_size=1, max_size=5),
        st.sampled_from([BEFORE, AFTER]),
        st.sampled_from(["acme", "a/b ü"]),
    ),
    min_size=2,
    max_size=8,
)


@settings(max_examples=3, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow])
@given(FILES, st.randoms(use_true_random=False), st.integers(1, 3))
def test_any_order_any_split_any_spread_gives_what_one_load_gives(
    files: list[File], random_: random.Random, shards: int
) -> None:
    """Any order, batches, tasks, shards and repetitions of the same inputs give the same tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [
            write(folder / f"{number}.json", page(*file.items), file.modified_at) for number, file in enumerate(files)
        ]
        for source in {file.source for file in files}:
            of_source = [path for path, file in zip(paths, files, strict=True) if file.source == source]
            alone(folder / "alone.duckdb", *of_source, source=source)
        again = random_.sample(range(len(files)), len(files)) + random_.sample(range(len(files)), len(files) // 2)
        batches: dict[tuple[int, str], list[Path]] = {}
        for number in again:
            batches.setdefault((random_.randrange(2), files[number].source), []).append(paths[number])
        for (_, source), some in random_.sample(list(batches.items()), len(batches)):
            seed, tasks = random_.randrange(1000), random_.randint(1, 4)
            engine.load(folder / "lake", some, seed, tasks, source=source, shards=shards, reload=True)
        found, expected = lake_rows(folder / "lake"), rows(folder / "alone.duckdb")
        assert tables(found) == tables(expected)
        assert found["runmart.inputs"] == expected["runmart.inputs"]
        assert set(found["runmart.rejects"]) == set(expected["runmart.rejects"])
        assert unreferenced_files(folder / "lake") == set()


MOVES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "to a later month": [("acme", {"created_at": NOVEMBER, "status": "queued"}), ("acme", {"created_at": DECEMBER})],
    "from no month": [("acme", {"status": "in_progress"}), ("acme", {"created_at": NOVEMBER})],
    "to no month": [("acme", {"created_at": NOVEMBER}), ("acme", {"completed_at": DECEMBER})],
    "to another source": [("acme", {"created_at": NOVEMBER}), ("bolt", {"created_at": NOVEMBER})],
    "to both": [("bolt", {"created_at": NOVEMBER, "status": "queued"}), ("acme", {"created_at": DECEMBER})],
    "there and back": [(source, {"created_at": NOVEMBER, "model": source}) for source in ("acme", "bolt", "acme")],
    "nowhere": [("bolt", {"created_at": NOVEMBER, "status": "queued"}), ("bolt", {"created_at": NOVEMBER})],
}
"""Of each run, its observations: one batch after another."""
LOSES: list[dict[str, Any]] = [
    {"usage": {"total_tokens": 1}, "tools": [{"type": "mcp"}]},
    {"model": "o3", "top_p": 1.0},
]
"""The same of one that is alone in its month, and has nothing below it in the end."""


def test_a_run_that_changes_its_month_or_source_is_in_one_place(tmp_path: Path) -> None:
    """A run that changes its month or source leaves its old partition, with all child rows."""
    lake, warehouse = tmp_path / "lake", tmp_path / "alone.duckdb"
    for number in range(3):
        for source in ("acme", "bolt"):
            runs = [
                run(name, usage={"total_tokens": number}, tools=[{"type": "mcp"}] * (number + 1), **moves[number][1])
                for name, moves in MOVES.items()
                if len(moves) > number and moves[number][0] == source
            ]
            if source == "acme" and number < len(LOSES):
                runs.append(run("loses", created_at=NOVEMBER // 2, **LOSES[number]))
            path = write(tmp_path / f"{number}-{source}.json", page(*runs), BEFORE + number)
            engine.load(lake, [path], source=source, shards=1)
            alone(warehouse, path, source=source)
    view_file = opened(lake)
    assert rows(view_file) == rows(warehouse)
    ends = "select run_id, source, total_tokens, tool_count from runs join usage using (run_id) order by run_id"
    assert query(view_file, ends) == sorted(
        (name, moves[-1][0], len(moves) - 1, len(moves)) for name, moves in MOVES.items()
    )
    with open_for_reading(view_file, 0) as connection:
        assert [found for check in INVARIANTS for found in offenders(connection, check)] == []


def test_an_earlier_creation_time_moves_a_response(tmp_path: Path) -> None:
    """An observation that is not stored, but has an earlier `created_at`, moves the response to its month."""
    lake, warehouse = tmp_path / "lake", tmp_path / "alone.duckdb"
    of_both: dict[str, Any] = {"object": "response", "usage": {"total_tokens": 1}, "tools": [{"type": "web_search"}]}
    for number, (status, created_at) in enumerate((("completed", DECEMBER), ("queued", NOVEMBER))):
        sent = page(run("resp_a", status, created_at=created_at, **of_both))
        path = write(tmp_path / f"{number}.json", sent, BEFORE - number)
        engine.load(lake, [path], shards=1)
        alone(warehouse, path)
    view_file = opened(lake)
    assert rows(view_file) == rows(warehouse)
    ends = "select status, epoch(created_at), epoch(run_created_at) from runs join usage using (run_id)"
    assert query(view_file, ends) == [("completed", NOVEMBER, NOVEMBER)]


def test_a_later_batch_rewrites_only_what_it_touches(tmp_path: Path) -> None:
    """Files of other months and shards stay as they are; replaced files are kept for one batch."""
    lake = tmp_path / "lake"
    runs = [run(f"run_{n}", created_at=(NOVEMBER, DECEMBER)[n % 2], usage={"total_tokens": n}) for n in range(40)]
    engine.load(lake, [write(tmp_path / "1.json", page(*runs), BEFORE)], shards=3)
    before = present(lake)
    assert before.keys() == named(lake).keys()
    changed = write(tmp_path / "2.json", page(run("run_4", created_at=NOVEMBER, model="o3"), runs[6]), AFTER)
    outcome = engine.load(lake, [changed], shards=3)
    after = present(lake)
    shard = shard_of("run_4", 3), shard_of("run_6", 3)
    allowed = {f"{table}/source=default/month=2023-11/{number:05d}" for table in ("runs", "usage") for number in shard}
    allowed.add(f"inputs/{shard_of(str(changed), 3):05d}")
    assert {path: after[path] for path in before} == before
    gone = before.keys() - named(lake).keys()
    assert gone == set(manifest(lake)[1].replaced)
    assert {path.partition("-0")[0] for path in gone} <= allowed
    new = after.keys() - before.keys()
    assert {path.rpartition("-")[0].rpartition("-")[0] for path in new} == allowed
    assert (outcome.files_written, outcome.files_replaced) == (len(new), len(gone))
    assert outcome.bytes_written == sum((lake / path).stat().st_size for path in new)
    engine.load(lake, [write(tmp_path / "3.json", page(run("run_1", created_at=DECEMBER)), AFTER)], shards=3)
    assert not gone & present(lake).keys()
    assert unreferenced_files(lake) == set()


@pytest.mark.parametrize("reload", [False, True])
def test_a_batch_that_is_repeated_writes_nothing(tmp_path: Path, *, reload: bool) -> None:
    """A repeated batch changes no file; its load counts all as known or, with `reload`, as unchanged."""
    lake, bad = tmp_path / "lake", {"id": "bad", "status": "completed", "created_at": "soon"}
    path = write(tmp_path / "1.json", page(run("a", created_at=NOVEMBER), run("b"), bad), BEFORE)
    engine.load(lake, [path], shards=2)
    before, found = present(lake), lake_rows(lake)
    outcome = engine.load(lake, [path], shards=2, reload=reload)
    assert (outcome.files_written, outcome.files_replaced, outcome.bytes_written) == (0, 0, 0)
    assert present(lake) == before
    assert lake_rows(lake) == found
    printed = counts(outcome.load)
    assert (printed["inputs"], printed["inputs_unchanged"]) == ((1, 0) if reload else (0, 1))
    assert (printed["new_runs"], printed["unchanged"], printed["rejected"]) == ((0, 2, 1) if reload else (0, 0, 0))


def test_loads_tell_what_batches_did(tmp_path: Path) -> None:
    """The load of a batch has the counts that a load of the same inputs into a warehouse has."""
    lake, warehouse = tmp_path / "lake", tmp_path / "alone.duckdb"
    step = {"id": "step_1", "object": "thread.run.step", "status": "completed", "run_id": "run_1"}
    message = {"id": "msg_1", "object": "thread.message"}
    bad = {"id": "bad", "status": "completed", "created_at": "soon"}
    first = [
        write(tmp_path / "1.json", page(*(run(f"run_{n}", "queued") for n in range(9)), step, message, bad), BEFORE),
        write(tmp_path / "2.jsonl", b"\n".join(json.dumps(run(f"line_{n}")).encode() for n in range(5)), BEFORE),
        write(tmp_path / "empty.json", b"", BEFORE),
    ]
    second = [
        write(tmp_path / "3.json", page(run("run_1"), run("run_2"), run("run_3", "queued"), run("new")), AFTER),
        *first[:2],
    ]
    outcomes = [engine.load(lake, some, shards=3, source="acme") for some in (first, second)]
    loads = [alone(warehouse, *some, source="acme") for some in (first, second)]
    assert [counts(outcome.load) for outcome in outcomes] == [counts(load) for load in loads]
    printed = counts(outcomes[1].load)
    assert (printed["new_runs"], printed["updated_runs"], printed["unchanged"], printed["inputs_unchanged"]) == (
        1,
        2,
        1,
        2,
    )
    assert [outcome.load["state"] for outcome in outcomes] == ["done with rejects", "done"]
    view_file = opened(lake)
    columns = "load_id, command, source, epoch_us(started_at), epoch_us(finished_at), new_runs, steps, rejected"
    names = ("load_id", "command", "source", "started_at", "finished_at", "new_runs", "steps", "rejected")
    expected = [tuple(outcome.load[name] for name in names) for outcome in outcomes]
    assert query(view_file, f"select {columns} from runmart.loads order by load_id") == expected
    assert [row[:3] for row in expected] == [(1, "lake load", "acme"), (2, "lake load", "acme")]
    assert all(row[3] <= row[4] for row in expected)
    ids = query(view_file, "select reject_id, load_id from runmart.rejects")
    assert len({number for number, _ in ids}) == len(ids) == 2
    assert tables(rows(view_file)) == tables(rows(warehouse))
