"""Requests in the spend logs of a LiteLLM proxy become rows of the same tables."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from runmart.ingest.transform.redact import Redactor
from runmart.models.redaction_policy import CONTENT_FIELDS, RedactionPolicy, Rule
from tests.support.payloads import Seen, decode

KEY = "5f2c0aa1d0be4c1f9d3b"
USAGE: dict[str, Any] = {
    "prompt_tokens": 1200,
    "completion_tokens": 80,
    "total_tokens": 1280,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": None},
    "completion_tokens_details": {"reasoning_tokens": 16},
}
METADATA: dict[str, Any] = {
    "user_api_key": KEY,
    "user_api_key_hash": KEY,
    "user_api_key_alias": "billing-bot",
    "spend_logs_metadata": {"job": "nightly"},
    "status": "success",
    "usage_object": USAGE,
    "error_information": None,
    "mcp_tool_call_metadata": {"arguments": {"q": "secret"}},
    "guardrail_information": [{"guardrail_response": "secret"}],
    "proxy_server_request": "secret",
}
SENT: dict[str, Any] = {
    "request_id": "chatcmpl-BQ1",
    "call_type": "acompletion",
    "api_key": KEY,
    "spend": 0.00451,
    "total_tokens": 1280,
    "prompt_tokens": 1200,
    "completion_tokens": 80,
    "startTime": "2026-09-04T01:46:47.244000+00:00",
    "endTime": "2026-09-04T01:46:50.244125+00:00",
    "completionStartTime": "2026-09-04T01:46:47.900000+00:00",
    "model": "gpt-4o-2024-08-06",
    "model_group": "gpt-4o",
    "custom_llm_provider": "openai",
    "user": "user_1",
    "end_user": "",
    "team_id": "team_1",
    "metadata": METADATA,
    "request_tags": ["nightly"],
    "session_id": "session_1",
    "status": "success",
    "messages": [{"role": "user", "content": "secret"}],
    "response": {"id": "chatcmpl-BQ1", "object": "chat.completion", "choices": [{"message": {"content": "secret"}}]},
    "proxy_server_request": {"body": "secret"},
}
START = datetime(2026, 9, 4, 1, 46, 47, 244000, UTC)
END = datetime(2026, 9, 4, 1, 46, 50, 244125, UTC)
FAILED: dict[str, Any] = {
    "status": "failure",
    "spend": 0.0,
    "metadata": {
        "status": "failure",
        "error_information": {
            "error_code": "429",
            "error_class": "RateLimitError",
            "llm_provider": "openai",
            "error_message": "Rate limit reached",
            "traceback": "secret",
        },
    },
}


def read(*sent: dict[str, Any]) -> Seen:
    """What an answer of `GET /spend/logs` holds: an array."""
    return decode(json.dumps(sent).encode())


def row_of(without: str = "", **fields: Any) -> dict[str, Any]:
    """The row of a request, with its usage and its errors."""
    seen = read({name: value for name, value in {**SENT, **fields}.items() if name != without})
    assert seen.rejects == []
    [row] = seen.rows["runs"]
    return row | {"usage": seen.rows["usage"], "errors": seen.rows["errors"]}


def test_a_request_is_stored_to_the_microsecond() -> None:
    """Its start is that of all, its end belongs to its status, and the proxy measured how long it took."""
    row = row_of()
    names = ("run_id", "object", "status", "thread_id", "model")
    assert [row[name] for name in names] == [
        "chatcmpl-BQ1",
        "litellm.request",
        "completed",
        "session_1",
        "gpt-4o-2024-08-06",
    ]
    assert [row[name] for name in ("created_at", "started_at", "completed_at", "failed_at")] == [
        START,
        START,
        END,
        None,
    ]
    assert (row["duration_seconds"], row["latency_source"]) == (3.000125, "collector")


def test_usage_is_that_of_the_provider_with_the_spend_as_its_cost() -> None:
    """Parts of the counts come from the usage that the provider reported; the counts are not added again."""
    [used] = row_of()["usage"]
    names = ("prompt_tokens", "cached_prompt_tokens", "completion_tokens", "reasoning_tokens", "total_tokens")
    assert [used[name] for name in names] == [1200, 1024, 80, 16, 1280]
    assert '"cost":0.00451' in used["details"] or used["reported_cost"] == 0.00451


@pytest.mark.parametrize("usage", [None, {}, "redacted"])
def test_without_a_usage_of_the_provider_the_counts_of_the_log_are_stored(usage: Any) -> None:
    """Older versions report the other members of usage beside them."""
    metadata = {"usage_object": usage, "additional_usage_values": {"prompt_tokens_details": {"cached_tokens": 7}}}
    [used] = row_of(metadata=metadata)["usage"]
    names = ("prompt_tokens", "cached_prompt_tokens", "completion_tokens", "total_tokens")
    assert [used[name] for name in names] == [1200, 7, 80, 1280]


def test_counts_that_differ_from_the_usage_of_the_provider_are_kept() -> None:
    """They stay in `extra`; equal ones are stored once."""
    assert json.loads(row_of(prompt_tokens=1300)["extra"])["prompt_tokens"] == 1300
    assert json.loads(row_of()["extra"]).keys().isdisjoint({"prompt_tokens", "total_tokens", "spend"})


def test_what_has_no_column_is_kept() -> None:
    """Teams, tags, providers and the first token's instant are in `extra`."""
    names = ("call_type", "completionStartTime", "model_group", "custom_llm_provider", "user", "end_user", "team_id")
    assert json.loads(row_of()["extra"]) == {name: SENT[name] for name in (*names, "request_tags")}


