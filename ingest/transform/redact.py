"""Redaction: hash or drop the texts in a record, in the JSON that servers send and in the columns made of it.

One traversal serves both, since the columns that hold JSON hold parts of what was sent. It works by an allow-list of
what is no content; everything else is redacted.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, cast

import msgspec
from msgspec import Raw

from runmart.models.quirks import NOTHING
from runmart.models.record_spec import RecordSpec
from runmart.models.record_specs import SPECS
from runmart.models.records import TOOL_DEFINITIONS, CompletionUsage, RunStepRecord
from runmart.models.redaction_policy import DROPPED_ERROR, ContentField, RedactionPolicy, Rule
from runmart.models.spellings import FieldNames, Spellings
from runmart.models.statuses import STEP_OBJECT

HASH_PREFIX = "hash:"
_HASHED = re.compile(re.escape(HASH_PREFIX) + "[0-9a-f]{32}")
_WORD = re.compile(r"[\w-]{0,64}")
_NO_TEXTS = frozenset({"", "null"})
"""Spellings of null, which are no content."""


_Object = dict[str, Any]


class _Omitted:
    """Stands for a member that was dropped, with its name."""


_OMITTED = _Omitted()


@dataclass(frozen=True)
class _Shape:
    """Which members of an object are no content, and which are objects with a shape of their own."""

    kept: frozenset[str] = frozenset()
    """Members that are kept when they are neither object nor list."""
    inner: "Mapping[str, _Shape]" = field(default_factory=dict[str, "_Shape"])
    """Members that have a shape."""
    texts: Mapping[str, ContentField] = field(default_factory=dict[str, ContentField])
    """Members with a rule of their own."""
    rules: tuple[ContentField, ...] = ("extra",)
    """The rules of all other members: the strictest counts."""
    keeps_numbers: bool = False
    keeps_names: bool = False
    """Whether a dropped member leaves its name, and null."""
    remains: str | None = None
    """The member that is kept, as null, when all are dropped, to show that there was an object."""
    as_text: ContentField | None = None
    """The rule of a text in the place of the object."""
    keeps_text: bool = False
    """Whether such a text is kept when it is a single word."""
    fields: FieldNames | None = None
    """Of a record: its fields and their columns, where it was flattened."""

    @cached_property
    def names(self) -> frozenset[str]:
        """The members that are declared."""
        return self.kept | self.inner.keys() | self.texts.keys()

    def known(self, name: str) -> str:
        """The declared member that a name is a spelling of; the name itself where there is none."""
        return name if name in self.names else self._spellings.known(name) or name

    @cached_property
    def _spellings(self) -> Spellings:
        return Spellings(sorted(self.names))


def _nested(names: Sequence[str], kept: set[str], rule: ContentField) -> _Shape:
    """A shape in which members of some names have the same shape again."""
    inner: dict[str, _Shape] = {}
    shape = _Shape(frozenset(kept), inner, rules=(rule,))
    inner.update(dict.fromkeys(names, shape))
    return shape


_ERROR_RULES: tuple[ContentField, ...] = ("error_messages", "extra")
_TOOL = _nested(
    sorted({name for names in TOOL_DEFINITIONS.values() for name in names}), {"type", "name", "strict"}, "tools"
)
_CALLS = _nested(
    ("submit_tool_outputs", "submit_tool_approval", "message_creation", "tool_calls", "function"),
    {"id", "type", "name", "message_id"},
    "required_action",
)
_CHOICES = _nested(
    ("message", "tool_calls", "function", "custom", "function_call"),
    {"index", "finish_reason", "role", "id", "type", "name"},
    "extra",
)
_DETAILS = [one.name for one in msgspec.structs.fields(CompletionUsage) if one.name.endswith("details")]
_USAGE = _Shape(
    inner={name: _Shape(keeps_numbers=True) for name in _DETAILS}, keeps_numbers=True, remains="total_tokens"
)
_PARTS: dict[str, _Shape] = {
    "metadata": _Shape(rules=("metadata",), keeps_names=True),
    "tools": _TOOL,
    "tool_choice": _Shape(frozenset({"type"}), {"function": _Shape(frozenset({"name"}))}, keeps_text=True),
    "response_format": _Shape(
        frozenset({"type"}),
        {"json_schema": _Shape(frozenset({"name", "strict"}), rules=("response_format",))},
        rules=("response_format",),
        keeps_text=True,
    ),
    "required_action": _CALLS,
    "step_details": _CALLS,
    "last_error": _Shape(
        frozenset({"code"}),
        texts={"message": "error_messages"},
        rules=_ERROR_RULES,
        remains="message",
        as_text="error_messages",
    ),
    "incomplete_details": _Shape(frozenset({"reason"}), rules=_ERROR_RULES, remains="reason", keeps_text=True),
    "truncation_strategy": _Shape(frozenset({"type", "last_messages"})),
    "usage": _USAGE,
    "choices": _CHOICES,
}


def _shape(
    names: Mapping[str, str],
    content: Mapping[str, ContentField],
    unstored: frozenset[str] = frozenset(),
    plain: frozenset[str] = frozenset(),
) -> _Shape:
    """The shape of a record: attribute to name as sent, attributes that are texts and content, and unstored ones.

    Other members that are kept as well are `plain`.
    """
    inner = {sent: _PARTS[name] for name, sent in names.items() if name in _PARTS}
    texts: dict[str, ContentField] = {names[name]: rule for name, rule in content.items()}
    kept = {sent for name, sent in names.items() if name not in unstored} - inner.keys() - texts.keys()
    return _Shape(frozenset(kept | plain), inner, texts, fields=FieldNames(names))


@cache
def _record(spec: RecordSpec) -> _Shape:
    return _shape(spec.sent_names(), spec.content, spec.unstored, spec.shown_by | spec.plain)


@cache
def _page_names(spec: RecordSpec) -> frozenset[str]:
    return frozenset(one.encode_name for one in msgspec.structs.fields(spec.page)) - {"data"}


_STEP_NAMES = [*(one.name for one in msgspec.structs.fields(RunStepRecord)), "object"]
_STEP = _shape(dict(zip(_STEP_NAMES, _STEP_NAMES, strict=True)), {})


class Redactor:
    """Redacts content by rules. What is redacted already stays as it is."""

    def __init__(self, content: RedactionPolicy, specs: Sequence[RecordSpec] = SPECS) -> None:
        """Redacts by `content`; `specs` are the kinds of records, the first one that of a record that names none."""
        self._content = content
        self._key = hashlib.sha256(content.key or b"").digest()
        self._records = [_record(spec) for spec in specs]
        self._by_object = dict(zip((spec.object for spec in specs), self._records, strict=True))
        self._by_object[STEP_OBJECT] = _STEP
        self._shown = [(spec.shown_by, _record(spec)) for spec in specs if spec.shown_by]
        self._page_names = frozenset[str]().union(*map(_page_names, specs))

    def text(self, of: ContentField, text: str) -> str | None:
        """A text, its hash, or None when it is to be dropped."""
        return self._text(self._content.rule(of), text)

    def json(self, part: str, text: str) -> str | None:
        """A JSON column, without its content; None when nothing is left.

        Args:
            part: An attribute of runs that is kept as JSON; `extra`; `config` or `parameters` of a tool.
            text: Its JSON.
        """
        try:
            redacted = self._part(part, _parsed(text))
            return None if redacted is _OMITTED else msgspec.json.encode(redacted).decode()
        except (ValueError, RecursionError):  # a name is repeated, or it is nested too deep to look at
            return None

    def _part(self, part: str, value: Any) -> Any:
        if part == "parameters":
            return self._whole(("tools",), value)
        if part == "extra":
            return self._extra(value)
        shape = _TOOL if part == "config" else _PARTS[part]
        redacted = self._walked(shape, value)
        is_empty = bool(shape.remains) and _is_empty(redacted)
        return _OMITTED if is_empty and (shape.as_text or redacted == {shape.remains: None}) else redacted

    def _extra(self, value: _Object) -> Any:
        """The fields that a record does not declare, and declared ones that have unknown members.

        Which kind of record it was is not known here: a field that the first kind does not declare follows the rules of
        the kinds that do and, whatever they leave, the one for unknown fields.
        """
        first, *others = self._records
        found: _Object = {}
        for name, one in value.items():
            redacted: Any = one
            for record in (*(one for one in others if name in one.names and name not in first.names), first):
                redacted = redacted if redacted is _OMITTED else self._member(record, name, redacted)
            shape = first.inner.get(name)
            if redacted is not _OMITTED and (shape is None or redacted.keys() - shape.kept - shape.texts.keys()):
                found[name] = redacted
        return found or _OMITTED

    def document(self, raw: bytes) -> bytes | None:
        """A server's response without its content; None when it cannot be parsed."""
        try:
            value = _parsed(raw.decode())
            return msgspec.json.encode(self._document(value))
        except (ValueError, RecursionError, msgspec.MsgspecError):
            return None

    def _document(self, value: Any) -> Any:
        if isinstance(value, list):
            found: list[Any] = [self._document(one) for one in cast("list[Any]", value)]
            return found
        if not isinstance(value, dict):
            raise ValueError  # noqa: TRY004 - it is about a text, as all here
        sent = cast("_Object", value)
        if isinstance(sent.get("data"), list):
            names = self._page_names
            page = {name: one for name, one in sent.items() if name in names and not isinstance(one, dict | list)}
            return page | {"data": self._document(sent["data"])}
        kind = sent.get("object")
        shape = self._by_object.get(kind) if isinstance(kind, str) else None
        if kind is None and "id" not in sent:
            shape = next((of for names, of in self._shown if names <= sent.keys()), None)
        redacted = self._walked(shape or self._records[0], sent)
        return {} if redacted is _OMITTED else redacted

    def _walked(self, shape: _Shape, value: Any) -> Any:
        """A value of a shape, or a list of such."""
        if value is None:
            return None
        if isinstance(value, str):
            return self._in_place(shape, value)
        if isinstance(value, list):
            elements: list[Any] = [self._walked(shape, one) for one in cast("list[Any]", value)]
            return [None if one is _OMITTED else one for one in elements]
        if not isinstance(value, dict):
            return value if _is_nothing(value) else _OMITTED
        sent = cast("_Object", value)
        found = {name: self._member(shape, name, one) for name, one in sent.items()}
        left = {name: one for name, one in found.items() if one is not _OMITTED}
        if shape.as_text and _is_empty(left):
            is_dropped = any(found[name] is _OMITTED and not _is_nothing(one) for name, one in sent.items())
            left = {**DROPPED_ERROR, **left} if is_dropped else left
        if sent and not left:
            return {shape.remains: None} if shape.remains else _OMITTED
        return left

    def _member(self, shape: _Shape, sent_name: str, value: Any) -> Any:
        """A member; a column that was cut from one is redacted as it would be within that."""
        name = shape.known(sent_name)
        column = None if name in shape.names or shape.fields is None else shape.fields.column(name)
        if column is not None:
            return self._column(shape, (column.field, *column.path), value)
        if name in shape.inner:
            return self._walked(shape.inner[name], value)
        if _is_flat(value) and (name in shape.kept or (shape.keeps_numbers and not isinstance(value, str))):
            return value
        if shape.keeps_numbers and isinstance(value, dict):
            return self._walked(shape, cast("_Object", value))
        if shape.as_text and _is_nothing(value):
            return value  # its digest would be something
        rules = (shape.texts[name],) if name in shape.texts else shape.rules
        redacted = self._whole(rules, value)
        return None if redacted is _OMITTED and shape.keeps_names else redacted

    def _column(self, shape: _Shape, path: Sequence[str], value: Any) -> Any:
        """A value at the end of a path; the indices of lists do not count, nor the types behind a scalar."""
        field, *steps = (step for step in path if not step.isdigit())
        inner = shape.inner.get(shape.known(field))
        if inner is None or not steps:
            return self._member(shape, field, value)
        return self._column(inner, steps, value)

    def _in_place(self, shape: _Shape, text: str) -> Any:
        """A text where an object is expected."""
        if shape.as_text:
            return self._whole((shape.as_text,), text)
        is_word = shape.keeps_text and _WORD.fullmatch(text)
        return text if is_word or msgspec.json.encode(text) in NOTHING else _OMITTED

    def _whole(self, rules: tuple[ContentField, ...], value: Any) -> Any:
        """A value that is content as a whole."""
        if value is None:
            return None
        rule = self._content.rule(*rules)
        if rule == "keep":
            return value
        redacted = self._text(rule, value if isinstance(value, str) else msgspec.json.encode(value).decode())
        return _OMITTED if redacted is None else redacted

    def _text(self, rule: Rule, text: str) -> str | None:
        if rule == "keep" or text in _NO_TEXTS or (rule == "hash" and _HASHED.fullmatch(text)):
            return text
        return None if rule == "drop" else f"{HASH_PREFIX}{self._digest(text.encode(errors='surrogatepass'), 16)}"

    def _digest(self, data: bytes, size: int) -> str:
        return hashlib.blake2b(data, key=self._key, digest_size=size).hexdigest()

    def fingerprint(self) -> str:
        """A digest of the key: equal for equal keys, and of no other use."""
        return self._digest(b"runmart", 8)


def _is_empty(value: Any) -> bool:
    """Whether all members of an object are nothing."""
    return isinstance(value, dict) and all(map(_is_nothing, cast("_Object", value).values()))


def _is_nothing(value: Any) -> bool:
    return msgspec.json.encode(value) in NOTHING


def _is_flat(value: Any) -> bool:
    """Whether a value has no members or elements; some servers send an empty object for null."""
    return not (isinstance(value, dict | list) and value)


def _parsed(text: str) -> Any:
    """A JSON value; numbers stay as they were sent.

    Raises:
        ValueError: It is none, or a name is repeated in it.
    """
    return json.loads(
        text, object_pairs_hook=_unique, parse_float=_as_sent, parse_int=_as_sent, parse_constant=_refused
    )


def _unique(pairs: list[tuple[str, Any]]) -> _Object:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


_as_sent: Callable[[str], Any] = lambda digits: Raw(digits.encode())  # noqa: E731


def _refused(_: str) -> Any:
    raise ValueError
