"""Content: hash or drop the texts in a run, in the JSON that servers send and in the columns made of it.

One walk serves both, since the columns that hold JSON hold parts of what was sent. It knows what is no content; the
rest, whatever it is, is hidden.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
from msgspec import Raw

from runmart.models.quirks import NOTHING
from runmart.models.records import TOOL_DEFINITIONS, CompletionUsage, RunRecord, RunStepRecord
from runmart.models.redaction import ContentField, RedactionPolicy, Rule
from runmart.models.statuses import STEP_OBJECT

HASH_PREFIX = "hash:"
_HASHED = re.compile(re.escape(HASH_PREFIX) + "[0-9a-f]{32}")
_QUOTED = re.compile(r"got `(?!(?:int|float|str|bool|null|array|object)`).*`", re.DOTALL)

_Object = dict[str, Any]


class _Omitted:
    """What was dropped, with its name."""


_OMITTED = _Omitted()


@dataclass(frozen=True, slots=True)
class _Shape:
    """What of an object is no content, and where in it there is more to look at."""

    kept: frozenset[str] = frozenset()
    """Members that stay when they are neither object nor list."""
    inner: "Mapping[str, _Shape]" = field(default_factory=dict[str, "_Shape"])
    """Members that have a shape themselves."""
    texts: Mapping[str, ContentField] = field(default_factory=dict[str, ContentField])
    """Members with a rule of their own."""
    rules: tuple[ContentField, ...] = ("extra",)
    """What other members are: the strictest rule counts."""
    keeps_numbers: bool = False
    keeps_names: bool = False
    """Whether what is dropped leaves its name, and null."""
    remains: str | None = None
    """The member that remains, as null, when all are dropped: that there was something, stays."""
    as_text: ContentField | None = None
    """What a text is in the place of the object."""
    keeps_text: bool = False
    """Whether such a text is one of a few words."""


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
}


def _record(record: type[msgspec.Struct], *more: str) -> _Shape:
    """The shape of a run or a step."""
    names = {one.name for one in msgspec.structs.fields(record)} | set(more)
    inner = {name: shape for name, shape in _PARTS.items() if name in names}
    return _Shape(frozenset(names - inner.keys() - {"instructions"}), inner, {"instructions": "instructions"})


_RUN = _record(RunRecord)
_STEP = _record(RunStepRecord, "object")
_PAGE = frozenset({"object", "first_id", "last_id", "has_more"})


class Redactor:
    """Hides content by rules. What is hidden already stays as it is."""

    def __init__(self, content: RedactionPolicy) -> None:
        self._content = content
        self._key = hashlib.sha256(content.key or b"").digest()

    def text(self, of: ContentField, text: str) -> str | None:
        """A text, its hash, or None when it is to be dropped."""
        return self._text(self._content.rule(of), text)

    def json(self, part: str, text: str) -> str | None:
        """A JSON column, without its content; None when nothing is left.

        Args:
            part: A field of runs that is kept as JSON; `extra`, for other fields; `config` or `parameters` of a tool.
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
        return _OMITTED if shape.remains and redacted == {shape.remains: None} else redacted

    def _extra(self, value: _Object) -> Any:
        """The fields that are none of the 27, and those of the 27 that have unknown members."""
        found: _Object = {}
        for name, one in value.items():
            redacted = self._member(_RUN, name, one)
            shape = _RUN.inner.get(name)
            if redacted is not _OMITTED and (shape is None or redacted.keys() - shape.kept - shape.texts.keys()):
                found[name] = redacted
        return found or _OMITTED

    def document(self, raw: bytes) -> bytes | None:
        """What a server sent, without its content; None when it cannot be told apart."""
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
            page = {name: one for name, one in sent.items() if name in _PAGE and not isinstance(one, dict | list)}
            return page | {"data": self._document(sent["data"])}
        redacted = self._walked(_STEP if sent.get("object") == STEP_OBJECT else _RUN, sent)
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
            return value if msgspec.json.encode(value) in NOTHING else _OMITTED
        sent = cast("_Object", value)
        found = {name: self._member(shape, name, one) for name, one in sent.items()}
        left = {name: one for name, one in found.items() if one is not _OMITTED}
        if sent and not left:
            return {shape.remains: None} if shape.remains else _OMITTED
        return left

    def _member(self, shape: _Shape, name: str, value: Any) -> Any:
        if name in shape.inner:
            return self._walked(shape.inner[name], value)
        if _is_flat(value) and (name in shape.kept or (shape.keeps_numbers and not isinstance(value, str))):
            return value
        if shape.keeps_numbers and isinstance(value, dict):
            return self._walked(shape, cast("_Object", value))
        rules = (shape.texts[name],) if name in shape.texts else shape.rules
        redacted = self._whole(rules, value)
        return None if redacted is _OMITTED and shape.keeps_names else redacted

    def _in_place(self, shape: _Shape, text: str) -> Any:
        """A text where an object is expected."""
        if shape.as_text:
            return self._whole((shape.as_text,), text)
        return text if shape.keeps_text or msgspec.json.encode(text) in NOTHING else _OMITTED

    def _whole(self, rules: tuple[ContentField, ...], value: Any) -> Any:
        """A value of which all is content."""
        if value is None:
            return None
        rule = self._content.rule(*rules)
        if rule == "keep":
            return value
        redacted = self._text(rule, value if isinstance(value, str) else msgspec.json.encode(value).decode())
        return _OMITTED if redacted is None else redacted

    def _text(self, rule: Rule, text: str) -> str | None:
        if rule == "keep" or (rule == "hash" and _HASHED.fullmatch(text)):
            return text
        return None if rule == "drop" else f"{HASH_PREFIX}{self._digest(text.encode(errors='surrogatepass'), 16)}"

    def _digest(self, data: bytes, size: int) -> str:
        return hashlib.blake2b(data, key=self._key, digest_size=size).hexdigest()

    def fingerprint(self) -> str:
        """Tells one key from another, and neither from anything else."""
        return self._digest(b"runmart", 8)


def _is_flat(value: Any) -> bool:
    """Whether there is nothing within it; an empty object is null, in some servers' words."""
    return not (isinstance(value, dict | list) and value)


def without_quotes(reason: str) -> str:
    """Why something was rejected, without the piece of it that is quoted."""
    return _QUOTED.sub("got something else", reason)


def _parsed(text: str) -> Any:
    """A JSON value; numbers stay as they were sent.

    Raises:
        ValueError: It is none, or one in which a name is repeated.
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
