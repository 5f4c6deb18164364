"""Webhook events of responses: an event with an id, which refers to a response by its id and says when it ended."""

import re

import msgspec
from msgspec import Struct

from runmart.ingest.decode import fields
from runmart.ingest.parse.json_object import Members
from runmart.models.observations import Origin
from runmart.models.quirks import microseconds
from runmart.models.records import Instant, NonEmpty
from runmart.models.tables.neighbours import WEBHOOK_EVENTS, NeighbourRow
from runmart.models.wrappings import text_of

_ENDS = re.compile(r"response\.(?:completed|failed|cancelled|incomplete)\Z")


class _Response(Struct):
    id: NonEmpty


class _Webhook(Struct):
    id: NonEmpty
    type: NonEmpty
    created_at: Instant
    data: _Response


_DECODER = msgspec.json.Decoder(_Webhook)


def is_webhook(members: Members) -> bool:
    """Whether an object without a response in it is an event that tells the end of one."""
    return "data" in members and _ENDS.match(text_of(bytes(members.get("type", b""))) or "") is not None


def webhook(members: Members, origin: Origin, position: int) -> NeighbourRow:
    """The row of an event.

    Raises:
        UnfitError: It lacks its id, its instant or the id of its response.
    """
    sent = {name: bytes(value) for name, value in members.items()}
    event: _Webhook = fields.decode(_DECODER, sent, {"created_at": fields.INSTANT})
    values = {"run_id": event.data.id, "type": event.type, "created_at": microseconds(event.created_at)}
    return NeighbourRow(WEBHOOK_EVENTS.name, origin, position, event.id, values)
