"""Failed requests: failed lines of batches, and error answers in an envelope that says of which request, or when.

The envelope is what a collector or a proxy writes around an answer: instants by its own clock (`received_at`,
`ended_at`, `started_at`, `duration_ms`), `status_code`, `headers`, and the `body` as an object or as text. Without the
request's id and without an instant, one failure cannot be told from the next with the same words: such an answer is no
row, but is skipped as an error, as one without an envelope is.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from runmart.ingest.decode import fields
from runmart.ingest.decode.fields import COUNT, INSTANT, NUMBER
from runmart.ingest.decode.normalised import renamed
from runmart.ingest.parse.json_object import Members, UnfitError
from runmart.models.observations import Origin
from runmart.models.quirks import microseconds
from runmart.models.records import Instant
from runmart.models.spellings import Spellings
from runmart.models.tables.neighbours import REQUEST_FAILURES, NeighbourRow
from runmart.models.wrappings import text_of

_FAILED_FROM = 400
_INSTANTS = ("ended_at", "received_at", "started_at")
_REQUEST_IDS = ("x-request-id", "apim-request-id")
_ENVELOPE = Spellings((*_INSTANTS, "duration_ms", "status_code", "headers", "request_id", "body", "response", "error"))
_BATCH_ID = "batch_req_"
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])

_Sent = Mapping[str, bytes]


class _Envelope(Struct):
    ended_at: Instant | None = None
    received_at: Instant | None = None
    started_at: Instant | None = None
    duration_ms: Annotated[float, Meta(ge=0)] | None = None
    status_code: Annotated[int, Meta(ge=0, le=999)] | None = None


_DECODER = msgspec.json.Decoder(_Envelope)
_LIKES = {**dict.fromkeys(_INSTANTS, INSTANT), "duration_ms": NUMBER, "status_code": COUNT}


def failure(members: Members, origin: Origin, position: int) -> NeighbourRow | None:
    """The row of a failed request that an object without a run in it tells of; None where it tells of none.

    Raises:
        UnfitError: It tells of one, and an instant, its duration or its status code cannot be read.
    """
    sent = _flat(members)
    is_batch = "custom_id" in sent or (_text(sent, "id") or "").startswith(_BATCH_ID)
    is_failed = _status(sent) >= _FAILED_FROM
    error = _error(sent, takes_any=is_failed or is_batch)
    if error is None and not is_failed:
        return None
    request_id = _request_id(sent) if not is_batch else _text(sent, "id") or _request_id(sent)
    if not (is_batch or request_id or any(sent.get(one, b"null") != b"null" for one in _INSTANTS)):
        return None
    envelope = _envelope(sent, members)
    instants = [microseconds(one) for one in (envelope.ended_at, envelope.received_at, envelope.started_at)]
    occurred_at = next((one for one in instants if one is not None), None)
    if not (is_batch or request_id or occurred_at is not None):
        return None
    values: dict[str, Any] = {
        "custom_id": _text(sent, "custom_id"),
        "is_batch": is_batch,
        "occurred_at": None if is_batch else occurred_at,
        "duration_seconds": _duration(envelope, instants),
        "status_code": envelope.status_code,
        "model": _text(sent, "model") or _text(_object(sent.get("request", b"")), "model"),
        **columns_of_error(error or {}),
    }
    key = request_id or (canonical(members),)
    return NeighbourRow(REQUEST_FAILURES.name, origin, position, key, values)


def is_failed(members: Members) -> bool:
    """Whether an object is around an answer with an error status code."""
    return _status(_flat(members)) >= _FAILED_FROM


def error_of(raw: bytes) -> _Sent | None:
    """The members of an error; None where an object shows none of what errors have, or is none."""
    found = _object(raw)
    return found if any(found.get(one, b"null") != b"null" for one in ("message", "code", "type")) else None


def columns_of_error(error: _Sent) -> dict[str, str | None]:
    """The columns that an error fills."""
    return {name: _text(error, name) for name in ("type", "code", "message")}


def _flat(members: Members) -> dict[str, bytes]:
    """The members of an envelope, with those of the answer in it."""
    sent = renamed({name: bytes(value) for name, value in members.items()}, _ENVELOPE)
    answer = _object(sent.pop("response", b""))
    if not answer:
        return sent
    inner = renamed(dict(answer), _ENVELOPE)
    if not inner.keys() & {"body", "status_code"}:
        inner = {"body": msgspec.json.encode({name: Raw(value) for name, value in answer.items()})}
    others = {name: value for name, value in inner.items() if name != "id" and value != b"null"}
    return {**sent, **others}


def _error(sent: _Sent, *, takes_any: bool) -> _Sent | None:
    """The error of an answer.

    Args:
        sent: Its envelope.
        takes_any: Whether a body that does not say so is one: that of an answer with such a status code.
    """
    body = _object(sent.get("body", b""))
    for raw in (sent.get("error", b""), b"" if body.keys() & {"id", "status"} else body.get("error", b"")):
        if (found := error_of(raw)) is not None:
            return found
        if takes_any and text_of(raw):
            return {"message": raw}
    if not takes_any or _status(sent) < _FAILED_FROM:
        return None
    if body:
        return {**body, **({"message": body["detail"]} if "detail" in body and "message" not in body else {})}
    return {"message": sent["body"]} if text_of(sent.get("body", b"")) else None


def _envelope(sent: _Sent, members: Members) -> _Envelope:
    try:
        return fields.decode(_DECODER, {name: sent[name] for name in _LIKES if name in sent}, _LIKES)
    except UnfitError as error:
        name = error.json_path.removeprefix("$.")
        is_inner = name not in members and "response" in members
        raise UnfitError(error.reason, f"$.response.{name}" if is_inner else error.json_path) from None


def _status(sent: _Sent) -> int:
    """The status code; 0 where there is none, or it is no number."""
    digits = sent.get("status_code", b"").strip(b'"')
    return int(digits) if digits.isdigit() and len(digits) < 4 else 0  # noqa: PLR2004 - three digits


def _request_id(sent: _Sent) -> str | None:
    """The id that the server gave the request."""
    headers = {name.lower(): value for name, value in _object(sent.get("headers", b"")).items()}
    for name in _REQUEST_IDS:
        value = headers.get(name, b"")
        if found := text_of(value[1:-1].strip() if value[:1] == b"[" else value):
            return found
    return _text(sent, "request_id")


def _duration(envelope: _Envelope, instants: list[int | None]) -> float | None:
    """Seconds that the request took, as measured, else between its start and its end; null when negative."""
    if envelope.duration_ms is not None:
        return envelope.duration_ms / 1000
    ended_at, received_at, started_at = instants
    end = received_at if ended_at is None else ended_at
    if end is None or started_at is None or end < started_at:
        return None
    return (end - started_at) / 1_000_000


def _object(raw: bytes) -> dict[str, bytes]:
    """The members of an object, or of one in a text; none where it is no object."""
    text = (text_of(raw) or "").encode(errors="replace") if raw[:1] == b'"' else raw
    if text.lstrip()[:1] != b"{":
        return {}
    try:
        return {name: bytes(value) for name, value in _MEMBERS.decode(text).items()}
    except msgspec.DecodeError:
        return {}


def _text(sent: _Sent, name: str) -> str | None:
    """A text, or another value as the text of its JSON; null where there is none, or an empty one."""
    raw = sent.get(name, b"null")
    if raw == b"null":
        return None
    text = text_of(raw)
    return (raw.decode() if text is None else text) or None


def canonical(members: Members) -> str:
    """JSON that depends on the content of an object alone."""
    return msgspec.json.encode(msgspec.json.decode(msgspec.json.encode(members)), order="sorted").decode()
