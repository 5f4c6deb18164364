"""Rule 3 of the precedence: a thinner record takes nothing away, and what is true for a moment is not counted."""

import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runmart.ingest.load.loader as load_module
from runmart.ingest.warehouse.connection import open_for_reading, open_for_writing
from runmart.lake.parquet.export import export
from runmart.lake.parquet.restore import restore
from runmart.models.records import RunRecord, RunStepRecord
from tests.support import batch_engine as engine
from tests.support.lake import lake_rows
from tests.support.lake import rows as all_rows
from tests.support.lake import tables as of_runs
from tests.support.warehouse import assert_sound, load, page, query, run, tables, write

EARLIER, LATER = 1_727_300_000, 1_727_400_000
FULL: dict[str, Any] = run(
    "run_a",
    "failed",
    created_at=1_727_259_300,
    thread_id="thread_1",
    assistant_id="asst_1",
    required_action={"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": []}},
    last_error={"code": "rate_limit_exceeded", "message": "slow"},
    expires_at=1_727_259_900,
    started_at=1_727_259_302,
    cancelled_at=1_727_259_303,
    failed_at=1_727_259_310,
    completed_at=1_727_259_304,
    incomplete_details={"reason": "max_prompt_tokens"},
    model="gpt-4o",
    instructions="Be brief.",
    tools=[{"type": "code_interpreter"}],
    metadata={"team": "a"},
    usage={"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    temperature=0.0,
    top_p=1.0,
    max_prompt_tokens=5,
    max_completion_tokens=6,
    truncation_strategy={"type": "auto"},
    tool_choice="auto",
    response_format="auto",
    parallel_tool_calls=False,
)
"""A run in which each of the 27 fields has a value."""

STEP: dict[str, Any] = {
    "id": "step_a",
    "object": "thread.run.step",
    "status": "completed",
    "run_id": "run_a",
    "thread_id": "thread_1",
    "assistant_id": "asst_1",
    "type": "tool_calls",
    "created_at": 10,
    "expired_at": 90,
    "cancelled_at": 11,
    "failed_at": 12,
    "completed_at": 13,
    "last_error": {"code": "server_error", "message": "no"},
    "step_details": {"type": "tool_calls", "tool_calls": [{"id": "1", "type": "code_interpreter"}]},
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}
"""A step in which each field has a value."""

OF_THE_MOMENT = {"required_action", "expires_at", "expired_at"}
FIELDS = [name for name in RunRecord.__struct_fields__ if name not in {"id", "status", "agent_id"}]
STEP_FIELDS = [name for name in RunStepRecord.__struct_fields__ if name not in {"id", "status", "expires_at"}]
NOTHING: dict[str, Any] = {
    **{key: {} for key in ("metadata", "usage", "last_error", "incomplete_details", "response_format")},
    **dict.fromkeys(("instructions", "model"), ""),
    "tools": [],
    "truncation_strategy": {"type": None, "last_messages": None},
}
"""Fields that are mentioned without a value."""


