"""The reasons of rejects name causes: what wrote the value, and what to do."""

import json
from typing import Any

import pytest

from tests.support.outcome import outcome
from tests.support.payloads import run

POWERSHELL = "PowerShell cut the nesting off here: write with `ConvertTo-Json -Depth 100`"
PYTHON = "this is Python's repr, not JSON"


@pytest.mark.parametrize(
    ("sent", "path", "cause"),
    [
        ({"usage": "@{prompt_tokens=1000; completion_tokens=100}"}, "$.usage", POWERSHELL),
        ({"last_error": "@{code=server_error; message=no}"}, "$.last_error", POWERSHELL),
        ({"incomplete_details": "@{reason=x}"}, "$.incomplete_details", POWERSHELL),
        ({"metadata": "@{team=a}"}, "$.metadata", POWERSHELL),
        ({"metadata": "System.Collections.Hashtable"}, "$.metadata", POWERSHELL),
        ({"tools": "System.Object[]"}, "$.tools", POWERSHELL),
        ({"tools": ["@{type=function; function=}"]}, "$.tools[0]", POWERSHELL),
        ({"tools": [{"type": "function", "function": "@{name=f}"}]}, "$.tools[0].function", POWERSHELL),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": "@{type=object}"}}]},
            "$.tools[0].function.parameters",
            POWERSHELL,
        ),
        ({"response_format": "@{type=json_schema}"}, "$.response_format", POWERSHELL),
        ({"tool_choice": "@{type=function}"}, "$.tool_choice", POWERSHELL),
        ({"truncation_strategy": "@{type=auto}"}, "$.truncation_strategy", POWERSHELL),
        (
            {"usage": {"prompt_tokens": 5, "prompt_tokens_details": "@{cached_tokens=4}"}},
            "$.usage.prompt_tokens_details",
            POWERSHELL,
        ),
        (
            {"requiredAction": {"submitToolOutputs": {"toolCalls": "System.Object[]"}}},
            "$.required_action.submit_tool_outputs.tool_calls",
            POWERSHELL,
        ),
        ({"metadata": "{'team': 'a'}"}, "$.metadata", PYTHON),
        ({"usage": "Usage(completion_tokens=1, prompt_tokens=2)"}, "$.usage", PYTHON),
        ({"last_error": "LastError(code='server_error', message='no')"}, "$.last_error", PYTHON),
        ({"last_error": "{'code': 'server_error'}"}, "$.last_error", PYTHON),
        ({"tools": "[CodeInterpreterTool(type='code_interpreter')]"}, "$.tools", PYTHON),
        ({"tools": "[{'type': 'mcp'}]"}, "$.tools", PYTHON),
        ({"tools": ["FileSearchTool(type='file_search')"]}, "$.tools[0]", PYTHON),
    ],
)
def test_a_reason_names_what_spoilt_a_value(sent: dict[str, Any], path: str, cause: str) -> None:
    """PowerShell's and Python's texts of objects are named, with what to do and the text."""
    found = outcome(run(1, **sent))
    assert found.json_path == path
    assert found.reason is not None
    assert found.reason.startswith(cause)
    assert "; got `" in found.reason


@pytest.mark.parametrize("message", ["call failed (code=5)", "@home is away", "Systemic failure", "f(x=1) is wrong"])
def test_messages_that_only_look_like_it_are_messages(message: str) -> None:
    """The message of an error is not taken for an object of PowerShell's or Python's."""
    assert [one["message"] for one in outcome(run(1, last_error=message)).rows["errors"]] == [message]


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("2024-09-25 10:15:00", "`2024-09-25 10:15:00`"),
        ("2024-09-25T10:15:00.123", "`2024-09-25T10:15:00.123`"),
        ("2024-09-25", "`2024-09-25`"),
        ("20240925T101500", "`20240925T101500`"),
    ],
)
def test_a_time_without_an_offset_says_so(sent: str, shown: str) -> None:
    """A time without an offset is rejected, with the forms that are accepted."""
    found = outcome(run(1, created_at=sent))
    wanted = "expected Unix seconds, or RFC 3339 with an offset such as Z"
    assert found.reason == f"no offset from UTC: {shown}; {wanted}"


EARLY, LATE = "before the year 1", "after the year 9999, even if it counts milliseconds"


@pytest.mark.parametrize(
    ("sent", "where"),
    [
        (-62167219200, EARLY),
        (-62135596801, EARLY),
        (-62135596800.5, EARLY),
        (-62167219200000, EARLY),
        ("-62167219200", EARLY),
        ({"$numberLong": "-62167219200"}, EARLY),
        ({"$date": -62167219200000}, EARLY),
        ("0001-01-01T00:00:00+02:00", EARLY),
        (253402300800000, LATE),
        (1736700000000000, LATE),
        (2.6e14, LATE),
        ("/Date(253402300800000)/", LATE),
        ({"$date": {"$numberLong": "253402300800000"}}, LATE),
        ("9999-12-31T23:59:59-01:00", LATE),
    ],
)
@pytest.mark.parametrize("field", ["created_at", "expires_at", "failed_at"])
def test_what_no_calendar_holds_is_rejected(field: str, sent: Any, where: str) -> None:
    """An instant before the year 1 or after 9999 rejects the run, with the reason."""
    found = outcome(run(1, **{field: sent}))
    assert found.json_path == f"$.{field}"
    assert found.reason is not None
    assert found.reason.endswith(f" is no instant: {where}")


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("soon", '`"soon"`'),
        ("\ufeffsoon", r'`"\ufeffsoon"`'),
        ("\u200b", r'`"\u200b"`'),
        (True, "`true`"),
        ([1, 2], "`[1, 2]`"),
        ({"$date": "2024-09-25T10:15:00"}, '`{"$date": "2024-09-25T10:15:00"}`'),
        ("/Date(soon)/", '`"/Date(soon)/"`'),
    ],
)
def test_other_values_are_shown(sent: Any, shown: str) -> None:
    """Another value is shown as it was sent, invisible characters escaped."""
    found = outcome(json.dumps(run(1, created_at=sent), ensure_ascii=False).encode())
    assert found.reason == f"Expected Unix seconds, got {shown}"
