"""Observations of one request by several kinds of records are merged alike in any order."""

import itertools
import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runmart.ingest.load.loader as load_module
from tests.ingest.load.test_merge import File, load_files
from tests.support.warehouse import query, tables

SECONDS = st.sampled_from([1_700_000_000, 1_700_000_001, 1_700_000_002])
IDS = st.sampled_from(["one", "two"])


def _iso(seconds: int) -> str:
    return f"2023-11-14T22:13:{20 + seconds - 1_700_000_000}.5Z"


RESPONSES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "id": IDS,
        "object": st.just("response"),
        "status": st.sampled_from(["queued", "completed"]),
        "created_at": SECONDS,
    },
    optional={
        "completed_at": SECONDS,
        "output": st.sampled_from([[], [{"type": "message"}]]),
        "usage": st.sampled_from([{}, {"input_tokens": None}, {"input_tokens": 1}, {"input_tokens": 2, "cost": 0.75}]),
    },
)
MILLISECONDS = st.integers(4000, 4003)


def _object(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(members)


ENVELOPES = st.one_of(
    _object(duration_ms=MILLISECONDS, body=RESPONSES),
    _object(headers=_object(**{"openai-processing-ms": MILLISECONDS.map(str)}), body=RESPONSES),
    _object(custom_id=st.just("a"), response=_object(status_code=st.just(200), body=RESPONSES), error=st.none()),
)
COMPLETIONS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "id": IDS,
        "object": st.just("chat.completion"),
        "created": SECONDS,
        "choices": st.sampled_from([[{"finish_reason": "stop"}], [{"finish_reason": "length"}]]),
    },
    optional={"usage": st.sampled_from([{"total_tokens": 1}, {"total_tokens": 2}])},
)
LOGS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "request_id": IDS,
        "call_type": st.just("aresponses"),
        "spend": st.sampled_from([0.5, 1.5]),
        "startTime": SECONDS.map(_iso),
        "endTime": SECONDS.map(_iso),
        "status": st.sampled_from(["success", "failure"]),
    }
)
GRAPHS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "run_id": st.sampled_from(["graph_a", "graph_b"]),
        "thread_id": st.just("t"),
        "assistant_id": st.just("a"),
        "status": st.sampled_from(["pending", "running", "success", "error"]),
        "created_at": SECONDS.map(_iso),
        "updated_at": SECONDS.map(_iso),
    }
)
FILES = st.lists(
    st.builds(
        File,
        st.lists(st.one_of(RESPONSES, ENVELOPES, COMPLETIONS, LOGS, GRAPHS), min_size=1, max_size=4),
        st.sampled_from([1_800_000_000, 1_800_000_001]),
        st.just("acme"),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=12, deadline=None)
@given(FILES, st.randoms(use_true_random=False), st.sampled_from([1, 2, 1000]))
def test_any_order_of_records_of_several_kinds_gives_the_same_tables(
    files: list[File], random_: random.Random, batch: int
) -> None:
    """An answer, saved or listed, and its request in a proxy's log are one row, the same in any order and any split."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        expected = tables(load_files(folder, files, [0] * len(files)))
        again = random_.sample(files, len(files))
        patch.setattr(load_module, "BATCH_OBSERVATIONS", batch)
        assert tables(load_files(folder, again, [random_.randrange(3) for _ in again], reload=True)) == expected


def test_the_creation_time_is_the_earliest_of_all_kinds(tmp_path: Path) -> None:
    """A log between two observations of a response hides neither's."""
    response = {"id": "one", "object": "response", "status": "queued", "created_at": 1_700_000_000}
    log = {"request_id": "one", "call_type": "aresponses", "spend": 1, "startTime": _iso(1_700_000_001)}
    sent = [
        response,
        log | {"endTime": _iso(1_700_000_001), "status": "success"},
        response | {"status": "completed", "created_at": 1_700_000_002, "completed_at": 1_700_000_003},
    ]
    files = [File([one], 1_800_000_000 + place, "acme") for place, one in enumerate(sent)]
    found = query(load_files(tmp_path, files, [0, 1, 2]), "select object, epoch(created_at) from runs")
    assert found == [("response", 1_700_000_000)]


def test_what_an_envelope_says_outlives_a_fuller_response(tmp_path: Path) -> None:
    """The batch and the duration of a response are known from any of its observations, by the best clock."""
    response = {"id": "one", "object": "response", "status": "completed", "created_at": 1_700_000_000}
    sent: list[dict[str, Any]] = [
        {"custom_id": "a", "response": {"status_code": 200, "body": response}, "error": None},
        {"headers": {"openai-processing-ms": "4000"}, "status_code": 200, "body": response},
        {"duration_ms": 4100, "status_code": 200, "body": response},
        {"started_at": 1_700_000_000, "received_at": 1_700_000_005, "status_code": 200, "body": response},
        response | {"model": "gpt-4o", "completed_at": 1_700_000_004},
    ]
    files = [File([one], 1_800_000_000 + place, "acme") for place, one in enumerate(sent)]
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0]):
        (tmp_path / str(order[0])).mkdir()
        found = load_files(tmp_path / str(order[0]), [files[place] for place in order], order)
        assert query(found, "select model, is_batch, duration_seconds, latency_source from runs") == [
            ("gpt-4o", True, 4.1, "collector")
        ]


