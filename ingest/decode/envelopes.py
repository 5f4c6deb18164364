"""Envelopes: what an object around a response says of it, such as a line of a batch or of a log of requests.

It may have been measured how long the request took. That counts only where the request is the one that made the
response: the clock of a retrieval, a cancellation, a list or a request that left a response open says nothing of it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw

from runmart.ingest.decode import json_text
from runmart.ingest.decode.result import LenientRecord, LenientResult
from runmart.models import arrow
from runmart.models.columns import BINARY, BOOLEAN
from runmart.models.latency_sources import COLLECTOR, COLLECTOR_SECONDS, HEADER
from runmart.models.quirks import NULL_WORDS, microseconds, normalise
from runmart.models.record_columns import RecordColumns
from runmart.models.records import Instant
from runmart.models.wrappings import text_of

UNREAD_DURATION = "duration.unreadable"
"""A duration around a response that is none: no number, negative, longer than a day, or without a unit."""

OTHER_DURATION = "duration.of_other_request"
"""A duration around a response that cannot be its own: see `_is_of_other_request`."""

_LONGEST = 86_400.0
_CLOCK_SKEW = 60.0
"""Seconds by which the collector's clock may be ahead of the server's."""
_TOLERANCE = 2.0
"""Seconds that a record's whole seconds may add to a duration."""
_HEADER_TOLERANCE = 5.0

_CUSTOM_ID = "customid"
_UNITS = {"ms": 0.001, "millis": 0.001, "milliseconds": 0.001, "s": 1.0, "secs": 1.0, "seconds": 1.0}
_WITHOUT_UNIT = ("duration", "latency", "elapsed", "responsetime", "elapsedtime", "totaltime")
_DURATION = re.compile(rf"(?:{'|'.join(_WITHOUT_UNIT)})({'|'.join(_UNITS)})")
_STARTED = ("startedat", "requestedat", "requeststartedat", "sentat", "starttime", "starteddatetime")
_ENDED = ("endedat", "receivedat", "finishedat", "completedat", "respondedat", "endtime")
_HEADERS = ("headers", "responseheaders")
_ADDRESSES = ("url", "uri", "path")
_PROCESSING = "openaiprocessingms"
_NOT_LETTERS = re.compile(r"[\W_]")

_MEMBERS: msgspec.json.Decoder[dict[str, Raw]] = msgspec.json.Decoder(dict[str, Raw])
_LIST: msgspec.json.Decoder[list[Raw]] = msgspec.json.Decoder(list[Raw])
_NUMBER: msgspec.json.Decoder[float | None] = msgspec.json.Decoder(float | None)
_INSTANT: msgspec.json.Decoder[float | None] = msgspec.json.Decoder(Instant | None)


class _UnreadError(Exception):
    """A value that should be a duration or an instant is none."""


class _Clock(NamedTuple):
    """What a collector measured of one request."""

    seconds: float | None = None
    source: str | None = None
    started: float | None = None
    """When it was sent, in Unix seconds."""
    is_post: bool = False


def put_around(result: LenientResult, first: int, text: bytes) -> None:
    """Say of records what an object around them says.

    Args:
        result: What the object holds was added to it.
        first: The first of the records in the object.
        text: The object.
    """
    places = [place for place, one in enumerate(result.records[first:], first) if one.spec.is_request]
    if not places:
        return
    members = _named(_MEMBERS.decode(text))
    if _CUSTOM_ID in members and "response" in members:
        _put_batch(result, places, members[_CUSTOM_ID])
    if result.closed > first or len({_field(result.records[place], "id") for place in places}) > 1:
        return
    request = _named(_object(members.get("request")))
    if not _makes_response({**request, **members}):
        for place in places:
            _put(result, place, None, None)
        result.close()
        return
    try:
        clock = _clock(members, request, is_stream=len(places) > 1)
    except _UnreadError:
        result.skip(UNREAD_DURATION)
        return
    for place in places:
        _put_clock(result, place, clock)


def put_lines(columns: RecordColumns, lines: Sequence[Any]) -> list[tuple[str, str]]:
    """Say of records what the lines of a batch's output say that they are in (shape: n).

    Returns:
        What is kept in `extra`: name as sent, name of the column.
    """
    columns.put("is_batch", arrow.repeat(value=True, count=columns.count, arrow_type=BOOLEAN))
    columns.put("custom_id", arrow.array([bytes(line.custom_id) for line in lines], BINARY))
    return [("custom_id", "custom_id")]


def _put_batch(result: LenientResult, places: Sequence[int], custom_id: bytes) -> None:
    for place in places:
        record = result.records[place]
        result.records[place] = record._replace(envelope=record.envelope._replace(is_batch=True))
        if all(name != "custom_id" for name, _ in record.extra):
            record.extra.append(("custom_id", json_text.compact(custom_id)))


def _put_clock(result: LenientResult, place: int, clock: _Clock) -> None:
    """Put a duration to a record, unless it has one; a collector's comes before that of a header."""
    record = result.records[place]
    status = _field(record, "status")
    has_ended = record.spec.statuses.get(status, status) in record.spec.terminal_statuses
    known = record.envelope
    if not has_ended or (_field(record, "background") is True and not clock.is_post):
        return
    seconds, source = clock.seconds, clock.source
    if known.seconds is not None and (seconds is None or source == HEADER or known.source != HEADER):
        seconds, source = known.seconds, known.source
    if seconds is None:
        return
    if _is_of_other_request(record, seconds, source, clock.started):
        result.skip(OTHER_DURATION)
        seconds, source = None, None
    _put(result, place, seconds, source)


