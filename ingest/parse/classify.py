"""What kind of object a text holds: a record of a known kind, or another object. Decided by evidence in it.

A run is an object that says `thread.run`; or that says nothing, or a server's own word, and shows what only runs have:

* a value in `assistant_id` or `agent_id`, in `started_at` or `expires_at`, or in `thread_id`;
* the member `required_action`, even as null;
* an id that begins `run_`;
* or an id and a status of runs, and no member that runs do not have.

Records of other kinds say what they are, or have the members of a spec's `shown_by`.

An object that refers to a run (`run_id`), or has a `role` or `step_details`, is no run but a part of one; one with an
object in it that says `thread.run` is around one. Both hold unless it says `thread.run` itself, or its id begins
`run_`. Names count in any spelling (see `quirks.field_of`).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from runmart.ingest.parse.json_object import Members
from runmart.models.quirks import NULL_WORDS, field_of
from runmart.models.record_spec import RecordSpec
from runmart.models.record_specs import SPECS
from runmart.models.records import ABSENT
from runmart.models.statuses import RUN_STATUSES, STEP_OBJECT
from runmart.models.wrappings import text_of

OTHER_OBJECTS = frozenset(
    {"assistant", "audio", "batch", "certificate", "chat", "chatkit", "container", "conversation", "embedding", "eval"}
    | {"event", "file", "fine-tune", "fine_tune", "fine_tuning", "image", "list", "model", "moderation", "organization"}
    | {"page", "project", "realtime", "response", "session", "skill", "text_completion", "thread", "upload", "user"}
    | {"vector_store", "video", "webhook"}
)
"""Families of objects of the same APIs that are no runs, though some have an id and a status; so are objects whose name
goes on behind a dot, such as `eval.run` and `thread.message`. Kinds that have a spec may be among them."""

API_ERROR = "error"
ITEM = "conversation.item"
UNKNOWN = "unknown"

_HOLD_TEXTS = frozenset({"event", "list", "page", "webhook"})
_CALLS = "apply_patch|code_interpreter|computer|custom_tool|file_search|function|image_generation|local_shell|mcp|shell"
_ITEM_TYPES = re.compile(
    rf"message|reasoning|compaction|item_reference|(?:{_CALLS}|tool_search|web_search)_call(?:_output)?|mcp_\w+"
)
_SHOWN_BY_VALUE = ("assistant_id", "agent_id", "started_at", "expires_at", "thread_id")
_PARTS_OF_RUNS = frozenset({"runid", "role", "stepdetails"})
_AROUND_ANSWERS = frozenset({"statuscode", "body", "response"})
"""Members of what collectors write around an answer, beside instants that have the names of a run's."""

_NOT_LETTERS = re.compile(r"[\W_]")
_LIKE_RUN = re.compile(r"thread\.runs?(?:\.v\d+)?")
_LONGEST_NAME = 100

MENTION = re.compile(rb"""thread\.run\\*"|"id\\*"\s*:\s*\{\s*\\*"S\\*"\s*:\s*\\*"run_""")
"""`thread.run` at the end of a text, or of one within it; or the id of a run as DynamoDB writes it."""

_AROUND = re.compile(MENTION.pattern + rb'|\\*"object\\*"\s*:\s*\\*"response\\*"')
"""What the same says of a record of any kind."""

MAY_HOLD_RUN = re.compile(
    rb"thread.run|\"run_|status|object\W{2,12}response\b|chat\.completion|call_type|(?:assistant|agent|thread).?id|required.?action|(?:started|expires).?at|\\u00",
    re.IGNORECASE,
)
"""What each text matches in which there is a run."""


class Peek(Struct):
    """The members that tell the kind of most objects."""

    object: Raw = ABSENT
    id: Raw = ABSENT
    status: Raw = ABSENT


PEEK = msgspec.json.Decoder(Peek)
_MEMBERS: msgspec.json.Decoder[Members] = msgspec.json.Decoder(Members)


