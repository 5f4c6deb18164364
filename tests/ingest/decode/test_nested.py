"""The objects within a run: usage, errors, truncation."""

import json
from typing import Any

import pytest

from tests.support.payloads import decode, page, run, run_row


def _row(table: str, **fields: Any) -> dict[str, Any]:
    seen = decode(page(run(1, **fields)))
    assert seen.rejects == []
    [row] = seen.rows[table]
    return row


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}, (1, None, 2, None, 3)),
        ({"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}}, (5, 4, None, None, None)),
        ({"prompt_token_details": {"cached_tokens": 4}}, (None, 4, None, None, None)),
        ({"completion_tokens_details": {"reasoning_tokens": 4}}, (None, None, None, 4, None)),
        ({"input_tokens": 1, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 3}}, (1, 3, 2, None, None)),
        ({"prompt_tokens": None, "input_tokens": 1}, (1, None, None, None, None)),
        ({"prompt_tokens": 0, "input_tokens": 1}, (0, None, None, None, None)),
        ({"total_tokens": None}, (None,) * 5),
    ],
)
def test_tokens_have_columns(sent: dict[str, Any], expected: tuple[int | None, ...]) -> None:
    """Token counts are read under the names of both generations of the API; the present name takes precedence."""
    row = _row("usage", usage=sent)
    names = ("prompt_tokens", "cached_prompt_tokens", "completion_tokens", "reasoning_tokens", "total_tokens")
    assert tuple(row[name] for name in names) == expected


def test_nothing_of_the_usage_is_lost() -> None:
    """Parts of the usage without a column are kept in `details`, as sent."""
    sent = {
        "prompt_tokens": 1,
        "input_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 7},
        "output_tokens_details": {"reasoning_tokens": 1},
        "cost": {"usd": 1.5},
    }
    kept = {name: value for name, value in sent.items() if name != "prompt_tokens"}
    assert json.loads(_row("usage", usage=sent)["details"]) == kept


@pytest.mark.parametrize("nothing", [None, {}, [], 0, False, "", "null"])
def test_no_usage_is_no_row(nothing: object) -> None:
    """A run whose usage is a spelling of null has no row in `usage`."""
    assert decode(page(run(1, usage=nothing))).rows["usage"] == []


@pytest.mark.parametrize("indent", [b"{ }", b"{\n  }", b"[\n\n]"])
@pytest.mark.parametrize("extra", [b"", b', "top_p": "1"'])
def test_whitespace_in_nothing_is_nothing(indent: bytes, extra: bytes) -> None:
    """An empty object counts as null with any whitespace in it."""
    names = (b"usage", b"last_error", b"incomplete_details", b"truncation_strategy", b"required_action")
    fields = b", ".join(b'"%s": %s' % (name, indent) for name in names if indent != b"[\n\n]")
    fields += b'"tools": ' + indent if indent == b"[\n\n]" else b""
    seen = decode(b'{"id": "run_1", "object": "thread.run", "status": "x", %s%s}' % (fields, extra))
    assert seen.ids == ["run_1"]
    assert (seen.rows["usage"], seen.rows["errors"], seen.rows["tools"]) == ([], [], [])
    assert seen.rows["runs"][0]["required_action"] is None


@pytest.mark.parametrize("name", ["last_error", "incomplete_details", "truncation_strategy"])
def test_unknown_members_stay(name: str) -> None:
    """An object with unknown members is kept in `extra` as a whole, and also fills its columns."""
    sent = {"code": "x", "reason": "x", "type": "x", "param": {"a:b": [1.0]}}
    row = run_row(**{name: sent})
    assert json.loads(row["extra"]) == {name: sent}
    assert row["truncation_type"] == ("x" if name == "truncation_strategy" else None)


def test_an_error_is_a_row() -> None:
    """The last error is a row with its code and message, and the time at which the run failed."""
    row = _row(
        "errors", last_error={"code": "server_error", "message": "Sorry"}, failed_at=1_700_000_000, completed_at=5
    )
    assert (row["kind"], row["code"], row["message"]) == ("last_error", "server_error", "Sorry")
    assert row["occurred_at"].timestamp() == 1_700_000_000


def test_incomplete_details_are_a_row() -> None:
    """Incomplete details are a row, with their reason as its code."""
    row = _row("errors", incomplete_details={"reason": "max_prompt_tokens"}, completed_at=1_700_000_000)
    assert (row["kind"], row["code"], row["message"]) == ("incomplete_details", "max_prompt_tokens", None)
    assert row["occurred_at"].timestamp() == 1_700_000_000


@pytest.mark.parametrize(
    ("sent", "assistant", "extra"),
    [
        ({"assistant_id": "a"}, "a", None),
        ({"agent_id": "b"}, "b", None),
        ({"assistant_id": None, "agent_id": "b"}, "b", None),
        ({"assistant_id": "a", "agent_id": "a"}, "a", None),
        ({"assistant_id": "a", "agent_id": "b"}, "a", {"agent_id": "b"}),
        ({"assistant_id": "", "agent_id": "b"}, "", {"agent_id": "b"}),
    ],
)
def test_an_agent_is_an_assistant(sent: dict[str, Any], assistant: str, extra: dict[str, str] | None) -> None:
    """Azure's `agent_id` fills assistant_id; beside another assistant it is kept in `extra`."""
    row = run_row(**sent)
    assert (row["assistant_id"], row["extra"] and json.loads(row["extra"])) == (assistant, extra)


def test_json_is_kept_whole() -> None:
    """Metadata and the required action lose nothing but insignificant whitespace."""
    action = {
        "type": "submit_tool_outputs",
        "submit_tool_outputs": {
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}, "x": 1}
            ]
        },
        "more": [1],
    }
    metadata = {"a": "b:c", "emoji": "\U0001f600", "nested": {"a": [None, 1.0]}}
    row = run_row(required_action=action, metadata=metadata)
    assert json.loads(row["required_action"]) == action
    assert json.loads(row["metadata"]) == metadata
    for depth in (10, 126):
        deep = b"[" * depth + b"\n" + b"]" * depth
        [row] = decode(b'{"id": "run_1", "status": "x", "metadata": {"a":' + deep + b"}}").rows["runs"]
        assert row["metadata"] == '{"a":' + "[" * depth + "]" * depth + "}"
