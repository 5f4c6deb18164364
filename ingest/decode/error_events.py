"""Errors that streams report by an event, which says neither when nor of which response it is.

The response is the one that the events before it carry. It makes the key of the failure, with the error: a response
fails once, wherever its transcript lies and however often it is read, and no two responses share an id. An error that
no open response precedes cannot be told from another one with the same words, and is skipped as an error; so is one
behind which the stream shows that its response has ended, since the response tells that itself.
"""

import msgspec

from runmart.ingest.decode.failures import canonical, columns_of_error, error_of
from runmart.ingest.decode.result import ErrorEvent, LenientRecord, LenientResult
from runmart.ingest.parse.classify import API_ERROR
from runmart.ingest.parse.json_object import Members
from runmart.models.observations import Origin
from runmart.models.record_specs import RESPONSE
from runmart.models.tables.neighbours import REQUEST_FAILURES, NeighbourRow
from runmart.models.wrappings import text_of

_NAME = "error"


def error_event(name: str, members: Members, origin: Origin, position: int) -> ErrorEvent | None:
    """The error that the data of an event report; None where they report none.

    Args:
        name: The name of the event; empty where only its data say what it is.
        members: Its data.
        origin: Where it comes from.
        position: Its position.
    """
    if (name or text_of(bytes(members.get("type", b"")))) != _NAME or members.keys() & {"id", "status"}:
        return None
    own = {one: value for one, value in members.items() if one != "type" or text_of(bytes(value)) != _NAME}
    error = error_of(bytes(own.get("error", b""))) or error_of(msgspec.json.encode(own))
    return None if error is None else ErrorEvent(origin, position, canonical(members), columns_of_error(error))


def settle(result: LenientResult) -> None:
    """Make of each error event a row of `request_failures`, or skip it."""
    events, result.error_events = result.error_events, []
    if not events:
        return
    ended = {_id(one): one.position for one in result.records if _has_ended(one)}
    records, at, before = result.records, 0, None
    for event in sorted(events, key=lambda one: one.position):
        while at < len(records) and records[at].position < event.position:
            before, at = records[at], at + 1
        if before is None or before.spec is not RESPONSE or _has_ended(before) or _id(before) in ended:
            result.skip(API_ERROR)
            continue
        run_id = _id(before)
        values = {**event.values, "run_id": run_id, "is_batch": False}
        key = (run_id, event.content)
        result.neighbours.append(NeighbourRow(REQUEST_FAILURES.name, event.origin, event.position, key, values))


def _id(one: LenientRecord) -> str:
    record: object = one.record
    return str(getattr(record, "id", ""))


def _has_ended(one: LenientRecord) -> bool:
    status = str(getattr(one.record, "status", ""))
    return one.spec.statuses.get(status, status) in one.spec.terminal_statuses
