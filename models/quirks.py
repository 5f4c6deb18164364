"""Quirks: values that servers send in another form than the API's, and how each is normalised.

A rule exists only where the meaning is certain. Any other value of a wrong type is rejected, with a reason and its
text, so that a rule can be added later and `runmart rejects --retry` can load it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import msgspec

from runmart.models.records import RunRecord
from runmart.models.spellings import Spellings, leaf

INSTANTS = ("created_at", "started_at", "expires_at", "completed_at", "failed_at", "cancelled_at")
OBJECTS = ("required_action", "last_error", "incomplete_details", "usage", "truncation_strategy")
CHOICES = ("tool_choice", "response_format")
INTEGERS = ("max_prompt_tokens", "max_completion_tokens")
FLOATS = ("temperature", "top_p")
BOOLEANS = ("parallel_tool_calls",)

NULL_WORDS = frozenset({b"null", b'"null"', b'""'})
"""Spellings of null wherever no text is expected."""

NOTHING = NULL_WORDS | {b"{}", b"{ }", b"[]", b"[ ]", b"0", b"false"}
"""Spellings of null where an object with content is expected."""

MILLISECONDS_FROM = 10**11  # as seconds, the year 5138
_WHOLE_FLOAT = re.compile(rb"(-?\d{1,18})\.0+\Z")
_NUMBER = re.compile(rb"-?\d{1,18}(\.\d+)?\Z")


def microseconds(instant: float | None) -> int | None:
    """An instant as sent, in microseconds since 1970: seconds or, from the year 5138 on, milliseconds; 0 is null."""
    if not instant:
        return None
    if -MILLISECONDS_FROM < instant < MILLISECONDS_FROM:
        return round(instant * 1_000_000)
    return round(instant * 1000)


def _null(_: bytes) -> bytes:
    return b"null"


def _unquote(raw: bytes) -> bytes:
    return raw[1:-1]


def _rfc3339(raw: bytes) -> bytes:
    text: str = msgspec.json.decode(raw)
    return repr(datetime.fromisoformat(text).timestamp()).encode()


def _is_rfc3339(raw: bytes) -> bool:
    if raw[:1] != b'"':
        return False
    try:
        return datetime.fromisoformat(msgspec.json.decode(raw)).tzinfo is not None
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Quirk:
    """One rule: a form of JSON in some fields, and the JSON that it stands for."""

    name: str
    fields: tuple[str, ...]
    sent: Callable[[bytes], bool]
    meaning: Callable[[bytes], bytes]
    why: str
    example: tuple[str, str]
    """JSON as sent, JSON as stored, in the first of `fields`."""


QUIRKS: tuple[Quirk, ...] = (
    Quirk(
        "word for null",
        INSTANTS + OBJECTS + CHOICES + INTEGERS + FLOATS + BOOLEANS + ("metadata", "tools"),
        NULL_WORDS.__contains__,
        _null,
        '`"null"` and `""` are no value of these types; Azure OpenAI\'s examples send the former.',
        ('"null"', "null"),
    ),
    Quirk(
        "nothing for null in an object",
        OBJECTS + CHOICES,
        NOTHING.__contains__,
        _null,
        "`{}`, `[]`, `0` and `false` say that there is no error, no usage, no action.",
        ("{}", "null"),
    ),
    Quirk(
        "nothing for null in an instant",
        INSTANTS,
        (frozenset({b"{}", b"[]", b"false", b"0", b"0.0"})).__contains__,
        _null,
        "No run was created, started or ended in the first second of 1970.",
        ("0", "null"),
    ),
    Quirk(
        "milliseconds",
        INSTANTS,
        lambda raw: _NUMBER.match(raw) is not None and MILLISECONDS_FROM <= abs(float(raw)) < 10**14,
        lambda raw: repr(float(raw) / 1000).encode(),
        "Read as seconds, the instant would lie after the year 5138.",
        ("1699075592123", "1699075592.123"),
    ),
    Quirk(
        "number in quotes",
        INSTANTS + INTEGERS + FLOATS,
        lambda raw: raw[:1] == b'"' and _NUMBER.match(raw[1:-1]) is not None,
        _unquote,
        "The digits are the number.",
        ('"1699075592"', "1699075592"),
    ),
    Quirk(
        "date and time with an offset",
        INSTANTS,
        _is_rfc3339,
        _rfc3339,
        "RFC 3339 names one instant; without an offset it would not, and is rejected.",
        ('"2023-11-04T05:26:32Z"', "1699075592.0"),
    ),
    Quirk(
        "whole number with a decimal point",
        INTEGERS,
        lambda raw: _WHOLE_FLOAT.match(raw) is not None,
        lambda raw: raw[: raw.index(b".")],
        "Some languages write every number so.",
        ("256.0", "256"),
    ),
    Quirk(
        "boolean in quotes",
        BOOLEANS,
        frozenset({b'"true"', b'"false"'}).__contains__,
        _unquote,
        "The word is the value.",
        ('"true"', "true"),
    ),
    Quirk(
        "empty list for empty metadata",
        ("metadata",),
        b"[]".__eq__,
        lambda _: b"{}",
        "PHP writes an empty map as an empty list.",
        ("[]", "{}"),
    ),
    Quirk(
        "nothing for no tools",
        ("tools",),
        NOTHING.__contains__,
        _null,
        "There is no tool in it.",
        ("{}", "null"),
    ),
    Quirk(
        "message for an error",
        ("last_error",),
        lambda raw: raw[:1] == b'"' and raw not in NULL_WORDS,
        lambda raw: b'{"message":' + raw + b"}",
        "A text in the place of the error is its message.",
        ('"Rate limit reached"', '{"message":"Rate limit reached"}'),
    ),
    Quirk(
        "reason for its object",
        ("incomplete_details",),
        lambda raw: raw[:1] == b'"' and raw not in NULL_WORDS,
        lambda raw: b'{"reason":' + raw + b"}",
        "A text in the place of the details is the reason.",
        ('"max_completion_tokens"', '{"reason":"max_completion_tokens"}'),
    ),
)

RENAMED: tuple[tuple[str, str, str], ...] = (
    ("agent_id", "assistant_id", "Azure's word for the assistant"),
    (
        "usage.prompt_token_details",
        "usage.prompt_tokens_details",
        "OpenAI's recorded responses of 2026 send it so",
    ),
    ("usage.input_tokens", "usage.prompt_tokens", "the Responses API's word"),
    ("usage.output_tokens", "usage.completion_tokens", "the Responses API's word"),
    ("usage.input_tokens_details", "usage.prompt_tokens_details", "the Responses API's word"),
    ("usage.output_tokens_details", "usage.completion_tokens_details", "the Responses API's word"),
)
"""Fields that some servers rename: name as sent, name that it stands for (unless that is sent as well), origin."""

_FIELDS = Spellings(RunRecord.__struct_fields__)
_JSON_FIELDS = frozenset((*OBJECTS, *CHOICES, "metadata", "tools"))


@lru_cache(4096)
def field_of(name: str) -> str | None:
    """The field of a run (one of its 27, or `agent_id`) that the name of a member stands for; None for other names.

    A name stands for the field that it is a spelling of, or, as a flattened column, for the object that it is cut from.
    """
    if known := _FIELDS.known(name):
        return known
    column = leaf(name)
    field = _FIELDS.known(column[0]) if column else None
    return field if column and (field in _JSON_FIELDS or column[1][:1] == "$") else None


_BY_FIELD: dict[str, tuple[Quirk, ...]] = {
    field: tuple(quirk for quirk in QUIRKS if field in quirk.fields)
    for field in {field for quirk in QUIRKS for field in quirk.fields}
}


def normalise(field: str, raw: bytes) -> bytes:
    """The JSON that `raw`, sent as `field` of a run, stands for; `raw` itself where no quirk applies.

    Milliseconds are returned unchanged: `microseconds` converts them when the column is built.
    """
    for quirk in _BY_FIELD.get(field, ()):
        if raw != b"null" and quirk.name != "milliseconds" and quirk.sent(raw):
            raw = quirk.meaning(raw)
    return raw
