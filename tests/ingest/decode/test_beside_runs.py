"""What is stored beside runs: webhook events, failed requests, an organisation's usage; what is not is counted."""

import json
from typing import Any

import pytest

from runmart.ingest.decode.decoder import Decoder
from runmart.ingest.parse.blocks import Block
from runmart.models.tables import neighbours
from tests.support.payloads import ORIGIN, decode

AT = 1_767_225_600
"""2026-01-01T00:00:00Z."""

ERROR = {"message": "Rate limit reached", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
RESPONSE = {"id": "resp_1", "object": "response", "status": "in_progress", "created_at": AT}
CREATED = {"type": "response.created", "sequence_number": 0, "response": RESPONSE}
FAILED = {"type": "response.failed", "sequence_number": 3, "response": {**RESPONSE, "status": "failed"}}
ERROR_EVENT = {"type": "error", "sequence_number": 2, "code": "server_error", "message": "no", "param": None}


def rows(data: bytes | Any, table: str = "request_failures") -> list[dict[str, Any]]:
    """The rows of a table that a text, or a value as JSON, holds; nothing of it is rejected."""
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    decoded = Decoder().decode([(Block(text), ORIGIN)])
    assert decoded.rejects == [[]]
    assert decoded.counts[0].neighbours == len(decoded.neighbours)
    found = neighbours.batches(decoded.neighbours)
    of_table = found[table].to_pylist() if table in found else []
    return [{name: value for name, value in row.items() if value is not None} for row in of_table]


def failure(sent: Any) -> dict[str, Any]:
    """The only failed request in a value, with instants in seconds."""
    [row] = rows(sent)
    if "occurred_at" in row:
        row["occurred_at"] = row["occurred_at"].timestamp()
    assert row.pop("source") == "test"
    return {name: value for name, value in row.items() if name not in {"observed_at", "observed_position", "load_id"}}


def transcript(*events: dict[str, Any], has_names: bool = True) -> bytes:
    """A transcript of events."""
    texts = (f"data: {json.dumps(event)}\n\n" for event in events)
    names = (f"event: {event['type']}\n" if has_names else "" for event in events)
    return "".join(name + text for name, text in zip(names, texts, strict=True)).encode()


OF_ERROR = {"type": "requests", "code": "rate_limit_exceeded", "message": "Rate limit reached"}


def test_a_failed_line_of_a_batch_is_a_failed_request() -> None:
    """Its id, that of the caller and the error are stored; the line does not say when it failed."""
    answer = {"status_code": 429, "request_id": "req_7", "body": {"error": ERROR}}
    line = {"id": "batch_req_1", "custom_id": "a", "response": answer, "error": None}
    expected = {"failure_id": "batch_req_1", "custom_id": "a", "is_batch": True, "status_code": 429, **OF_ERROR}
    assert failure(line) == expected
    expired = {
        "id": "batch_req_2",
        "custom_id": "b",
        "response": None,
        "error": {"code": "batch_expired", "message": "m"},
    }
    assert failure(expired) == {
        "failure_id": "batch_req_2",
        "custom_id": "b",
        "is_batch": True,
        "code": "batch_expired",
        "message": "m",
    }


def test_a_line_of_a_batch_without_a_failure_is_none() -> None:
    """Neither is one that was answered, nor a request to be sent, nor a failed response, which is a run."""
    answered = {
        "id": "batch_req_1",
        "custom_id": "a",
        "response": {"status_code": 200, "body": {"data": 1}},
        "error": None,
    }
    to_send = {"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": {"model": "m", "input": "x"}}
    body = {**RESPONSE, "status": "failed", "error": {"code": "server_error", "message": "m"}}
    failed = {"id": "batch_req_1", "custom_id": "a", "response": {"status_code": 200, "body": body}, "error": None}
    assert rows(answered) == rows(to_send) == rows(failed) == []
    seen = decode(json.dumps(failed).encode())
    assert (seen.ids, seen.rejects) == (["resp_1"], [])


ENVELOPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "received, with the body as text": (
        {"received_at": "2026-01-01T00:00:00Z", "status_code": 429, "body": json.dumps({"error": ERROR})},
        {"occurred_at": AT, "status_code": 429, **OF_ERROR},
    ),
    "ended comes before received, and received before started": (
        {"started_at": AT - 9, "received_at": AT - 1, "ended_at": AT, "status_code": "429", "body": {"error": ERROR}},
        {"occurred_at": AT, "duration_seconds": 9.0, "status_code": 429, **OF_ERROR},
    ),
    "only started, in milliseconds": (
        {"started_at": AT * 1000 + 250, "duration_ms": 1500.5, "statusCode": 500, "body": {"error": ERROR}},
        {"occurred_at": AT + 0.25, "duration_seconds": 1.5005, "status_code": 500, **OF_ERROR},
    ),
    "the id of a header": (
        {
            "status_code": 400,
            "headers": {"X-Request-ID": ["req_1"]},
            "request": {"model": "m"},
            "body": {"error": ERROR},
        },
        {"failure_id": "req_1", "status_code": 400, "model": "m", **OF_ERROR},
    ),
    "around the error itself": ({"received_at": AT, "error": ERROR}, {"occurred_at": AT, **OF_ERROR}),
    "an answer within": (
        {"received_at": AT, "response": {"status_code": 503, "headers": {}, "body": "upstream is down"}},
        {"occurred_at": AT, "status_code": 503, "message": "upstream is down"},
    ),
    "another server's body": (
        {"received_at": AT, "status_code": 404, "body": {"detail": "no such model", "code": 404}},
        {"occurred_at": AT, "status_code": 404, "message": "no such model", "code": "404"},
    ),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_an_error_in_an_envelope_is_a_failed_request(name: str) -> None:
    """It happened when it ended, else when it was received, else when it began."""
    sent, expected = ENVELOPES[name]
    row = failure(sent)
    if "failure_id" not in expected:
        assert len(row.pop("failure_id")) == 32
    assert row == {"is_batch": False, **expected}


def test_the_key_without_an_id_is_that_of_the_content() -> None:
    """Order and white space make no other failure; another instant or source does."""
    sent = {"received_at": AT, "status_code": 429, "body": {"error": ERROR}}
    turned = json.dumps(dict(reversed(sent.items())), indent=2).encode()
    assert failure(sent) == failure(turned)
    assert failure(sent)["failure_id"] != failure({**sent, "received_at": AT + 1})["failure_id"]
    [row] = Decoder().decode([(Block(turned), ORIGIN)]).neighbours
    other = row._replace(origin=type(ORIGIN)("other", ORIGIN.observed_at, 1))
    keys = [neighbours.batches([one])["request_failures"].to_pylist()[0]["failure_id"] for one in (row, other)]
    assert len(set(keys)) == 2


@pytest.mark.parametrize(
    "sent",
    [
        {"error": ERROR},
        {"status_code": 429, "body": {"error": ERROR}},
        {"duration_ms": "soon", "error": ERROR},
        {"received_at": None, "status_code": 500, "body": None},
    ],
    ids=json.dumps,
)
def test_an_error_that_says_neither_which_nor_when_is_counted(sent: dict[str, Any]) -> None:
    """It cannot be told from the next one with the same words, so it is no row; it is counted as an error."""
    seen = decode(json.dumps(sent).encode())
    assert (seen.ids, seen.neighbours, seen.skipped, seen.rejects) == ([], {}, {"error": 1}, [])


REJECTED: dict[str, tuple[dict[str, Any], str, str]] = {
    "an instant without an offset": (
        {"received_at": "2026-01-01T00:00:00", "body": {"error": ERROR}},
        "no offset from UTC: `2026-01-01T00:00:00`; expected Unix seconds, or RFC 3339 with an offset such as Z",
        "$.received_at",
    ),
    "a status code within": (
        {"received_at": AT, "response": {"status_code": "x", "body": {"error": ERROR}}},
        "Expected `int | null`, got `str`",
        "$.response.status_code",
    ),
    "a webhook event without an instant": (
        {"object": "event", "id": "evt_1", "type": "response.failed", "data": {"id": "resp_1"}},
        "Object missing required field `created_at`",
        "$",
    ),
    "a webhook event without a response": (
        {"id": "evt_1", "type": "response.failed", "created_at": AT, "data": {"id": ""}},
        "Expected `str` of length >= 1",
        "$.data.id",
    ),
    "a bucket without an end": (
        {"object": "bucket", "start_time": AT, "results": []},
        "Object missing required field `end_time`",
        "$",
    ),
    "an amount": (
        {"object": "bucket", "start_time": AT, "end_time": AT + 1}
        | {"results": [{"object": "organization.costs.result", "amount": {"value": "much", "currency": "usd"}}]},
        "Expected `float`, got `str`",
        "$.results[0].amount.value",
    ),
    "no amount": (
        {
            "object": "bucket",
            "start_time": AT,
            "end_time": AT + 1,
            "results": [{"object": "organization.costs.result"}],
        },
        "costs without an amount: expected `amount` with `value` and `currency`",
        "$.results[0].amount",
    ),
    "a count": (
        {"object": "bucket", "start_time": AT, "end_time": AT + 1}
        | {"results": [{"object": "organization.usage.completions.result", "input_tokens": "many"}]},
        "Expected `int | null`, got `str`",
        "$.results[0].input_tokens",
    ),
}


@pytest.mark.parametrize("name", REJECTED)
def test_what_cannot_be_stored_is_a_reject(name: str) -> None:
    """With a reason and the place."""
    sent, reason, path = REJECTED[name]
    seen = decode(json.dumps(sent).encode())
    assert (seen.ids, seen.neighbours, seen.skipped) == ([], {}, {})
    assert [(one.reason, one.json_path) for one in seen.rejects] == [(reason, path)]


@pytest.mark.parametrize("has_names", [True, False])
def test_an_error_in_a_stream_is_a_failure_of_its_response(*, has_names: bool) -> None:
    """The response before it is in the key; the same transcript, wherever it is read again, gives the same key."""
    found = failure(transcript(CREATED, ERROR_EVENT, has_names=has_names))
    assert len(found.pop("failure_id")) == 32
    assert found == {"run_id": "resp_1", "is_batch": False, "code": "server_error", "message": "no"}
    other = {**CREATED, "response": {**RESPONSE, "id": "resp_2"}}
    twice = rows(transcript(CREATED, ERROR_EVENT, other, ERROR_EVENT, CREATED, ERROR_EVENT, has_names=has_names))
    assert [(row["run_id"], row["observed_position"]) for row in twice] == [("resp_1", 1), ("resp_2", 3), ("resp_1", 5)]
    assert twice[0]["failure_id"] == twice[2]["failure_id"] != twice[1]["failure_id"]


def test_an_error_in_events_as_objects_is_a_failure() -> None:
    """As those of a transcript."""
    for sent in ([CREATED, ERROR_EVENT], [CREATED, {"event": "error", "data": {"error": {"message": "no"}}}]):
        assert failure(sent)["run_id"] == "resp_1"


@pytest.mark.parametrize(
    "events",
    [
        [ERROR_EVENT],
        [CREATED, ERROR_EVENT, FAILED],
        [FAILED, ERROR_EVENT],
        [{"id": "run_1", "object": "thread.run", "status": "queued", "type": "thread.run.created"}, ERROR_EVENT],
    ],
    ids=["alone", "before the failed response", "behind it", "of a run"],
)
def test_an_error_in_a_stream_that_is_none_of_an_open_response_is_counted(events: list[dict[str, Any]]) -> None:
    """Whose it is, nothing says; or the response itself says that it failed."""
    seen = decode(transcript(*events))
    assert (seen.neighbours, seen.skipped, seen.rejects) == ({}, {"error": 1}, [])
    assert len(seen.ids) == len(events) - 1


@pytest.mark.parametrize("fields", [{}, {"object": "event"}])
def test_a_webhook_event_is_stored(fields: dict[str, Any]) -> None:
    """Its id, the response's, its type and its instant."""
    sent = {"id": "evt_1", **fields, "type": "response.cancelled", "created_at": AT, "data": {"id": "resp_1"}}
    [row] = rows(sent, "webhook_events")
    assert row.pop("created_at").timestamp() == AT
    assert [row[name] for name in ("event_id", "run_id", "type")] == ["evt_1", "resp_1", "response.cancelled"]


def test_webhook_events_of_others_are_counted() -> None:
    """They are of no response."""
    seen = decode(
        json.dumps({"object": "event", "id": "evt_1", "type": "batch.completed", "data": {"id": "b"}}).encode()
    )
    assert (seen.neighbours, seen.skipped) == ({}, {"event": 1})


def bucket(*results: dict[str, Any], start: int = AT, end: int = AT + 86_400) -> dict[str, Any]:
    """A page with one bucket."""
    found = {"object": "bucket", "start_time": start, "end_time": end, "results": list(results)}
    return {"object": "page", "data": [found], "has_more": False, "next_page": None}


COSTS = {"object": "organization.costs.result", "amount": {"value": "0.06", "currency": "usd"}, "line_item": "a"}


def test_usage_and_costs_are_stored_whole() -> None:
    """Each member of a result has its column, or is in `details`; an amount may be a text."""
    usage = {
        "object": "organization.usage.completions.result",
        "input_tokens": 1000,
        "input_cached_tokens": 400,
        "input_cache_write_tokens": 100,
        "output_tokens": 500,
        "num_model_requests": 5,
        "model": "m",
        "batch": True,
        "project_id": "p",
        "user_id": "u",
        "api_key_id": "k",
        "service_tier": "flex",
        "input_audio_tokens": 50,
    }
    costs = {**COSTS, "quantity": 2.5, "quantity_unit": "hours", "organization_id": "org"}
    first, second = rows(bucket(usage, costs), "organization_usage")
    for row in (first, second):
        assert (row["start_time"].timestamp(), row["end_time"].timestamp()) == (AT, AT + 86_400)
    expected = {
        "input_tokens": 1000,
        "cached_input_tokens": 400,
        "cache_write_tokens": 100,
        "output_tokens": 500,
        "model_requests": 5,
        "model": "m",
        "batch": True,
        "project_id": "p",
        "user_id": "u",
        "api_key_id": "k",
        "service_tier": "flex",
        "details": '{"input_audio_tokens":50}',
    }
    assert {name: first.get(name) for name in expected} == expected
    expected = {
        "amount": 0.06,
        "currency": "USD",
        "line_item": "a",
        "quantity": 2.5,
        "quantity_unit": "hours",
        "details": '{"organization_id":"org"}',
        "observed_position": 1,
    }
    assert {name: second.get(name) for name in expected} == expected


def test_a_bucket_that_went_on_is_replaced() -> None:
    """Its end is no part of the key; its group is."""
    [early], [late] = (rows(bucket(COSTS, end=end), "organization_usage") for end in (AT + 60, AT + 86_400))
    [other] = rows(bucket({**COSTS, "line_item": "b"}), "organization_usage")
    assert early["bucket_id"] == late["bucket_id"] != other["bucket_id"]


def test_two_results_of_one_group_are_not_merged() -> None:
    """A group that has no column would lose one of them without a word."""
    seen = decode(json.dumps(bucket(COSTS, COSTS)).encode())
    assert (seen.neighbours, [one.json_path for one in seen.rejects]) == (
        {"organization_usage": 1},
        ["$.data[0].results[1]"],
    )


def test_an_envelope_that_tells_when_it_began_is_no_run() -> None:
    """`started_at` is a field of runs; beside a body it is the collector's."""
    seen = decode(json.dumps({"started_at": AT, "status_code": 200, "body": {"data": "x"}}).encode())
    assert (seen.ids, seen.rejects, seen.skipped) == ([], [], {"unknown": 1})