ANSWER: dict[str, Any] = {
    "id": "one",
    "object": "response",
    "status": "completed",
    "created_at": 1_700_000_000,
    "completed_at": 1_700_000_001,
    "previous_response_id": "zero",
}
LOG: dict[str, Any] = {
    "request_id": "one",
    "call_type": "aresponses",
    "spend": 0.02,
    "startTime": _iso(1_700_000_000),
    "endTime": _iso(1_700_000_002),
    "status": "success",
}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_log_adds_its_cost_to_a_response_and_takes_nothing_away(tmp_path: Path, order: tuple[int, ...]) -> None:
    """The log ends later by its own clock; its cost is kept, and the cost's row has the run's time."""
    counted = ANSWER | {"model": "gpt-4o", "created_at": 1_700_000_001, "usage": {"input_tokens": 10}}
    files = [File([one], 1_800_000_000, "acme") for one in (ANSWER, LOG, counted)]
    found = load_files(tmp_path, [files[place] for place in order], [0, 1, 2])
    assert query(
        found,
        """
        select object, model, previous_run_id, duration_seconds, prompt_tokens, reported_cost, reported_cost_currency,
            run_created_at = created_at
        from runs join usage using (run_id)""",
    ) == [("response", "gpt-4o", "zero", None, 10, 0.02, "USD", True)]


def test_a_cost_without_usage_has_a_row(tmp_path: Path) -> None:
    """A response that tells no tokens costs what the log says; a completion takes its duration, too."""
    completion = {
        "id": "two",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "choices": [{"finish_reason": "stop"}],
    }
    sent = [ANSWER, LOG, completion, LOG | {"request_id": "two", "call_type": "acompletion"}]
    files = [File([one], 1_800_000_000, "acme") for one in sent]
    found = load_files(tmp_path, files, [0, 1, 2, 3])
    text = (
        "select object, duration_seconds, prompt_tokens, reported_cost from runs join usage using (run_id) order by 1"
    )
    assert query(found, text) == [("chat.completion", 2.0, None, 0.02), ("response", None, None, 0.02)]


def test_a_kept_cost_is_no_change_of_the_answer(tmp_path: Path) -> None:
    """The same answer once more, behind a log whose cost has a row of its own, is an unchanged observation."""
    files = [File([one], 1_800_000_000 + place, "acme") for place, one in enumerate([ANSWER, LOG, ANSWER])]
    found = load_files(tmp_path, files, [0, 1, 2])
    counts = "select new_runs, updated_runs, unchanged from load_history order by load_id"
    assert query(found, counts) == [(1, 0, 0), (0, 0, 1), (0, 0, 1)]


RUN: dict[str, Any] = {
    "id": "one",
    "object": "thread.run",
    "status": "completed",
    "created_at": 1_700_000_000,
    "completed_at": 1_700_000_009,
    "usage": {"total_tokens": 1, "cost": 0.5},
}


def test_a_run_with_the_id_of_a_request_hides_nothing_of_it(tmp_path: Path) -> None:
    """No server gives both one id; an archive in which somebody did is the same in any order."""
    opened = ANSWER | {"status": "in_progress", "completed_at": None}
    sent = [{"custom_id": "a", "response": {"status_code": 200, "body": opened}, "error": None}, RUN, LOG, opened]
    files = [File([one], 1_800_000_000, "acme") for one in sent]
    expected = tables(load_files(tmp_path, files, [0] * 4))
    for order in ((0, 1, 2, 3), (1, 0, 3, 2), (3, 2, 1, 0)):
        assert tables(load_files(tmp_path, [files[place] for place in order], [0, 1, 2, 3])) == expected