def _put(result: LenientResult, place: int, seconds: float | None, source: str | None) -> None:
    record = result.records[place]
    envelope = record.envelope._replace(seconds=seconds, source=source)
    result.records[place] = record._replace(envelope=envelope)


def _is_of_other_request(record: LenientRecord, seconds: float, source: str | None, started: float | None) -> bool:
    """Whether a request began after the response had ended, or took less time than the server did."""
    created, completed = (microseconds(_field(record, name)) for name in ("created_at", "completed_at"))
    ends = [one / 1_000_000 for one in (created, completed) if one is not None]
    if started is not None and ends and started > max(ends) + _CLOCK_SKEW:
        return True
    within = _HEADER_TOLERANCE if source == HEADER else _TOLERANCE
    return len(ends) == 2 and ends[1] - ends[0] > seconds + within  # noqa: PLR2004 - both


def _field(record: LenientRecord, name: str) -> Any:
    found = getattr(record.record, name, None)
    return None if found is UNSET else found


def _makes_response(members: Mapping[str, bytes]) -> bool:
    """Whether the request is one that makes a response, as far as is known."""
    if (text_of(members.get("method", b"")) or "POST").upper() != "POST":
        return False
    address = next((members[name] for name in _ADDRESSES if name in members), b"")
    return not (text_of(address) or "").partition("?")[0].rstrip("/").endswith("/cancel")


def _clock(members: Mapping[str, bytes], request: Mapping[str, bytes], *, is_stream: bool) -> _Clock:
    """What was measured; of a stream, a server's header tells the time to its beginning only.

    Raises:
        _UnreadError: What should be a duration or an instant is none, or means none.
    """
    instants = [_first(members, names) or _first(request, names) for names in (_STARTED, _ENDED)]
    started, ended = (None if one is None else _instant(one) for one in instants)
    is_post = "method" in members or "method" in request
    seconds = _told(members)
    if started is None and ended is not None and seconds is not None:
        started = ended - seconds
    if seconds is not None:
        return _Clock(_checked(seconds), COLLECTOR, started, is_post)
    if started is not None and ended is not None:
        is_whole = started.is_integer() and ended.is_integer()
        source = COLLECTOR_SECONDS if is_whole else COLLECTOR
        return _Clock(_checked(round(ended - started, 6)), source, started, is_post)
    headers = _headers(next((members[name] for name in _HEADERS if name in members), b""))
    processing = headers.get(_PROCESSING)
    if processing is None or is_stream or b"event-stream" in headers.get("contenttype", b""):
        return _Clock(started=started, is_post=is_post)
    found = _number(processing)
    return _Clock(found if found is None else _checked(found / 1000), HEADER, started, is_post)


def _told(members: Mapping[str, bytes]) -> float | None:
    """The duration that an object tells, in seconds; None where it tells none, or 0."""
    for name, value in members.items():
        unit = _DURATION.fullmatch(name)
        if unit is not None:
            return (_number(value) or 0) * _UNITS[unit[1]] or None
    if "starteddatetime" in members and "time" in members:  # an entry of an HTTP archive (HAR)
        return (_number(members["time"]) or 0) / 1000 or None
    if any(name in members for name in _WITHOUT_UNIT):
        raise _UnreadError
    return None


def _number(raw: bytes) -> float | None:
    try:
        return _NUMBER.decode(normalise("temperature", raw))
    except msgspec.DecodeError:
        raise _UnreadError from None


def _instant(raw: bytes) -> float | None:
    try:
        found = microseconds(_INSTANT.decode(normalise("created_at", raw)))
    except msgspec.DecodeError:
        raise _UnreadError from None
    return None if found is None else found / 1_000_000


def _checked(seconds: float) -> float:
    """A duration that may be one: neither negative nor longer than a day."""
    if not 0 <= seconds <= _LONGEST:
        raise _UnreadError
    return seconds


def _headers(raw: bytes) -> dict[str, bytes]:
    """Headers by name: those of an object, or of a list of objects or pairs; of several values the first."""
    is_list = raw[:1] == b"["
    pairs = [_pair(bytes(one)) for one in _LIST.decode(raw)] if is_list else list(_object(raw).items())
    found: dict[str, bytes] = {}
    for name, value in pairs:
        values = _LIST.decode(value) if bytes(value)[:1] == b"[" else [value]
        found.setdefault(_plain(name), bytes(values[0]) if values else b"null")
    return found


def _pair(raw: bytes) -> tuple[str, Raw]:
    if raw[:1] == b"{":
        members = {_plain(name): value for name, value in _MEMBERS.decode(raw).items()}
        found = [members.get("name", Raw(b"null")), members.get("value", Raw(b"null"))]
    else:
        found = [*(_LIST.decode(raw) if raw[:1] == b"[" else []), Raw(b"null"), Raw(b"null")]
    return text_of(bytes(found[0])) or "", found[1]


def _object(raw: bytes | None) -> Mapping[str, Raw]:
    return _MEMBERS.decode(raw) if raw and raw[:1] == b"{" else {}


def _named(members: Mapping[str, Raw]) -> dict[str, bytes]:
    """Members that are not null, by their names in any spelling."""
    return {_plain(name): bytes(value) for name, value in members.items() if bytes(value) not in NULL_WORDS}


def _plain(name: str) -> str:
    return _NOT_LETTERS.sub("", name).lower()


def _first(members: Mapping[str, bytes], names: Sequence[str]) -> bytes | None:
    return next((members[name] for name in names if name in members), None)
