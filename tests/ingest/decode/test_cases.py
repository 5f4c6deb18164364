"""Whole inputs of other servers, clients and programs, each with its right tables."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.outcome import Apart
from tests.support.paths import FORMS
from tests.support.payloads import Seen, decode

COUNTS = ("prompt_tokens", "cached_prompt_tokens", "completion_tokens", "reasoning_tokens", "total_tokens")
USUAL = (1000, 400, 100, None, 1100)
AT = datetime(2024, 9, 25, 10, 15, tzinfo=UTC)
LATER = datetime(2024, 9, 25, 10, 25, tzinfo=UTC)


def _decoded(name: str) -> Seen:
    data = (FORMS / name).read_bytes()
    seen, apart = decode(data), decode(data, decoder=Apart())
    assert (seen.rows, seen.rejects) == (apart.rows, apart.rejects)
    return seen


@pytest.mark.parametrize(
    ("name", "usage", "errors"),
    [
        (
            "cached_other_names.json",
            dict.fromkeys(("run_a", "run_b", "run_c"), (1000000, 900000, 0, None, 1000000)),
            {},
        ),
        ("camel_case.json", {"run_f001": USUAL}, {"run_f002": ("rate_limit_exceeded", "slow")}),
        ("flattened_columns.json", {"run_f001": USUAL}, {"run_f002": ("rate_limit_exceeded", "slow")}),
        ("usage_floats.json", {"run_f001": (1000, None, 100, None, 1100)}, {}),
        ("usage_texts.json", {"run_f001": (1000, None, 100, None, 1100)}, {}),
        ("metadata_text.json", {"run_f001": USUAL}, {}),
        ("mongo.jsonl", {"run_f001": USUAL}, {"run_f002": ("server_error", "x")}),
        ("microsoft_dates.json", {"run_f001": USUAL}, {"run_f002": ("server_error", "x")}),
        ("empty_members.json", {"run_f001": USUAL, "run_f002": USUAL}, {}),
        ("empty_members_page.json", {}, {}),
        ("approval.json", {}, {}),
    ],
)
def test_tokens_and_errors_are_those_of_the_input(name: str, usage: dict[str, Any], errors: dict[str, Any]) -> None:
    """Each run has its tokens and errors, whatever wrote it; nothing is rejected."""
    seen = _decoded(name)
    assert seen.rejects == []
    assert {row["run_id"]: tuple(row[count] for count in COUNTS) for row in seen.rows["usage"]} == usage
    assert {row["run_id"]: (row["code"], row["message"]) for row in seen.rows["errors"]} == errors


SAME_RUNS = ("camel_case.json", "flattened_columns.json", "usage_floats.json", "metadata_text.json", "mongo.jsonl")


@pytest.mark.parametrize("name", [*SAME_RUNS, "microsoft_dates.json"])
def test_the_other_fields_are_those_of_the_input(name: str) -> None:
    """Instants, assistants, metadata and settings are the same in each form of the same runs."""
    first, *others = _decoded(name).rows["runs"]
    assert [first["created_at"], *(row["created_at"] for row in others)] == [AT, LATER][: 1 + len(others)]
    assert (first["assistant_id"], first["thread_id"], first["completed_at"]) == (
        "asst_1",
        "thread_1",
        AT.replace(second=12),
    )
    assert (first["metadata"], first["temperature"], first["truncation_type"]) == ('{"team":"a"}', 1.0, "auto")
    assert (first["tool_count"], first["response_format"], first["parallel_tool_calls"]) == (1, '"auto"', True)
    for row in (first, *others):
        assert json.loads(row["extra"]).keys() <= {"tool_resources", "toolResources", "_id"}


def test_times_without_an_offset_are_rejected_with_the_reason() -> None:
    """A time without an offset from UTC names no instant."""
    rejects = _decoded("naive_time.json").rejects
    assert len(rejects) == 2
    assert all(reject.reason.startswith("no offset from UTC: `2024-09-25 10:") for reject in rejects)