def test_neither_keys_nor_texts_are_stored() -> None:
    """The hashed key of the caller is a secret; texts of requests and answers are content."""
    for metadata in (METADATA, json.dumps(METADATA)):
        row = row_of(metadata=metadata, user_api_key=KEY)
        assert KEY not in repr(row)
        assert "secret" not in repr(row)
        assert json.loads(row["metadata"]) == {
            "user_api_key_alias": "billing-bot",
            "spend_logs_metadata": {"job": "nightly"},
            "status": "success",
        }
        assert row["usage"] != []


def test_a_failed_request_has_an_error() -> None:
    """Its end is `failed_at`; the code and message are those of the error, the traceback is not stored."""
    row = row_of(**FAILED)
    assert (row["status"], row["completed_at"], row["failed_at"]) == ("failed", None, END)
    [error] = row["errors"]
    assert (error["kind"], error["code"], error["message"]) == ("last_error", "429", "Rate limit reached")
    assert error["occurred_at"] == END
    assert "secret" not in repr(row)
    assert json.loads(row["metadata"])["error_information"] == {
        "error_code": "429",
        "error_class": "RateLimitError",
        "llm_provider": "openai",
    }


@pytest.mark.parametrize(
    ("code", "stored"), [("", "RateLimitError"), (None, "RateLimitError"), (429, "429"), ("429", "429")]
)
def test_the_class_of_an_error_stands_in_for_its_code(code: Any, stored: str) -> None:
    """Some errors have no code, and some versions write a number."""
    information = {"error_code": code, "error_class": "RateLimitError", "error_message": "x"}
    [error] = row_of(status="failure", metadata={"error_information": information})["errors"]
    assert error["code"] == stored


@pytest.mark.parametrize(
    ("metadata", "status"),
    [
        ({"status": "failure"}, "failed"),
        ({"error_information": {"error_class": "Timeout"}}, "failed"),
        ({}, "completed"),
        (None, "completed"),
        ({"status": "aborted"}, "aborted"),
    ],
)
def test_older_logs_say_the_status_in_their_metadata_or_not_at_all(metadata: Any, status: str) -> None:
    """Versions that did not say it logged only requests with an answer; an unknown word is kept, without an end."""
    row = row_of(without="status", metadata=metadata)
    assert row["status"] == status
    assert (row["completed_at"], row["failed_at"]) == {"completed": (END, None), "failed": (None, END)}.get(
        status, (None, None)
    )
    assert ("endTime" in json.loads(row["extra"])) == (status == "aborted")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-09-04T01:46:47.244", "2026-09-04T01:46:50.244125"),
        ("2026-09-04 01:46:47.244", "2026-09-04 03:46:50.244125+02:00"),
        (START.timestamp(), END.timestamp()),
    ],
)
def test_instants_of_a_dump_are_utc(start: Any, end: Any) -> None:
    """The columns of the proxy's database have no time zone, and hold UTC."""
    row = row_of(startTime=start, endTime=end)
    assert (row["created_at"], row["completed_at"], row["duration_seconds"]) == (START, END, 3.000125)


def test_a_request_that_ends_before_it_starts_has_no_duration() -> None:
    """Nothing negative is stored as measured."""
    row = row_of(endTime="2026-09-04T01:46:00Z")
    assert (row["duration_seconds"], row["latency_source"]) == (None, None)


