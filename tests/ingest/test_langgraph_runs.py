"""Runs of a LangGraph Agent Server become rows of the same tables."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from runmart.ingest.transform.redact import Redactor
from runmart.models.redaction_policy import CONTENT_FIELDS, RedactionPolicy, Rule
from tests.support.payloads import Seen, decode, run

SENT: dict[str, Any] = {
    "run_id": "1ef6a5f8-0000-6763-bbd6-bff042db7b1b",
    "thread_id": "7885f0cf-0000-4040-91d7-73f7ba007c8a",
    "assistant_id": "fe096781-0000-53d2-b2f6-0d3403f7e9ca",
    "created_at": "2026-09-04T01:46:47.244887+00:00",
    "updated_at": "2026-09-04T01:46:50.000001Z",
    "metadata": {"team": "a"},
    "status": "success",
    "kwargs": {"input": {"messages": [{"role": "human", "content": "secret"}]}, "config": {"configurable": {}}},
    "multitask_strategy": "reject",
}
CREATED_AT = datetime(2026, 9, 4, 1, 46, 47, 244887, UTC)
ENDED_AT = datetime(2026, 9, 4, 1, 46, 50, 1, UTC)
INSTANTS = ("started_at", "completed_at", "failed_at", "expires_at", "cancelled_at")


def read(*sent: dict[str, Any]) -> Seen:
    """What an answer of `GET /threads/{id}/runs` holds: an array."""
    return decode(json.dumps(sent).encode())


def row_of(**fields: Any) -> dict[str, Any]:
    """The row of a run."""
    seen = read({**SENT, **fields})
    assert seen.rejects == []
    [row] = seen.rows["runs"]
    return row


def test_a_run_is_stored_with_its_ids_and_instants() -> None:
    """Ids, metadata and instants to the microsecond; the input of the graph is not stored, all else is in `extra`."""
    row = row_of()
    assert (row["run_id"], row["thread_id"], row["assistant_id"]) == (
        SENT["run_id"],
        SENT["thread_id"],
        SENT["assistant_id"],
    )
    assert (row["object"], row["created_at"], row["metadata"]) == ("langgraph.run", CREATED_AT, '{"team":"a"}')
    assert json.loads(row["extra"]) == {"multitask_strategy": "reject", "updated_at": SENT["updated_at"]}
    assert "secret" not in repr(row)


@pytest.mark.parametrize(
    ("sent", "status", "end"),
    [
        ("pending", "queued", None),
        ("running", "in_progress", None),
        ("success", "completed", "completed_at"),
        ("error", "failed", "failed_at"),
        ("timeout", "expired", "expires_at"),
        ("interrupted", "cancelled", "cancelled_at"),
    ],
)
def test_a_status_has_its_meaning_and_its_end(sent: str, status: str, end: str | None) -> None:
    """The last update of a run that has ended is its end, and that of an open one is none."""
    row = row_of(status=sent)
    assert row["status"] == status
    assert {name: row[name] for name in INSTANTS if row[name]} == ({end: ENDED_AT} if end else {})


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "completed"},
        {"status": "in_progress"},
        {"id": "msg_1", "role": "user"},
        {"id": "x", "object": "thread.message"},
        {"object": "thread.run.step", "id": "step_1", "type": "tool_calls", "status": "completed"},
    ],
)
def test_what_refers_to_a_run_is_none(fields: dict[str, Any]) -> None:
    """Messages, steps and other objects with `run_id` are no runs, whatever else they have."""
    seen = read({**SENT, **fields})
    assert (seen.ids, seen.rejects, seen.skipped.total()) == ([], [], 1)


@pytest.mark.parametrize("name", ["run_id", "thread_id", "assistant_id", "status"])
def test_an_object_that_lacks_what_shows_a_run_is_none(name: str) -> None:
    """All four members are needed."""
    assert read({key: value for key, value in SENT.items() if key != name}).rows["runs"] == []


@pytest.mark.parametrize(
    ("fields", "reason", "path"),
    [
        ({"created_at": "2026-09-04T01:46:47"}, "no offset from UTC", "$[0].created_at"),
        ({"updated_at": "2026-09-04T01:46:47"}, "no offset from UTC", "$[0].updated_at"),
        ({"run_id": ""}, "Expected `str` of length >= 1", "$[0].run_id"),
        ({"metadata": "a"}, "Expected an object or null", "$[0].metadata"),
    ],
)
def test_a_run_that_cannot_be_stored_is_a_reject(fields: dict[str, Any], reason: str, path: str) -> None:
    """Reason and JSON path are in the words of what was sent; other runs of the array are stored."""
    seen = read({**SENT, **fields}, {**SENT, "run_id": "other"})
    [reject] = seen.rejects
    assert (seen.ids, reject.json_path) == (["other"], path)
    assert reason in reject.reason


def test_both_kinds_of_runs_may_be_in_one_input() -> None:
    """Runs of the Assistants API beside them are runs as ever."""
    seen = read(run(1, thread_id="t"), SENT, {"runs": [SENT]})
    assert {row["object"]: row["run_id"] for row in seen.rows["runs"]} == {
        "thread.run": "run_1",
        "langgraph.run": SENT["run_id"],
    }
    assert len(seen.ids) == 3


@pytest.mark.parametrize("rule", ["hash", "drop"])
def test_redacted_runs_can_be_read_again(rule: Rule) -> None:
    """Nothing of the input is in a saved answer whose content is redacted, and ids, status and instants are."""
    redactor = Redactor(RedactionPolicy(dict.fromkeys(CONTENT_FIELDS, rule), b"0123456789abcdef"))
    saved = redactor.document(json.dumps([SENT, {**SENT, "kwargs": json.dumps(SENT["kwargs"])}]).encode())
    assert saved is not None
    assert b"secret" not in saved
    row, _ = decode(saved).rows["runs"]
    names = ("run_id", "thread_id", "assistant_id", "status", "created_at", "completed_at")
    assert [row[name] for name in names] == [row_of()[name] for name in names]
