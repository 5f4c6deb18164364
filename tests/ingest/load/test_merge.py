"""The merge rule for runs and steps: any order, split or repetition of inputs gives the same tables."""

import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import runmart.ingest.load.loader as load_module
from runmart.models.statuses import LIFECYCLE_INSTANTS, TERMINAL_STATUSES
from runmart.models.tables.runs import RUNS
from runmart.models.tables.usage import USAGE
from tests.support.command import command
from tests.support.warehouse import assert_sound, load, page, query, run, tables, write

FEW_IDS = ["run_a", "run_b", "run_c"]
STATUSES = ["queued", "in_progress", "odd", "completed", "failed"]
INSTANTS = st.sampled_from([None, 1_700_000_000, 1_700_000_001, 1_700_000_002])
CONTENTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "id": st.sampled_from(FEW_IDS),
        "status": st.sampled_from(["queued", "in_progress", "odd", "completed", "failed"]),
    },
    optional={
        **dict.fromkeys(LIFECYCLE_INSTANTS, INSTANTS),
        "metadata": st.sampled_from([{"a": "1"}, {"a": "2"}]),
        "usage": st.sampled_from([None, {"total_tokens": 1}, {"total_tokens": 2}]),
        "tools": st.sampled_from([[], [{"type": "file_search"}], [{"type": "mcp"}, {"type": "mcp"}]]),
        "last_error": st.sampled_from([None, {"code": "x"}, {"code": "x", "message": "y"}]),
        "unheard_of": st.sampled_from([1, 2]),
    },
)


RESPONSES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["resp_a", "resp_b"]),
        "object": st.just("response"),
        "status": st.sampled_from(["queued", "in_progress", "completed", "incomplete"]),
    },
    optional={
        "created_at": INSTANTS,
        "completed_at": INSTANTS,
        "metadata": st.sampled_from([{"a": "1"}, {"a": "2"}]),
        "usage": st.sampled_from([None, {"total_tokens": 1}, {"total_tokens": 2}]),
        "tools": st.sampled_from([[], [{"type": "web_search"}], [{"type": "function", "name": "f"}]]),
        "output": st.sampled_from([[], [{"type": "message"}], [{"type": "reasoning"}, {"type": "function_call"}]]),
        "unheard_of": st.sampled_from([1, 2]),
    },
)


class File(NamedTuple):
    """One input: its runs, its time, its label."""

    runs: Sequence[dict[str, Any]]
    modified_at: int
    source: str


FILES = st.lists(
    st.builds(
        File,
        st.lists(st.one_of(CONTENTS, RESPONSES), min_size=1, max_size=4),
        st.sampled_from([1_800_000_000, 1_800_000_001]),
        st.sampled_from(["acme", "bolt"]),
    ),
    min_size=1,
    max_size=6,
)


def load_files(folder: Path, files: Sequence[File], groups: Sequence[int], *, reload: bool = False) -> Path:
    """Load `files`, those of one group in one load, into a new warehouse."""
    warehouse = folder / f"{random.getrandbits(64)}.duckdb"
    for group in sorted(set(groups)):
        for source in ("acme", "bolt"):
            paths = [
                write(folder / f"{number}.json", page(*file.runs), file.modified_at)
                for number, file in enumerate(files)
                if groups[number] == group and file.source == source
            ]
            if paths:
                load(warehouse, *paths, source=source, reload=reload)
    assert_sound(warehouse)
    return warehouse