def without(record: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """A projection of a record."""
    return {name: value for name, value in record.items() if name not in names}


def stored(folder: Path, *observations: dict[str, Any]) -> tuple[Path, list[tuple[Any, ...]]]:
    """A warehouse into which observations were loaded one after another, and where the stored runs and steps were."""
    warehouse = folder / f"{random.getrandbits(64)}.duckdb"
    for number, observation in enumerate(observations):
        load(warehouse, write(folder / f"{number}.json", page(observation), EARLIER + number))
    text = (
        "select epoch(observed_at)::bigint from (select observed_at from runs union all select observed_at from steps)"
    )
    return warehouse, query(warehouse, text)


def test_each_field_has_a_value_in_the_full_records() -> None:
    """The records of these tests have all fields, those of the API as well as those added later."""
    assert set(FULL) == {*FIELDS, "id", "status"}
    assert len(FULL) == 27
    assert set(STEP) == {*STEP_FIELDS, "id", "status", "object"}


@pytest.mark.parametrize("record", [FULL, STEP], ids=["run", "step"])
def test_each_field_counts_but_those_of_the_moment(tmp_path: Path, record: dict[str, Any]) -> None:
    """A later record that lacks one field is not stored, unless the field says something about a moment."""
    names = FIELDS if record is FULL else STEP_FIELDS
    kept = {name for name in names if stored(tmp_path, record, without(record, name))[1] == [(EARLIER,)]}
    assert set(names) - kept == OF_THE_MOMENT & set(names)


@pytest.mark.parametrize("record", [FULL, STEP], ids=["run", "step"])
def test_nulls_say_as_much_as_missing_fields(tmp_path: Path, record: dict[str, Any]) -> None:
    """A client that writes nulls and one that leaves them out say the same: the later is stored."""
    thin = without(record, "usage", "last_error", "thread_id")
    nulls = {**thin, "usage": None, "last_error": None, "thread_id": None}
    assert stored(tmp_path, nulls, thin)[1] == [(EARLIER + 1,)]
    assert stored(tmp_path, thin, nulls)[1] == [(EARLIER + 1,)]


@pytest.mark.parametrize("name", NOTHING)
def test_empty_values_are_none(tmp_path: Path, name: str) -> None:
    """An empty object, list or text counts as no value."""
    assert stored(tmp_path, FULL, {**FULL, name: NOTHING[name]})[1] == [(EARLIER,)]
    assert stored(tmp_path, {**FULL, name: NOTHING[name]}, without(FULL, name))[1] == [(EARLIER + 1,)]


@pytest.mark.parametrize(
    ("record", "thinner"),
    [
        (FULL, {"usage": {"total_tokens": 3}}),
        (FULL, {"usage": {"total_tokens": 0}}),
        (FULL, {"usage": {"a_count_of_their_own": 5}}),
        (FULL, {"last_error": {"code": "server_error"}}),
        (STEP, {"usage": {"total_tokens": 3}}),
        (STEP, {"last_error": {"message": "m"}}),
    ],
)
def test_a_field_with_less_in_it_is_thinner(tmp_path: Path, record: dict[str, Any], thinner: dict[str, Any]) -> None:
    """Of a field that has several columns each counts, so that one of them does not take away the others."""
    assert stored(tmp_path, record, {**record, **thinner})[1] == [(EARLIER,)]
    assert stored(tmp_path, {**record, **thinner}, record)[1] == [(EARLIER + 1,)]


def test_an_empty_object_may_contain_blanks(tmp_path: Path) -> None:
    """JSON is stored as sent, and `{ }` is as empty as `{}`."""
    warehouse = tmp_path / "w.duckdb"
    for number, text in enumerate((b'"metadata":{ }', b'"model":null', b'"response_format":[ ]')):
        data = b'{"id":"run_a","object":"thread.run","status":"completed",%b}' % text
        load(warehouse, write(tmp_path / f"{number}.json", data, EARLIER + number))
    assert query(warehouse, "select epoch(observed_at)::bigint from runs") == [(EARLIER + 2,)]


@pytest.mark.parametrize("status", ["in_progress", "queued"])
def test_a_run_goes_on_when_its_action_is_done(tmp_path: Path, status: str) -> None:
    """From `requires_action` on, no instant changes, and the later observation is stored."""
    waiting = without(FULL, "failed_at", "completed_at", "cancelled_at") | {"status": "requires_action"}
    goes_on = without(waiting, "required_action") | {"status": status}
    for order in ((waiting, goes_on), (goes_on, waiting)):
        warehouse, _ = stored(tmp_path, *order)
        assert query(warehouse, "select status from runs") == [(order[-1]["status"],)]


def test_a_projection_that_comes_later_erases_no_tokens_tools_or_errors(tmp_path: Path) -> None:
    """Records as an old client and a projection write them take nothing away, in a file, an export and a lake."""
    ended = {**without(FULL, "expires_at", "required_action", "incomplete_details"), "id": "run_f002"}
    thin = without(ended, "usage", "tools", "last_error", "metadata", "instructions", "temperature", "top_p")
    files = [
        write(tmp_path / "full.json", page(ended, STEP), EARLIER),
        write(tmp_path / "thin.json", page(thin, without(STEP, "usage", "last_error")), LATER),
    ]
    expected = tables(_loaded(tmp_path / "alone.duckdb", files[0]))
    assert [len(expected[name]) for name in ("usage", "tools", "errors")] == [1, 1, 1]
    assert tables(_loaded(tmp_path / "both.duckdb", *files)) == expected
    assert tables(_loaded(tmp_path / "back.duckdb", *reversed(files))) == expected
    exports = [_exported(_loaded(tmp_path / f"{file.stem}.duckdb", file), tmp_path / file.stem) for file in files]
    for number, order in enumerate((exports, exports[::-1])):
        warehouse = tmp_path / f"imported{number}.duckdb"
        with open_for_writing(warehouse, 0) as writer:
            for folder in order:
                restore(writer, folder)
        assert tables(warehouse) == expected
        lake = tmp_path / f"lake{number}"
        for source in order:
            engine.load(lake, [source], source="", shards=2)
        assert of_runs(lake_rows(lake)) == of_runs(all_rows(tmp_path / "alone.duckdb"))


def _loaded(warehouse: Path, *files: Path) -> Path:
    for file in files:
        load(warehouse, file)
    return warehouse


def _exported(warehouse: Path, folder: Path) -> Path:
    with open_for_reading(warehouse, 0) as connection:
        export(connection, folder)
    return folder


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["gpt-4o", "o3"]),
        "metadata": st.sampled_from([{}, {"team": "b"}]),
        "usage": st.sampled_from([None, {}, {"total_tokens": 2}]),
        "tools": st.sampled_from([[], [{"type": "mcp"}, {"type": "mcp"}]]),
        "required_action": st.none(),
        "completed_at": st.sampled_from([1_727_259_304, 1_727_259_311]),
    },
)
HISTORY = st.lists(
    st.tuples(
        st.sampled_from(["run_a", "run_b"]),
        st.sets(st.sampled_from(FIELDS)),
        CHANGES,
        st.sampled_from([EARLIER, LATER]),
    ),
    min_size=2,
    max_size=8,
)
"""Observations: of which run, which fields it lacks, which have other values, and when it was made."""


