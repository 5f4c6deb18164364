"""Run steps: recorded ones, quirks, and their rows."""

import json
from pathlib import Path
from typing import Any

import pytest

from runmart.ingest.decode.steps import step
from runmart.ingest.parse.json_object import UnfitError
from runmart.models.observations import Origin
from runmart.models.statuses import STEP_OBJECT
from runmart.models.tables.steps import STEPS, StepRow, batch
from tests.support.paths import REALDATA

ORIGIN = Origin("s", 5, 1)


def row(**fields: Any) -> dict[str, Any]:
    """The row of a step."""
    sent = {"id": "step_1", "object": "thread.run.step", "run_id": "run_1", "status": "completed", **fields}
    return batch([step(json.dumps(sent).encode(), ORIGIN, 3)]).to_pylist()[0]


def recorded_steps() -> list[StepRow]:
    """All recorded steps."""
    found: list[StepRow] = []
    for path in sorted(REALDATA.glob("*/*.json")):
        data: Any = json.loads(path.read_bytes())
        items: list[Any] = data.get("data", [data]) if hasattr(data, "get") else []
        texts = [json.dumps(item) for item in items if hasattr(item, "get") and item.get("object") == STEP_OBJECT]
        found += [step(text.encode(), ORIGIN, 0) for text in texts]
    return found


def test_recorded_steps_are_stored_with_their_tools_and_tokens() -> None:
    """Recorded steps are stored with the types of their tool calls, tokens and instants."""
    rows = batch(recorded_steps()).to_pylist()
    assert len(rows) > 15
    [searching] = [row for row in rows if row["step_id"] == "step_2w6GAqcNIcq3q53mgB2OjdOR" and row["total_tokens"]]
    assert (searching["type"], searching["tool_calls"], searching["tool_types"]) == ("tool_calls", 1, '["file_search"]')
    assert (searching["prompt_tokens"], searching["completion_tokens"], searching["total_tokens"]) == (850, 20, 870)
    assert searching["created_at"].timestamp() == 1728655047
    assert searching["completed_at"].timestamp() == 1728655049
    assert all(row["tool_types"] is None for row in rows if row["type"] == "message_creation")


