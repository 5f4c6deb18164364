"""Usage and costs of an organisation: buckets of time, each with a result per group."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from runmart.ingest.decode import fields
from runmart.ingest.decode.fields import COUNT, FLAG, INSTANT, NUMBER
from runmart.ingest.parse.json_object import Members, UnfitError, json_object, object_members
from runmart.models.observations import Origin
from runmart.models.quirks import microseconds
from runmart.models.records import Instant, Int64, NonEmpty
from runmart.models.tables.neighbours import ORGANIZATION_USAGE, USAGE_GROUP, NeighbourRow
from runmart.models.wrappings import text_of

BUCKET = "bucket"
COSTS = "organization.costs.result"
COMPLETIONS = "organization.usage.completions.result"
_STORED = frozenset({COSTS, COMPLETIONS})


class Bucket(Struct):
    """A bucket of time, in microseconds since 1970, without its results."""

    start_time: Instant
    end_time: Instant


class _Amount(Struct):
    value: float
    currency: NonEmpty


class _Result(Struct):
    object: str
    project_id: str | None = None
    user_id: str | None = None
    api_key_id: str | None = None
    model: str | None = None
    batch: bool | None = None
    service_tier: str | None = None
    line_item: str | None = None
    input_tokens: Int64 | None = None
    input_cached_tokens: Int64 | None = None
    input_cache_write_tokens: Int64 | None = None
    output_tokens: Int64 | None = None
    num_model_requests: Int64 | None = None
    amount: Raw = Raw(b"null")
    quantity: float | None = None
    quantity_unit: str | None = None


_COUNTS = {
    "input_tokens": "input_tokens",
    "input_cached_tokens": "cached_input_tokens",
    "input_cache_write_tokens": "cache_write_tokens",
    "output_tokens": "output_tokens",
    "num_model_requests": "model_requests",
}
"""Counts as sent, and their columns."""

_LIKES = {**dict.fromkeys(_COUNTS, COUNT), "quantity": NUMBER, "batch": FLAG}
_BUCKETS = msgspec.json.Decoder(Bucket)
_RESULTS = msgspec.json.Decoder(_Result)
_AMOUNTS = msgspec.json.Decoder(_Amount)


def is_bucket(kind: str, members: Members) -> bool:
    """Whether an object is a bucket of usage or costs."""
    return kind == BUCKET and "start_time" in members and bytes(members.get("results", b""))[:1] == b"["


def bucket(members: Members) -> Bucket:
    """The time of a bucket.

    Raises:
        UnfitError: It lacks its start or its end, or one of them is no instant.
    """
    sent = {name: bytes(members[name]) for name in ("start_time", "end_time") if name in members}
    return fields.decode(_BUCKETS, sent, dict.fromkeys(sent, INSTANT))


def kind_of_result(text: bytes) -> str:
    """What a result says that it is; empty where it does not say so."""
    return text_of(bytes(object_members(text).get("object", b""))) or ""


def is_stored(kind: str) -> bool:
    """Whether results of a kind are stored; usage of other kinds (embeddings, images) is not."""
    return kind in _STORED


def result(text: bytes, within: Bucket, origin: Origin, position: int) -> NeighbourRow:
    """The row of a result.

    Raises:
        UnfitError: A value is of a wrong type, or costs without an amount.
        msgspec.DecodeError: `text` is no JSON object.
    """
    sent = {name: bytes(value) for name, value in object_members(text).items()}
    found: _Result = fields.decode(_RESULTS, sent, _LIKES)
    start = microseconds(within.start_time)
    group: dict[str, str | bool | None] = {name: getattr(found, name) for name in USAGE_GROUP}
    others = [(name, value) for name, value in sent.items() if name not in _Result.__struct_fields__]
    details = json_object(others)
    values: dict[str, Any] = {
        "object": found.object,
        "start_time": start,
        "end_time": microseconds(within.end_time),
        **group,
        **{column: getattr(found, name) for name, column in _COUNTS.items()},
        **_costs(found),
        "details": None if details is None else details.decode(),
    }
    return NeighbourRow(ORGANIZATION_USAGE.name, origin, position, (found.object, start, *group.values()), values)


def _costs(found: _Result) -> dict[str, Any]:
    raw = bytes(found.amount)
    values: dict[str, Any] = {"quantity": found.quantity, "quantity_unit": found.quantity_unit}
    if raw == b"null":
        if found.object == COSTS:
            raise UnfitError("costs without an amount: expected `amount` with `value` and `currency`", "$.amount")
        return values
    if raw[:1] != b"{":
        raise UnfitError("expected an object with `value` and `currency`", "$.amount")
    sent = {name: bytes(value) for name, value in object_members(raw, "$.amount").items()}
    try:
        amount: _Amount = fields.decode(_AMOUNTS, sent, {"value": NUMBER})
    except UnfitError as error:
        raise UnfitError(error.reason, "$.amount" + error.json_path.removeprefix("$")) from None
    return values | {"amount": amount.value, "currency": amount.currency.upper()}