@settings(max_examples=12, deadline=None)
@given(FILES, st.randoms(use_true_random=False), st.sampled_from([1, 2, 1000]))
def test_any_order_any_split_any_number_of_times_gives_the_same_tables(
    files: list[File], random_: random.Random, batch: int
) -> None:
    """The same inputs in any order, in any split, any number of times, give the same tables."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        expected = tables(load_files(folder, files, [0] * len(files)))
        shuffled = random_.sample(files, len(files))
        again = [*shuffled, *random_.sample(files, random_.randint(0, len(files)))]
        groups = [random_.randrange(3) for _ in again]
        patch.setattr(load_module, "BATCH_OBSERVATIONS", batch)
        assert tables(load_files(folder, again, groups, reload=True)) == expected


_RUNS = {column.name: place for place, column in enumerate(RUNS.columns)}
_USAGE = {column.name: place for place, column in enumerate(USAGE.columns)}


def _total_tokens(content: dict[str, Any]) -> int | None:
    usage: dict[str, int] = content.get("usage") or {}
    return usage.get("total_tokens")


def precedence(file: File, position: int, content: dict[str, Any]) -> tuple[Any, ...]:
    """The sort key of rules 1 to 5 of the merge precedence."""
    left_out = {"created_at"} if content.get("object") == "response" else set[str]()
    told = {name: value for name, value in content.items() if name not in left_out}
    instants = [value for name in LIFECYCLE_INSTANTS if (value := told.get(name)) is not None]
    left_out = {"unheard_of", "output"}
    fields = [value for name, value in told.items() if value not in (None, []) and name not in left_out]
    values = len(fields) + max(len(content.get("last_error") or {}) - 1, 0)  # code and message count by themselves
    return (content["status"] in TERMINAL_STATUSES, max(instants, default=0), values, file.modified_at, position)


RUN = {"id": "run_a", "status": "queued"}
ERROR_BEFORE_USAGE = [
    File([{**RUN, "last_error": {"code": "x", "message": "y"}}], 1_800_000_000, "acme"),
    File([{**RUN, "usage": {"total_tokens": 1}}], 1_800_000_001, "acme"),
]


@settings(max_examples=12, deadline=None)
@given(FILES)
@example(ERROR_BEFORE_USAGE)
def test_the_stored_observation_is_the_one_that_the_contract_names(files: list[File]) -> None:
    """Terminal before open; then later instant, more values, later observation, later position; then content."""
    seen: dict[str, list[tuple[tuple[Any, ...], str, dict[str, Any]]]] = {}
    for file in files:
        for position, content in enumerate(file.runs):
            rank = precedence(file, position, content)
            seen.setdefault(content["id"], []).append((rank, file.source, content))
    with tempfile.TemporaryDirectory() as name:
        rows = tables(load_files(Path(name), files, [0] * len(files)))
    totals = {row[0]: row[_USAGE["total_tokens"]] for row in rows["usage"]}
    assert sorted(row[0] for row in rows["runs"]) == sorted(seen)
    for row in rows["runs"]:
        best = max(rank for rank, _, _ in seen[row[0]])
        candidates = [
            (source, content["status"], _total_tokens(content))
            for rank, source, content in seen[row[0]]
            if rank == best
        ]
        assert (row[1], row[_RUNS["status"]], totals.get(row[0])) in candidates


EARLY_AND_LATE = [
    File([{"id": "resp_a", "object": "response", "status": status, "created_at": at}], seconds, "acme")
    for status, at, seconds in (
        ("queued", 1_700_000_001, 1_800_000_000),
        ("completed", 1_700_000_002, 1_800_000_000),
        ("in_progress", 1_700_000_000, 1_800_000_001),
    )
]


@settings(max_examples=12, deadline=None)
@given(FILES, st.randoms(use_true_random=False))
@example(EARLY_AND_LATE, random.Random(1))
def test_the_creation_time_of_a_response_is_the_earliest(files: list[File], random_: random.Random) -> None:
    """Whichever observation is stored, `created_at` is the earliest of all, in the child rows as well."""
    times: dict[str, set[int]] = {}
    for file in files:
        for content in file.runs:
            if content["id"].startswith("resp_"):
                found = times.setdefault(content["id"], set())
                if created_at := content.get("created_at"):
                    found.add(created_at)
    with tempfile.TemporaryDirectory() as name:
        warehouse = load_files(Path(name), files, [random_.randrange(3) for _ in files])
        stored = dict(query(warehouse, "select run_id, epoch(created_at) from runs where object = 'response'"))
        children = query(
            warehouse,
            """
            select count(*) from (
                select run_id, run_created_at from usage union all select run_id, run_created_at from tools
            ) as child join runs using (run_id) where run_created_at is distinct from created_at""",
        )
    assert stored == {run_id: min(found, default=None) for run_id, found in times.items()}
    assert children == [(0,)]


def test_an_edit_after_the_end_is_stored_with_its_children(tmp_path: Path) -> None:
    """A newer terminal observation replaces a terminal run together with its child rows."""
    warehouse = tmp_path / "w.duckdb"
    first = run("a", metadata={"v": "1"}, tools=[{"type": "mcp"}, {"type": "file_search"}], usage={"total_tokens": 1})
    load(warehouse, write(tmp_path / "1.json", page(first), 1_800_000_000))
    second = run("a", metadata={"v": "2"}, tools=[{"type": "code_interpreter"}], temperature=1.0)
    done = load(warehouse, write(tmp_path / "2.json", page(second), 1_800_000_001))
    assert (done.totals.new_runs, done.totals.updated_runs, done.totals.unchanged) == (0, 1, 0)
    found = tables(warehouse)
    assert [row[_RUNS["metadata"]] for row in found["runs"]] == ['{"v":"2"}']
    assert [(row[1], row[2]) for row in found["tools"]] == [(0, "code_interpreter")]
    assert found["usage"] == []


def test_an_older_or_open_observation_changes_nothing(tmp_path: Path) -> None:
    """A stored terminal run is not changed by an older or an open observation."""
    warehouse = tmp_path / "w.duckdb"
    load(warehouse, write(tmp_path / "1.json", page(run("a", "failed", failed_at=5)), 1_800_000_000))
    before = tables(warehouse)
    done = load(warehouse, write(tmp_path / "2.json", page(run("a", "queued", created_at=9)), 1_900_000_000))
    assert (done.totals.new_runs, done.totals.updated_runs, done.totals.unchanged) == (0, 0, 1)
    assert tables(warehouse) == before


def test_seeing_the_same_again_later_is_unchanged_but_dated(tmp_path: Path) -> None:
    """A later observation without a difference counts as unchanged, and updates `observed_at`."""
    warehouse = tmp_path / "w.duckdb"
    load(warehouse, write(tmp_path / "1.json", page(run("a", "queued")), 1_800_000_000))
    done = load(warehouse, write(tmp_path / "2.json", page(run("b"), run("a", "queued")), 1_800_000_007))
    assert (done.totals.new_runs, done.totals.updated_runs, done.totals.unchanged) == (1, 0, 1)
    seen = {row[0]: row[-2:] for row in tables(warehouse)["runs"]}
    assert seen["a"] == (1_800_000_007_000_000, 1)


def test_the_counts_of_a_load_add_up(tmp_path: Path) -> None:
    """Over all batches, observations = new + updated + unchanged."""
    warehouse = tmp_path / "w.duckdb"
    runs = [run(f"r{number % 7}", status) for number, status in enumerate(["queued", "in_progress", "completed"] * 9)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load_module, "BATCH_OBSERVATIONS", 4)
        paths = [write(tmp_path / f"{n}.json", page(*runs[n : n + 3])) for n in range(0, len(runs), 3)]
        totals = load(warehouse, *paths).totals
    assert totals.observations == len(runs) == totals.new_runs + totals.updated_runs + totals.unchanged
    assert totals.new_runs == 7
    stored = tables(warehouse)["runs"]
    assert len(stored) == 7


TIED: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"id": st.just("run_a"), "status": st.just("completed"), "completed_at": st.just(1_700_000_000)},
    optional={
        "metadata": st.sampled_from([{"a": "1"}, {"a": "2"}]),
        "usage": st.sampled_from([{"total_tokens": 1}, {"total_tokens": 2}]),
        "tools": st.sampled_from([[{"type": "file_search"}], [{"type": "mcp"}]]),
        "last_error": st.sampled_from([{"code": "x"}, {"code": "x", "message": "y"}]),
        "unheard_of": st.sampled_from([1, 2]),
    },
)
TIED_FILES = st.lists(
    st.builds(File, st.lists(TIED, min_size=1, max_size=1), st.just(1_800_000_000), st.sampled_from(["acme", "bolt"])),
    min_size=2,
    max_size=4,
)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(TIED_FILES, st.randoms(use_true_random=False))
def test_where_all_else_is_equal_the_content_decides(files: list[File], random_: random.Random) -> None:
    """The last tie-break is the larger content hash, so that files of the same second can be loaded in any order."""
    with tempfile.TemporaryDirectory() as name:
        expected = tables(load_files(Path(name), files, [0] * len(files)))
        shuffled = random_.sample(files, len(files))
        assert tables(load_files(Path(name), shuffled, list(range(len(files))))) == expected


def step(step_id: str, status: str = "completed", **fields: Any) -> dict[str, Any]:
    """A step."""
    return {"id": step_id, "object": "thread.run.step", "run_id": "run_1", "status": status, "created_at": 10, **fields}


def test_steps_are_loaded_in_any_order_with_the_same_end(pages: Path, tmp_path: Path) -> None:
    """Steps have the same merge precedence as runs; a second load changes nothing."""
    random_ = random.Random(1)
    files: list[Path] = []
    for number in range(60):
        name = f"step_{random_.randrange(12)}"
        ended = random_.random() < 0.5
        one = step(
            name, "completed" if ended else "in_progress", completed_at=random_.choice((11, 12)) if ended else None
        )
        data = page(one, run("run_1"), step(name, "in_progress"))
        files.append(write(pages / f"{number:02}.json", data, 1_700_000_000 + random_.randrange(5)))
    found: list[object] = []
    for order in range(3):
        random.Random(order).shuffle(files)
        warehouse = tmp_path / f"{order}.duckdb"
        for start in range(0, 60, 7):
            load(warehouse, *files[start : start + 7])
        again = load(warehouse, *files, reload=True)
        assert again.totals.steps == 120
        found.append(query(warehouse, "select cast(columns(* exclude (load_id)) as varchar) from steps order by all"))
    assert found[0] == found[1] == found[2]
    assert len({name for name, *_ in found[0]}) == len(found[0]) <= 12  # type: ignore[arg-type]


def test_steps_do_not_count_as_skipped_nor_as_runs(pages: Path, warehouse: Path) -> None:
    """Steps have a count of their own, and a step that cannot be decoded is a reject."""
    write(pages / "1.json", page(step("step_1"), step("step_2", created_at="soon"), run("run_1")))
    done = command("ingest", pages, "-w", warehouse, "--json")
    printed = json.loads(done.stdout)
    assert (done.returncode, printed["steps"], printed["new_runs"], printed["rejected"], printed["skipped"]) == (
        3,
        1,
        1,
        1,
        {},
    )
    assert query(warehouse, "select steps, skipped from runmart.loads") == [(1, 0)]
    assert query(warehouse, "select json_path, position from runmart.rejects") == [("$.data[1].created_at", 1)]
