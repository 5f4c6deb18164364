"""Observations of one request by several kinds of records are merged alike in any order."""

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
    optional={"completed_at": SECONDS, "output": st.sampled_from([[], [{"type": "message"}]])},
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
        st.lists(st.one_of(RESPONSES, COMPLETIONS, LOGS, GRAPHS), min_size=1, max_size=4),
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
