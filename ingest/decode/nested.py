"""Decoders of the objects within a record (errors, truncation, required actions), one text at a time."""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from runmart.ingest.decode import json_text
from runmart.ingest.decode.normalised import normalised
from runmart.ingest.parse.json_object import UnfitError, json_object, object_members, unfit
from runmart.ingest.parse.quoting import quoted
from runmart.models.quirks import NOTHING, NULL_WORDS
from runmart.models.records import RequiredAction
from runmart.models.redaction_policy import DROPPED_ERROR

Record = TypeVar("Record", bound=Struct)

_ACTION = msgspec.json.Decoder(RequiredAction)
_JSON_STARTS = {"metadata": b"{", "tool_choice": b'{"', "response_format": b'{"'}


class Known(NamedTuple, Generic[Record]):
    """A decoded object: declared members and unknown ones."""

    record: Record | None
    """None for each spelling of null, and for a problem that says nothing."""
    unknown: list[tuple[str, bytes]]
    """Name and value of the members that `record` does not declare."""
    text: bytes = b""
    """The whole object, normalised."""


_PROBLEMS = frozenset({"last_error", "incomplete_details"})
"""Objects that say that something went wrong, unless they say nothing: an error with empty members, details without a
reason."""

_DROPPED = msgspec.json.encode(DROPPED_ERROR).removesuffix(b"null}")


def nested(field: str, record: type[Record]) -> Callable[[bytes], Known[Record]]:
    """The decoder of the objects of `field`.

    Raises:
        UnfitError: A value does not fit, or has a repeated key.
    """
    known_names = {member.encode_name for member in msgspec.structs.fields(record)}
    decoder = msgspec.json.Decoder(record)
    path = f"$.{field}"

    def decode(sent: bytes) -> Known[Record]:
        text = normalised(field, sent)
        if not text or text in NOTHING:
            return Known(None, [])
        try:
            members = object_members(text, path)
            known = [(name, bytes(value)) for name, value in members.items() if name in known_names]
            found = decoder.decode(json_object(known) or b"{}")
        except msgspec.DecodeError as error:
            raise unfit(error, path) from None
        unknown = [(name, bytes(value)) for name, value in members.items() if name not in known_names]
        told = known if field == "incomplete_details" else [*known, *unknown]
        says_nothing = (
            field in _PROBLEMS and all(value in NOTHING for _, value in told) and not sent.startswith(_DROPPED)
        )
        return Known(found if members and not says_nothing else None, unknown, text)

    return decode


def kept_json(field: str) -> Callable[[bytes], bytes | None]:
    """The decoder of a field that stays JSON. It returns compact JSON, or None for each spelling of null.

    Raises:
        UnfitError: It is no object, and no text where one is allowed.
    """
    starts, expected = _JSON_STARTS[field], "an object" if field == "metadata" else "a text or an object"
    nulls = NULL_WORDS if field == "metadata" else NOTHING

    def decode(sent: bytes) -> bytes | None:
        text = normalised(field, sent)
        if text and text[0] not in starts and text not in nulls:
            raise UnfitError(f"Expected {expected} or null, got {quoted(sent)}", f"$.{field}")
        return json_text.kept(text, nulls)

    return decode


def action(sent: bytes) -> bytes | None:
    """A required action as compact JSON; None for each spelling of null.

    Raises:
        UnfitError: It has another shape than the API's, which queries rely on.
    """
    text = normalised("required_action", sent)
    if text and text not in NOTHING:
        try:
            _ACTION.decode(text)
        except msgspec.DecodeError as error:
            raise unfit(error, "$.required_action") from None
    return json_text.kept(text, NOTHING)
