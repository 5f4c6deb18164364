"""Quirks: values that servers send in another form than the API's, and how each is normalised.

A rule exists only where the meaning is certain. Any other value of a wrong type is rejected, with a reason and its
text, so that a rule can be added later and `runmart rejects --retry` can load it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from runmart.models import wrappings
from runmart.models.records import YEAR_ONE, RunRecord
from runmart.models.shapes import SHAPES, paths
from runmart.models.spellings import FieldNames
from runmart.models.wrappings import MILLISECONDS_FROM

INSTANTS = ("created_at", "started_at", "expires_at", "completed_at", "failed_at", "cancelled_at")
OBJECTS = ("required_action", "last_error", "incomplete_details", "usage", "truncation_strategy")
CHOICES = ("tool_choice", "response_format")
STEP_OBJECTS = ("step_details",)
INTEGERS = ("max_prompt_tokens", "max_completion_tokens")
FLOATS = ("temperature", "top_p")
BOOLEANS = ("parallel_tool_calls",)
TEXTS = ("id", "object", "status", "model", "thread_id", "assistant_id", "agent_id", "instructions")
COUNTS = tuple(paths("count"))
FLAGS = tuple(paths("flag"))
MEMBERS = tuple(paths("text"))
PARTS = tuple(path for path in paths(dict) if path not in SHAPES)

GROUPS = {
    "instants": INSTANTS,
    "counts": COUNTS,
    "flags": FLAGS,
    "texts": TEXTS,
    "texts in objects": MEMBERS,
    "objects in objects": PARTS,
}
"""Fields of one type, under the names that the documentation has for them all."""

NULL_WORDS = frozenset({b"null", b'"null"', b'""'})
"""Spellings of null wherever no text is expected."""

NOTHING = NULL_WORDS | {b"{}", b"{ }", b"[]", b"[ ]", b"0", b"false"}
"""Spellings of null where an object with content is expected."""

_SCALARS = INSTANTS + INTEGERS + FLOATS + BOOLEANS + TEXTS + COUNTS + FLAGS + MEMBERS


def microseconds(instant: float | None) -> int | None:
    """An instant as sent, in microseconds since 1970: seconds or, from the year 5138 on, milliseconds.

    0 is null, and so is the first second of the year 1.
    """
    if not instant or instant == YEAR_ONE:
        return None
    if instant < MILLISECONDS_FROM:
        return round(instant * 1_000_000)
    return round(instant * 1000)


def _null(_: bytes) -> bytes:
    return b"null"


def _is_message(raw: bytes) -> bool:
    """Whether a text stands in the place of an object of which it is the main member."""
    return raw[:1] == b'"' and raw not in NULL_WORDS and wrappings.spoilt_by(raw) is None


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
        "JSON in quotes",
        OBJECTS + CHOICES + STEP_OBJECTS + ("metadata", "tools") + PARTS,
        wrappings.quoted_json,
        wrappings.unquoted_json,
        "A text that is a JSON object or list, where one is expected, was encoded twice: a JSON column as text.",
        ('"{\\"type\\":\\"auto\\"}"', '{"type":"auto"}'),
    ),
    Quirk(
        "list of one value",
        _SCALARS + CHOICES,
        wrappings.list_of_one,
        wrappings.only_one,
        "R has no single values: jsonlite writes each as a list of one, and null as a list of none.",
        ("[1727259300]", "1727259300"),
    ),
    Quirk(
        "number of MongoDB",
        INSTANTS + INTEGERS + FLOATS + COUNTS,
        wrappings.mongo_number,
        wrappings.from_mongo_number,
        "Extended JSON names the type: `$numberInt`, `$numberLong`, `$numberDouble`, `$numberDecimal`.",
        ('{"$numberLong":"1727259300"}', "1727259300"),
    ),
    Quirk(
        "date of MongoDB",
        INSTANTS,
        wrappings.mongo_date,
        wrappings.from_mongo_date,
        "Extended JSON counts milliseconds, or writes RFC 3339.",
        ('{"$date":{"$numberLong":"1727259300000"}}', "1727259300.0"),
    ),
    Quirk(
        "date of Microsoft",
        INSTANTS,
        wrappings.microsoft_date,
        wrappings.from_microsoft_date,
        "ASP.NET and Windows PowerShell write milliseconds in UTC so, whatever the offset behind them.",
        ('"/Date(1727259300000+0200)/"', "1727259300.0"),
    ),
    Quirk(
        "word for null",
        INSTANTS + OBJECTS + CHOICES + INTEGERS + FLOATS + BOOLEANS + ("metadata", "tools") + COUNTS + FLAGS,
        NULL_WORDS.__contains__,
        _null,
        '`"null"` and `""` are no value of these types; Azure OpenAI\'s examples send the former.',
        ('"null"', "null"),
    ),
    Quirk(
        "nothing for null in an object",
        OBJECTS + CHOICES + STEP_OBJECTS,
        NOTHING.__contains__,
        _null,
        "`{}`, `[]`, `0` and `false` say that there is no error, no usage, no action.",
        ("{}", "null"),
    ),
    Quirk(
        "empty object for null",
        INTEGERS + FLOATS + BOOLEANS + TEXTS + COUNTS + FLAGS + MEMBERS,
        b"{}".__eq__,
        _null,
        "It holds no value; jsonlite writes R's NULL so.",
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
        wrappings.milliseconds,
        lambda raw: repr(float(raw) / 1000).encode(),
        "Read as seconds, the instant would lie after the year 5138.",
        ("1699075592123", "1699075592.123"),
    ),
    Quirk(
        "number in quotes",
        INTEGERS + FLOATS + COUNTS,
        wrappings.quoted_number,
        wrappings.unquoted,
        "The digits are the number.",
        ('"1699075592"', "1699075592"),
    ),
    Quirk(
        "instant in quotes",
        INSTANTS,
        wrappings.quoted_instant,
        wrappings.unquoted,
        'The digits are the number, unless they are those of a date: `"20240925"` names no instant, and is rejected.',
        ('"1699075592"', "1699075592"),
    ),
    Quirk(
        "date and time with an offset",
        INSTANTS,
        wrappings.rfc3339,
        wrappings.from_rfc3339,
        "RFC 3339 names one instant; without an offset it would not, and is rejected.",
        ('"2023-11-04T05:26:32Z"', "1699075592.0"),
    ),
    Quirk(
        "whole number with a decimal point",
        INTEGERS + COUNTS,
        wrappings.whole_fraction,
        wrappings.whole,
        "Some languages write every number so, or large ones with an exponent.",
        ("256.0", "256"),
    ),
    Quirk(
        "boolean in quotes",
        BOOLEANS + FLAGS,
        frozenset({b'"true"', b'"false"'}).__contains__,
        wrappings.unquoted,
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
        _is_message,
        lambda raw: b'{"message":' + raw + b"}",
        "A text in the place of the error is its message.",
        ('"Rate limit reached"', '{"message":"Rate limit reached"}'),
    ),
    Quirk(
        "reason for its object",
        ("incomplete_details",),
        _is_message,
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
    ("usage.input_token_details", "usage.prompt_tokens_details", "the Realtime API's word"),
    ("usage.output_token_details", "usage.completion_tokens_details", "the Realtime API's word"),
    ("usage.completion_token_details", "usage.completion_tokens_details", "as `prompt_token_details`"),
    (
        "usage.prompt_cache_hit_tokens",
        "usage.prompt_tokens_details.cached_tokens",
        "DeepSeek; its `prompt_cache_miss_tokens` are the rest of the prompt",
    ),
    ("usage.cached_tokens", "usage.prompt_tokens_details.cached_tokens", "Moonshot and others: without the object"),
    (
        "usage.reasoning_tokens",
        "usage.completion_tokens_details.reasoning_tokens",
        "SGLang and others: without the object; no part of the completion tokens where they are more",
    ),
)
"""Fields that some servers rename: name as sent, name that it stands for (unless that is sent as well), origin."""

_FIELDS = FieldNames({name: name for name in RunRecord.__struct_fields__})


def field_of(name: str) -> str | None:
    """The field of a run (one of its 27, or `agent_id`) that the name of a member stands for; None for other names.

    A name stands for the field that it is a spelling of, or, as a flattened column, for the object that it is cut from.
    """
    return _FIELDS.field_of(name)


_BY_FIELD: dict[str, tuple[Quirk, ...]] = {
    field: tuple(quirk for quirk in QUIRKS if field in quirk.fields)
    for field in {field for quirk in QUIRKS for field in quirk.fields}
}


def normalise(field: str, raw: bytes) -> bytes:
    """The JSON that `raw`, sent as `field` of a run, stands for; `raw` itself where no quirk applies.

    The members of an object are left as they are. `field` may be one of these, such as `usage.prompt_tokens`.

    Milliseconds are returned unchanged: `microseconds` converts them when the column is built.
    """
    if raw.isdigit() and raw != b"0":
        return raw  # no rule changes what most values are
    for quirk in _BY_FIELD.get(field, ()):
        if raw != b"null" and quirk.name != "milliseconds" and quirk.sent(raw):
            raw = quirk.meaning(raw)
    return raw