def _observations(history: Sequence[tuple[str, set[str], dict[str, Any], int]]) -> list[tuple[dict[str, Any], int]]:
    return [(without({**FULL, **changed, "id": of}, *holes), at) for of, holes, changed, at in history]


@settings(max_examples=8, deadline=None)
@given(HISTORY, st.randoms(use_true_random=False), st.sampled_from([1, 2, 1000]))
def test_histories_with_holes_have_one_end(
    history: list[tuple[str, set[str], dict[str, Any], int]], random_: random.Random, batch: int
) -> None:
    """Observations that lack fields, in any order, any split and any batches, give the same tables."""
    found = [(page(run_), at) for run_, at in _observations(history)]
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        paths = [write(Path(name) / f"{number}.json", data, at) for number, (data, at) in enumerate(found)]
        load(Path(name) / "one.duckdb", *paths)
        patch.setattr(load_module, "BATCH_OBSERVATIONS", batch)
        shuffled = random_.sample(paths, len(paths))
        size = random_.randint(1, len(paths))
        for start in range(0, len(paths), size):
            load(Path(name) / "more.duckdb", *shuffled[start : start + size])
        assert_sound(Path(name) / "more.duckdb")
        assert tables(Path(name) / "more.duckdb") == tables(Path(name) / "one.duckdb")


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.sets(st.sampled_from([*FIELDS, *FIELDS, "usage"]), min_size=1), min_size=1, max_size=4),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_projections_take_nothing_away(holes: list[set[str]], has_nulls: bool, random_: random.Random) -> None:
    """Whatever fields later records lack, all else equal, and whether null or missing: no value is lost."""
    thin = [without(FULL, *names) | (dict.fromkeys(names) if has_nulls else {}) for names in holes]
    with tempfile.TemporaryDirectory() as name:
        full = write(Path(name) / "full.json", page(FULL), EARLIER)
        later = [write(Path(name) / f"{n}.json", page(one), LATER + n) for n, one in enumerate(thin)]
        order = random_.sample([full, *later], len(later) + 1)
        for path in order:
            load(Path(name) / "w.duckdb", path)
        load(Path(name) / "full.duckdb", full)
        found, expected = tables(Path(name) / "w.duckdb"), tables(Path(name) / "full.duckdb")
    for table in ("usage", "tools", "errors"):
        assert found[table] == expected[table]
    if not any(names <= OF_THE_MOMENT for names in holes):
        assert found == expected