def test_all_columns_are_declared() -> None:
    """The columns of the batch are those of the table."""
    assert list(row()) == [column.name for column in STEPS.columns]
    assert (row()["source"], row()["observed_position"], row()["load_id"]) == ("s", 3, 1)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"created_at": 1699075592123}, {"created_at": 1699075592.123}),
        ({"completed_at": 0, "failed_at": {}}, {"completed_at": None, "failed_at": None}),
        ({"expires_at": 7}, {"expired_at": 7.0}),
        ({"expired_at": "9", "expires_at": 7}, {"expired_at": 9.0}),
        (
            {"last_error": {"code": "server_error", "message": "no"}},
            {"error_code": "server_error", "error_message": "no"},
        ),
        ({"last_error": {}}, {"error_code": None}),
        ({"usage": {"input_tokens": 3, "output_tokens": 4}}, {"prompt_tokens": 3, "completion_tokens": 4}),
        ({"usage": {"prompt_tokens": 3, "prompt_token_details": {"cached_tokens": 2}}}, {"cached_prompt_tokens": 2}),
        ({"usage": {}}, {"prompt_tokens": None}),
        ({"step_details": {"type": "message_creation"}}, {"tool_calls": None, "tool_types": None}),
        ({"step_details": {"type": "tool_calls", "tool_calls": []}}, {"tool_calls": 0, "tool_types": "[]"}),
        (
            {"step_details": {"tool_calls": [{"type": "function"}, {"type": 'a"b'}, {}]}},
            {"tool_types": '["function","a\\"b",""]'},
        ),
        ({"run_id": None}, {"run_id": None}),
        ({"created_at": {"$numberLong": "1699075592"}}, {"created_at": 1699075592}),
        ({"created_at": "/Date(1699075592000+0100)/"}, {"created_at": 1699075592}),
        ({"created_at": ["2023-11-04T05:26:32Z"]}, {"created_at": 1699075592}),
        ({"expired_at": {"$date": 7000}}, {"expired_at": 7}),
        ({"type": ["tool_calls"], "thread_id": [], "assistant_id": {}}, {"type": "tool_calls", "thread_id": None}),
        ({"usage": {"prompt_tokens": "3", "promptTokensDetails": {"cachedTokens": 2.0}}}, {"cached_prompt_tokens": 2}),
        ({"usage": '{"prompt_tokens": 3, "cached_tokens": 2}'}, {"cached_prompt_tokens": 2, "prompt_tokens": 3}),
        ({"usage.prompt_tokens": 3, "last_error.code": "x"}, {"prompt_tokens": 3, "error_code": "x"}),
        ({"last_error": {"Code": "x", "Message": "y"}}, {"error_code": "x", "error_message": "y"}),
        ({"last_error": "slow down"}, {"error_code": None, "error_message": "slow down"}),
        ({"last_error": {"code": "", "message": ""}}, {"error_code": None, "error_message": None}),
        ({"step_details": '{"type": "tool_calls", "tool_calls": []}'}, {"tool_calls": 0}),
        ({"stepDetails": {"Type": "tool_calls", "toolCalls": [{"Type": ["mcp"]}]}}, {"tool_types": '["mcp"]'}),
        ({"step_details": "null"}, {"tool_calls": None}),
    ],
)
def test_quirks_are_those_of_runs(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """The quirks of runs are normalised in steps as well."""
    found = row(**fields)
    for name, value in expected.items():
        is_instant = hasattr(found[name], "timestamp")
        assert (found[name].timestamp() if is_instant else found[name]) == value


@pytest.mark.parametrize(
    ("fields", "path"),
    [({"status": None}, "$.status"), ({"created_at": "soon"}, "$.created_at"), ({"step_details": 3}, "$.step_details")],
)
def test_what_does_not_fit_is_said(fields: dict[str, Any], path: str) -> None:
    """The reject of a step names the JSON path of the bad value."""
    with pytest.raises(UnfitError) as caught:
        row(**fields)
    assert caught.value.json_path == path


def test_a_step_is_read_in_camel_case() -> None:
    """All fields of a step are found under other spellings."""
    fields = {
        "thread_id": "thread_1",
        "assistant_id": "asst_1",
        "type": "tool_calls",
        "created_at": 1,
        "expired_at": 2,
        "cancelled_at": 3,
        "failed_at": 4,
        "completed_at": 5,
        "last_error": {"code": "x", "message": "y"},
        "step_details": {"type": "tool_calls", "tool_calls": [{"type": "mcp"}]},
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }
    spelt = {name.title().replace("_", ""): value for name, value in fields.items()}
    assert row(**spelt) == row(**fields)
    assert row(run_id=None, runId="run_2")["run_id"] == "run_2"
    assert row(runId="run_1", RunId=None)["run_id"] == "run_1"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"runId": "run_2"}, "`runId` is `run_id` by another name, with another value"),
        ({"usage": {"prompt_tokens": 1}, "usage.prompt_tokens": 2}, "`usage.prompt_tokens` is `usage` by another name"),
        ({"created_at": "2023-11-04 05:26:32"}, "no offset from UTC: `2023-11-04 05:26:32`"),
        ({"expired_at": -62167219200}, "`-62167219200` is no instant: before the year 1"),
        ({"failed_at": 253402300800000}, "`253402300800000` is no instant: after the year 9999"),
        ({"step_details": "@{type=tool_calls}"}, "PowerShell cut the nesting off here"),
        ({"last_error": "LastError(code='x')"}, "this is Python's repr"),
    ],
)
def test_a_step_says_why_it_is_rejected(fields: dict[str, Any], reason: str) -> None:
    """Steps are rejected for the reasons for which runs are, and where a value would be lost."""
    with pytest.raises(UnfitError) as caught:
        row(**fields)
    assert caught.value.reason.startswith(reason)


def test_the_manifest_has_step_pages() -> None:
    """The recorded payloads include pages of steps."""
    assert "run_step_page" in (Path(REALDATA) / "MANIFEST.tsv").read_text()
