"""Values in the wrappings of other programs: read where their meaning is certain, else rejected."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.outcome import outcome
from tests.support.payloads import run

AT = 1727259300
IN_2024 = datetime.fromtimestamp(AT, UTC)


@pytest.mark.parametrize(
    "sent",
    [
        {"$numberLong": str(AT)},
        {"$numberInt": str(AT)},
        {"$numberDouble": f"{AT}.0"},
        {"$numberLong": f"{AT}000"},
        {"$numberLong": AT},
        {"$date": AT * 1000},
        {"$date": {"$numberLong": f"{AT}000"}},
        {"$date": "2024-09-25T10:15:00Z"},
        {"$date": "2024-09-25T12:15:00.000+02:00"},
        f"/Date({AT}000)/",
        f"/Date({AT}000+0200)/",
        f"/Date({AT}000-0730)/",
        [AT],
        [f"{AT}"],
        ["2024-09-25T10:15:00Z"],
        f"{AT}.0",
        "2024-09-25 10:15:00 UTC",
        "2024-09-25T10:15:00.0000000Z",
        "2024-09-25 10:15:00+00",
        AT * 1000.0,
    ],
)
def test_an_instant_is_read_in_every_wrapping(sent: Any) -> None:
    """An instant of MongoDB, Microsoft or R is the instant, in runs as in steps."""
    assert outcome(run(1, created_at=sent)).run["created_at"] == IN_2024
    assert outcome(run(1, completedAt=sent)).run["completed_at"] == IN_2024


def test_slashes_may_be_escaped() -> None:
    """Microsoft's dates are written with escaped slashes, so that nothing else looks like them."""
    text = rb'{"id": "run_1", "object": "thread.run", "status": "queued", "created_at": "\/Date(1727259300000)\/"}'
    assert outcome(text).run["created_at"] == IN_2024


@pytest.mark.parametrize(
    ("sent", "instant"),
    [
        ({"$date": -1000}, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ({"$date": 1000}, datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),  # not seconds
        ("/Date(1000)/", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        ({"$date": {"$numberLong": "253402300799000"}}, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("/Date(253402300799000)/", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (253402300799999, datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)),
        (-62135596799, datetime(1, 1, 1, 0, 0, 1, tzinfo=UTC)),
        ("9999-12-31t23:59:59z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),  # Go's and .NET's empty instant
        ("/Date(-62135596800000)/", None),
        (-62135596800, None),
        ({"$date": 0}, None),
        ([], None),
        ([None], None),
        ({}, None),
    ],
)
def test_far_instants_are_what_they_say(sent: Any, instant: datetime | None) -> None:
    """An instant in the year 9999 is not read as milliseconds, one of 1970 not as seconds; empty ones are null."""
    assert outcome(run(1, expires_at=sent)).run["expires_at"] == instant


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"prompt_tokens": "1000"}, 1000),
        ({"prompt_tokens": 1000.0}, 1000),
        ({"prompt_tokens": "1000.0"}, 1000),
        ({"prompt_tokens": "1e3"}, 1000),
        ({"prompt_tokens": {"$numberInt": "1000"}}, 1000),
        ({"prompt_tokens": {"$numberDouble": "1000.0"}}, 1000),
        ({"prompt_tokens": {"$numberDouble": "1E+3"}}, 1000),
        ({"prompt_tokens": [1000]}, 1000),
        ({"prompt_tokens": []}, None),
        ({"prompt_tokens": ""}, None),
        ({"prompt_tokens": {}}, None),
        ({"promptTokens": ["1000"]}, 1000),
        ({"prompt_tokens": "9007199254740993"}, 9007199254740993),
    ],
)
def test_a_count_is_read_in_every_wrapping(sent: dict[str, Any], expected: int | None) -> None:
    """Counts in quotes, with a decimal point, of MongoDB or of R are the counts; so are those in the details."""
    assert outcome(run(1, usage=sent | {"total_tokens": 1})).usage["prompt_tokens"] == expected
    [value] = sent.values()
    for details in ("prompt_tokens_details", "prompt_token_details", "inputTokensDetails"):
        found = outcome(run(1, usage={"prompt_tokens": 5000, details: {"cached_tokens": value}})).usage
        assert found["cached_prompt_tokens"] == expected


@pytest.mark.parametrize("value", ["10.5", 10.5, "1,000", "many", [1, 2], {"$numberInt": "many"}, True, "1e999", "007"])
def test_what_is_no_count_is_rejected(value: Any) -> None:
    """A count that cannot be read rejects the run, in the details too."""
    for usage in ({"prompt_tokens": value}, {"prompt_tokens_details": {"cached_tokens": value}}):
        path = outcome(run(1, usage=usage)).json_path
        assert path is not None
        assert path.startswith("$.usage.prompt_tokens")


