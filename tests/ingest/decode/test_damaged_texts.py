"""A record in a text that is damaged is a reject, whatever its kind."""

import json
from typing import Any

import pytest

from tests.support.payloads import decode

RECORDS: list[dict[str, Any]] = [
    {"id": "1", "object": "thread.run", "status": "completed"},
    {"id": "1", "object": "response", "status": "completed"},
    {"id": "1", "object": "chat.completion", "choices": [{"finish_reason": "stop"}]},
    {"request_id": "1", "call_type": "acompletion", "spend": 0.1, "startTime": None, "endTime": None},
]


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("name", ["body", "log"])
def test_a_record_in_a_text_that_was_cut_off_is_a_reject(record: dict[str, Any], name: str) -> None:
    """A saved exchange, or a line of a container's log, of which the end of the text is missing."""
    seen = decode(json.dumps({name: json.dumps(record)[:-1], "status_code": 200}).encode())
    assert (seen.ids, seen.skipped) == ([], {})
    [reject] = seen.rejects
    assert reject.json_path == f"$.{name}"


def test_a_response_in_the_text_of_a_batch_that_was_cut_off_is_a_reject() -> None:
    """Some clients write the body as a text."""
    answer = {"status_code": 200, "body": json.dumps(RECORDS[1])[:-1]}
    [reject] = decode(json.dumps({"custom_id": "a", "response": answer, "error": None}).encode()).rejects
    assert reject.json_path == "$.response.body"


@pytest.mark.parametrize("length", [50, 180])
def test_a_response_whose_status_was_cut_off_is_a_reject(length: int) -> None:
    """Names in order of the alphabet, and lists that end in a line of their own."""
    filters = [{"blocked": False}, {"blocked": False}]
    record = {"background": False, "object": "response", "output": filters, "prompt": "x" * 99, "status": "completed"}
    text = json.dumps(record, indent=2)[:length]
    seen = decode(json.dumps({"status_code": 200, "body": text}).encode())
    assert any(b'"object": "response"' in reject.raw for reject in seen.rejects)