def test_empty_columns_are_null() -> None:
    """The proxy's columns are empty texts where nothing is known."""
    row = row_of(session_id="", model="", agent_id="")
    assert (row["thread_id"], row["model"], row["assistant_id"]) == (None, None, None)
    assert row_of(agent_id="agent_1")["assistant_id"] == "agent_1"


@pytest.mark.parametrize(
    ("fields", "reason", "path"),
    [
        ({"startTime": "soon"}, 'Expected Unix seconds, got `"soon"`', "$[0].startTime"),
        ({"endTime": "soon"}, 'Expected Unix seconds, got `"soon"`', "$[0].endTime"),
        ({"request_id": None}, "Expected `str`, got `null`", "$[0].request_id"),
        ({"status": 1}, "Expected `str`, got `int`", "$[0].status"),
        ({"metadata": [1]}, "Expected an object or null", "$[0].metadata"),
        (
            {"metadata": None, "prompt_tokens": "many"},
            'Expected a number of tokens, got `"many"`',
            "$[0].prompt_tokens",
        ),
        (
            {"metadata": {"usage_object": {"total_tokens": "many"}}},
            "Expected `int | null`, got `str`",
            "$[0].metadata.usage_object.total_tokens",
        ),
    ],
)
def test_a_request_that_cannot_be_stored_is_a_reject(fields: dict[str, Any], reason: str, path: str) -> None:
    """Reason and JSON path are in the words of what was sent, and the text of the reject holds no key."""
    seen = read({**SENT, **fields}, {**SENT, "request_id": "other"})
    [reject] = seen.rejects
    assert (seen.ids, reject.json_path) == (["other"], path)
    assert reason in reject.reason
    assert KEY.encode() not in reject.raw
    assert json.loads(reject.raw)["api_key"] is None


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": {"requester_metadata": {"user_api_key": KEY}, "batches": [{"userApiKeyHash": KEY}]}},
        {"litellm_params": {"api_key": KEY, "api_base": "https://example.org"}},
        {"metadata": {"requester_metadata": {"headers": {"Authorization": KEY, "x-api-key": KEY}}}},
        {"apiKey": KEY},
    ],
)
def test_a_key_is_not_stored_wherever_it_is(fields: dict[str, Any]) -> None:
    """Clients and versions put copies of it within other members, in their own spelling."""
    assert KEY not in repr(read({**SENT, **fields}).rows)


@pytest.mark.parametrize("cut", [0, 300])
def test_a_key_in_metadata_that_are_a_text_is_in_no_reject(cut: int) -> None:
    """A dump of the table has metadata as a text, and may have been cut off."""
    request = {**SENT, "metadata": json.dumps(METADATA), "startTime": "then"}
    data = json.dumps([request]).encode()
    [reject] = decode(data[: len(data) - cut]).rejects
    assert KEY.encode() not in reject.raw
    assert b"billing-bot" in reject.raw


def test_a_key_that_is_there_twice_is_found() -> None:
    """At the top, and in metadata, be it an object or a text."""
    text = json.dumps([SENT])
    twice = [
        text.replace('"spend":', '"spend": 1, "spend":'),
        text.replace('"usage_object":', '"usage_object": 1, "usage_object":'),
    ]
    for one in twice:
        [reject] = decode(one.encode()).rejects
        assert "there twice" in reject.reason


@pytest.mark.parametrize("name", ["request_id", "call_type", "spend", "startTime", "endTime"])
def test_an_object_that_lacks_what_shows_a_request_is_none(name: str) -> None:
    """Sums of spend, which the proxy also lists, and logs of other proxies are skipped."""
    seen = read({key: value for key, value in SENT.items() if key not in {name, "response"}})
    assert (seen.ids, seen.rejects, seen.skipped) == ([], [], {"unknown": 1})


@pytest.mark.parametrize("rule", ["hash", "drop"])
def test_nothing_of_what_was_said_is_in_redacted_text(rule: Rule) -> None:
    """Ids, instants, spend and status stay, so that a reject can be read again."""
    redactor = Redactor(RedactionPolicy(dict.fromkeys(CONTENT_FIELDS, rule), b"0123456789abcdef"))
    saved = redactor.document(json.dumps([SENT]).encode())
    assert saved is not None
    assert (b"secret" in saved, KEY.encode() in saved) == (False, False)
    [row] = decode(saved).rows["runs"]
    assert (row["run_id"], row["status"], row["completed_at"]) == ("chatcmpl-BQ1", "completed", END)