def test_r_writes_single_values_as_lists() -> None:
    """A run as jsonlite writes it, each value in a list of its own, null as none, gives the rows of the run."""
    plain = run(
        1,
        created_at=AT,
        assistant_id="asst_1",
        model="gpt-4o",
        instructions="Be kind.",
        temperature=0.5,
        max_prompt_tokens=5,
        parallel_tool_calls=True,
        tool_choice="auto",
        usage={"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 2}},
        last_error={"code": "server_error", "message": "no"},
        truncation_strategy={"type": "last_messages", "last_messages": 3},
        tools=[{"type": "function", "function": {"name": "f", "strict": False}}],
        completed_at=None,
        thread_id=None,
    )

    def listed(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: listed(one) for name, one in value.items()}  # pyright: ignore[reportUnknownVariableType]
        if isinstance(value, list):
            return [listed(one) for one in value]  # pyright: ignore[reportUnknownVariableType]
        return [] if value is None else [value]

    sent = listed(plain) | {"expires_at": {}, "top_p": {}, "failed_at": [None]}
    assert outcome(sent | {"object": "thread.run"}).rows == outcome(plain).rows
    assert outcome(sent | {"object": "thread.run"}).run["extra"] is None


JSON_FIELDS: dict[str, Any] = {
    "metadata": {"team": "a"},
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    "usage": {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 2}},
    "last_error": {"code": "server_error", "message": "no"},
    "incomplete_details": {"reason": "max_prompt_tokens"},
    "truncation_strategy": {"type": "auto"},
    "required_action": {"type": "x", "submit_tool_outputs": {"tool_calls": [{"id": "c"}]}},
    "response_format": {"type": "json_object"},
    "tool_choice": {"type": "function", "function": {"name": "f"}},
}


@pytest.mark.parametrize("field", JSON_FIELDS)
def test_a_json_column_in_quotes_is_its_json(field: str) -> None:
    """A field that is a JSON text gives the rows of the JSON in it; spaces around it do not matter."""
    value = JSON_FIELDS[field]
    wanted = outcome(run(1, **{field: value})).rows
    for text in (json.dumps(value), json.dumps(value, indent=1), f" {json.dumps(value)}\n"):
        assert outcome(run(1, **{field: text})).rows == wanted
    for empty in ("{}", "[]", "null", ""):
        if field != "metadata":
            assert outcome(run(1, **{field: empty})).rows == outcome(run(1)).rows


def test_json_in_quotes_within_an_object_is_its_json() -> None:
    """So is the member of an object, and an element of the tools; arguments are a text by the API."""
    usage = {"prompt_tokens": 5, "prompt_tokens_details": '{"cached_tokens": "2"}'}
    found = outcome(run(1, usage=usage, tools=['{"type": "mcp"}', {"type": "function", "function": '{"name": "f"}'}]))
    assert found.usage["cached_prompt_tokens"] == 2
    assert [(tool["type"], tool["name"]) for tool in found.rows["tools"]] == [("mcp", None), ("function", "f")]
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}]
    action = {"type": "x", "submit_tool_outputs": {"tool_calls": calls}}
    assert json.loads(outcome(run(1, required_action=action)).run["required_action"]) == action


@pytest.mark.parametrize("text", ["{not JSON}", "Rate limit reached [gpt-4o]", "[x]", '{"a": 1} and more'])
def test_a_message_with_brackets_stays_a_message(text: str) -> None:
    """A text in the place of an error is its message, unless it is JSON as a whole."""
    [error] = outcome(run(1, last_error=text)).rows["errors"]
    assert error["message"] == text


@pytest.mark.parametrize(
    ("field", "text", "reason"),
    [
        ("usage", "much", "Expected `object`, got `str`"),
        ("usage", "[1]", "Expected `object`, got `array`"),
        ("metadata", "[1]", "Expected an object or null"),
        ("metadata", '"{}"', "Expected an object or null"),
        ("tools", "all", "Expected `array`, got `str`"),
        ("truncation_strategy", "auto", "Expected `object`, got `str`"),
        ("required_action", "now", "Expected `object`, got `str`"),
    ],
)
def test_a_text_that_is_not_the_json_expected_is_rejected(field: str, text: str, reason: str) -> None:
    """A text in the place of an object is rejected, with its field."""
    found = outcome(run(1, **{field: text}))
    assert (found.reason or "").startswith(reason)
    assert found.json_path == f"$.{field}"


@pytest.mark.parametrize("number", ["1.0", "0.25", "1E-2", "2"])
def test_numbers_of_mongodb_are_numbers(number: str) -> None:
    """Temperatures of MongoDB are numbers, with an exponent too."""
    found = outcome(run(1, temperature={"$numberDouble": number}, top_p={"$numberDecimal": number})).run
    assert (found["temperature"], found["top_p"]) == (float(number), float(number))
    assert outcome(run(1, temperature={"$numberDouble": "NaN"})).reason is not None
