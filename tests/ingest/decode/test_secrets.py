"""Headers and keys around a response reach no row and no reject, whatever cannot be decoded."""

import json
from typing import Any

import pytest

from tests.support.payloads import decode, run

SECRET = "sk-5f2c0aa1"  # noqa: S105 - it is none
HEADERS = {"Authorization": f"Bearer {SECRET}", "api-key": SECRET, "Set-Cookie": [SECRET], "x-request-id": "req_1"}
RESPONSE = {"id": "resp_1", "object": "response", "status": "completed"}


def _saved(body: Any, **others: Any) -> bytes:
    return json.dumps({"request": {"headers": HEADERS}, "headers": HEADERS, **others, "body": body}).encode()


ENTRY = json.dumps(
    {
        "startedDateTime": "2026-01-01T00:00:00Z",
        "time": 80,
        "request": {"method": "POST", "headers": [{"name": "Authorization", "value": f"Bearer {SECRET}"}]},
        "response": {"status": 200, "content": {"text": json.dumps(RESPONSE)}},
    }
).encode()


@pytest.mark.parametrize(
    "data",
    [
        _saved({"error": {"code": "slow_down"}}, received_at="then", status_code=429),
        _saved(RESPONSE)[:-4],
        _saved(RESPONSE, status_code=float("nan")),
        _saved({"object": {"S": "thread.run"}}),
        b'{"log": {"entries": [' + ENTRY,
        ENTRY.replace(b"80", b"NaN"),
        f"2026-01-01 Authorization: Bearer {SECRET}".encode(),
        json.dumps(run(1, top_p="high", tools=[{"type": "mcp", "authorization": SECRET}])).encode(),
    ],
)
def test_a_reject_holds_no_secret(data: bytes) -> None:
    """It is kept whole but for the values of such headers."""
    seen = decode(data)
    assert len(seen.rejects) == 1
    assert SECRET not in repr(seen)


def test_a_response_is_read_beside_its_headers() -> None:
    """They are neither stored nor counted."""
    seen = decode(_saved(RESPONSE))
    assert seen.ids == ["resp_1"]
    assert SECRET not in repr(seen)
