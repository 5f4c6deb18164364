"""What servers say about their rate limits in headers."""

from email.utils import formatdate

import pytest

from runmart.ingest.pull.rate_limits import duration, retry_after


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": formatdate(1000, usegmt=True), "date": formatdate(990, usegmt=True)}, 10.0),
        ({"retry-after": formatdate(1000, usegmt=True), "date": formatdate(2000, usegmt=True)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({}, None),
    ],
)
def test_what_servers_write_into_retry_after(headers: dict[str, str], expected: float | None) -> None:
    """Retry-After is read as seconds or a date; other values are ignored."""
    assert retry_after(headers) == expected


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("6m0s", 360), ("20ms", 0.02), ("2", 2), ("1h2m", 3720), ("", None)]
)
def test_what_servers_write_into_rate_limits(text: str, seconds: float | None) -> None:
    """Reset times of rate limits are read in the form in which OpenAI writes durations."""
    found = duration(text)
    assert found == (None if seconds is None else pytest.approx(seconds))