class Classifier:
    """Tells records of the kinds in `specs` from each other and from other objects."""

    def __init__(self, specs: Sequence[RecordSpec] = SPECS) -> None:
        self._specs = specs
        self._spec_by_object = {spec.object: spec for spec in specs}
        self._shown = [spec for spec in specs if spec.shown_by]
        self._spec_by_json = {msgspec.json.encode(spec.object): spec for spec in specs}

    def spec_of_event(self, name: str) -> RecordSpec | None:
        """The kind of the record that an event of a stream carries; None when its name promises none."""
        return next((spec for spec in self._specs if spec.events.match(name)), None)

    def kind(self, text: bytes, expected: RecordSpec | None = None) -> RecordSpec | str:
        """What a JSON object is: a record of a known kind, or the name of another kind of object.

        Args:
            text: The object.
            expected: The kind of record that it is said to be, if it does not say so itself.

        Raises:
            msgspec.DecodeError: It is no JSON object.
        """
        peek = PEEK.decode(text)
        said = self._spec_by_json.get(bytes(peek.object))
        return said if said and peek.status else self.kind_of_members(_MEMBERS.decode(text), expected)

    def kind_of_members(self, members: Mapping[str, Any], expected: RecordSpec | None = None) -> RecordSpec | str:
        """As `kind`, of an object's members: name to value as sent."""
        named = _named(members)
        name = _text(named.get("object")).strip()
        if name in self._spec_by_object and (name == self._specs[0].object or named.keys() & {"id", "status"}):
            is_deleted = "status" not in named and bytes(named.get("deleted", b"")) == b"true"
            return f"{name}.deleted" if is_deleted else self._spec_by_object[name]
        if name and _is_other(name) and not _LIKE_RUN.fullmatch(name):
            return name[:_LONGEST_NAME]
        if expected is not None and not name and named.keys() & {"id", "status"}:
            return expected
        if not name and (shown := self._shown_by(members)) is not None:
            return shown
        if not _is_error(named) and _shows_run(named):
            return self._specs[0]
        return _kind_of_other(named, name)

    def _shown_by(self, members: Mapping[str, Any]) -> RecordSpec | None:
        """The kind of which an object that does not say what it is has the members."""
        for spec in self._shown:
            has_members = spec.shown_by <= members.keys() and "id" not in members
            if has_members and ("status" not in spec.shown_by or _text(members["status"]) in spec.statuses):
                return spec
        return None

    def is_record(self, members: Members) -> bool:
        """Whether members say that they are a record's or a step's, or show a record that has an id and a status."""
        named = _named(members)
        if _text(named.get("object")) in {*self._spec_by_object, STEP_OBJECT}:
            return True
        is_whole = all(_text(named.get(one)) for one in ("id", "status"))
        return (is_whole or any(spec.shown_by <= members.keys() for spec in self._shown)) and isinstance(
            self.kind_of_members(members), RecordSpec
        )

    def are_records(self, records: Sequence[Any], spec: RecordSpec) -> bool:
        """Whether records that were decoded as of a kind are of that kind."""
        if {one.object for one in records} <= {spec.object}:
            return True
        return all(self.kind_of_members(_members(one)) is spec for one in records)


def may_hold_texts(kind: str) -> bool:
    """Whether texts in objects of a kind may be data: those of known families hold what people write to each other."""
    return kind in _HOLD_TEXTS or not _is_other(kind)


def _named(members: Mapping[str, Any]) -> dict[str, Any]:
    """Members by the fields that their names are spellings of; the field itself comes before other spellings."""
    found: dict[str, Any] = {}
    for name, value in members.items():
        field = field_of(name) or name
        if field == name or field not in found:
            found[field] = value
    return found


def _kind_of_other(named: Mapping[str, Any], name: str) -> str:
    """What an object is called that is no record and of no known family; `name` is what it says itself."""
    if _is_error(named):
        return API_ERROR
    if "step_details" in named:
        return STEP_OBJECT
    of = _text(named.get("type"))
    if not name and "data" not in named and "." in of and _is_other(of):
        return of[:_LONGEST_NAME]
    is_item = _ITEM_TYPES.fullmatch(of) and (of != "message" or named.keys() & {"role", "content"})
    return ITEM if is_item else (name or UNKNOWN)[:_LONGEST_NAME]


def _is_error(named: Mapping[str, Any]) -> bool:
    return not named.keys() & {"id", "status"} and bytes(named.get("error", b""))[:1] in {b"{", b'"'}


def _shows_run(named: Mapping[str, Any]) -> bool:
    name = _text(named.get("id"))
    if name.startswith("run_"):
        return True
    if any(_AROUND.search(bytes(value)) for one, value in named.items() if not field_of(one)):
        return False  # it is around a run
    letters = {one: _NOT_LETTERS.sub("", one).lower() for one in named}
    if "status" not in named and not _AROUND_ANSWERS.isdisjoint(letters.values()):
        return False
    parts = {one: value for one, value in named.items() if letters[one] in _PARTS_OF_RUNS}
    if any(bytes(value) != bytes(named.get("id", b"")) and not _is_null(value) for value in parts.values()):
        return False
    if "required_action" in named or not all(_is_null(named.get(one)) for one in _SHOWN_BY_VALUE):
        return True
    has_status = _text(named.get("status")) in RUN_STATUSES
    return bool(name) and has_status and all(field_of(one) for one in named)


def _is_other(name: str) -> bool:
    return name in OTHER_OBJECTS or name.partition(".")[0] in OTHER_OBJECTS


def _is_null(value: Any) -> bool:
    return value is None or not bytes(value) or bytes(value) in NULL_WORDS


def _text(sent: Any) -> str:
    """A text, or one in a list of one; empty for all else."""
    raw = b"" if sent is None else bytes(sent)
    if raw[:1] == b"[" and raw[-2:] == b'"]':
        raw = raw[1:-1].strip()
    return text_of(raw) or ""


def _members(record: Struct) -> dict[str, bytes]:
    """The members of a record as sent."""
    names = [one.encode_name for one in msgspec.structs.fields(type(record))]
    pairs = zip(names, msgspec.structs.astuple(record), strict=True)
    return {
        name: bytes(value) if isinstance(value, Raw) else msgspec.json.encode(value)
        for name, value in pairs
        if value is not UNSET and value != ABSENT
    }
