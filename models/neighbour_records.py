"""Record types of two neighbours: runs of a LangGraph Agent Server, and requests in LiteLLM's spend logs.

Neither says what it is, and each says some of it otherwise than a run. A `read_…` function takes the members of one as
sent and returns those of the record, under the names of its Struct; what it leaves is kept in `extra`.
"""

import re
from collections.abc import Mapping
from datetime import UTC

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from runmart.models.depth import MAX_DEPTH, is_deeper
from runmart.models.latency_sources import COLLECTOR
from runmart.models.quirks import microseconds, normalise
from runmart.models.records import ABSENT, Instant, NonEmpty
from runmart.models.secrets import is_secret, may_hold_secrets
from runmart.models.wrappings import instant, parsed_time, quoted_json, text_of, unquoted_json

Members = dict[str, Raw]

_MEMBERS: msgspec.json.Decoder[Members] = msgspec.json.Decoder(Members)
_LIST = msgspec.json.Decoder(list[Raw])
_NUMBER = msgspec.json.Decoder(int | float)
_NOTHING = frozenset({b"", b"null", b'""', b"{}"})


class LangGraphRun(Struct, forbid_unknown_fields=True, gc=False):
    """A run of a LangGraph Agent Server. Its `kwargs`, which hold the input, are not stored."""

    id: NonEmpty = field(name="run_id")
    status: NonEmpty
    object: str | UnsetType | None = UNSET
    thread_id: str | UnsetType | None = UNSET
    assistant_id: str | UnsetType | None = UNSET
    created_at: Instant | UnsetType | None = UNSET
    completed_at: Instant | UnsetType | None = UNSET
    failed_at: Instant | UnsetType | None = UNSET
    expires_at: Instant | UnsetType | None = UNSET
    cancelled_at: Instant | UnsetType | None = UNSET
    metadata: Raw = ABSENT
    kwargs: Raw = ABSENT


LANGGRAPH_STATUSES = {
    "pending": "queued",
    "running": "in_progress",
    "success": "completed",
    "error": "failed",
    "timeout": "expired",
    "interrupted": "cancelled",
}
"""Statuses of LangGraph, and those of runs that mean the same. `interrupted` is what a client has stopped; a graph that
waits for a human ends in `success`, and its thread is interrupted."""

_END_OF = {"success": "completed_at", "error": "failed_at", "timeout": "expires_at", "interrupted": "cancelled_at"}


def read_langgraph(sent: Mapping[str, Raw]) -> Members:
    """The record of a LangGraph run: the last update of one that has ended is its end."""
    found = dict(sent)
    status = text_of(bytes(sent.get("status", b""))) or ""
    end = _END_OF.get(status)
    if status in LANGGRAPH_STATUSES:
        found["status"] = Raw(msgspec.json.encode(LANGGRAPH_STATUSES[status]))
    if end is not None and "updated_at" in sent:
        found.setdefault(end, sent["updated_at"])
    return found


class LiteLLMRequest(Struct, forbid_unknown_fields=True, gc=False):
    """A request to a LiteLLM proxy. Its texts and the (hashed) key of its caller are not stored."""

    id: NonEmpty = field(name="request_id")
    status: NonEmpty
    object: str | UnsetType | None = UNSET
    thread_id: str | UnsetType | None = field(name="session_id", default=UNSET)
    assistant_id: str | UnsetType | None = field(name="agent_id", default=UNSET)
    model: str | UnsetType | None = UNSET
    created_at: Instant | UnsetType | None = field(name="startTime", default=UNSET)
    started_at: Instant | UnsetType | None = UNSET
    completed_at: Instant | UnsetType | None = UNSET
    failed_at: Instant | UnsetType | None = UNSET
    duration_seconds: float | UnsetType | None = UNSET
    latency_source: str | UnsetType | None = UNSET
    metadata: Raw = ABSENT
    usage: Raw = ABSENT
    last_error: Raw = ABSENT
    messages: Raw = ABSENT
    response: Raw = ABSENT
    proxy_server_request: Raw = ABSENT
    api_key: Raw = ABSENT


LITELLM_STATUSES = {"success": "completed", "failure": "failed"}

COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
_CONTENT = frozenset(
    {"proxy_server_request", "raw_request", "mcp_tool_call_metadata", "vector_store_request_metadata", "headers"}
    | {"guardrail_information", "requester_custom_headers"}
)
"""Members of the metadata that hold what was said, or headers."""

_LONGEST = 10**15
"""Microseconds that no request takes."""

_COUNT = re.compile(rb"-?\d{1,18}|null")
_ELSEWHERE = frozenset({"usage_object", "additional_usage_values", "error_information"})
_OF_ERROR = ("traceback", "error_message")


def read_litellm(sent: Mapping[str, Raw]) -> Members:
    """The record of a LiteLLM request.

    Raises:
        ValueError: It cannot be read: reason, JSON path, and what was found there.
    """
    found = _without_keys(sent)
    metadata = _object(sent.get("metadata"))
    error = _object(metadata.get("error_information"))
    found["status"] = status = _status(found, metadata, error)
    _read_instants(found, status)
    _read_usage(found, metadata)
    if any(bytes(value) not in _NOTHING for value in error.values()):
        code = _first(error, "error_code", "error_class")
        found["last_error"] = _json({"code": _as_text(code), "message": _as_text(error.get("error_message", ABSENT))})
    if metadata:
        found["metadata"] = _json(_own_metadata(metadata, error))
    for name in ("session_id", "agent_id", "model"):  # a column of Postgres that is not null
        if bytes(found.get(name, b"")) == b'""':
            del found[name]
    return found


def _status(found: Members, metadata: Members, error: Members) -> Raw:
    """What the request or its metadata says; versions that did not say it logged requests with an answer."""
    said = _first(found, "status") or _first(metadata, "status") or Raw(b'"failure"' if error else b'"success"')
    known = LITELLM_STATUSES.get(text_of(bytes(said)) or "")
    return said if known is None else Raw(msgspec.json.encode(known))


def _read_instants(found: Members, status: Raw) -> None:
    """The start is that of all; the end belongs to the status, and stays where it is when that is unknown."""
    start, end = (_utc(bytes(found.pop(name, b""))) for name in ("startTime", "endTime"))
    if start:
        found["startTime"] = found["started_at"] = Raw(start)
    name = {b'"completed"': "completed_at", b'"failed"': "failed_at"}.get(bytes(status))
    if end:
        found[name or "endTime"] = Raw(end)
    first, last = _microseconds(start), _microseconds(end)
    if name is not None and first is not None and last is not None and 0 <= last - first < _LONGEST:
        found["duration_seconds"] = Raw(repr((last - first) / 1_000_000).encode())
        found["latency_source"] = Raw(msgspec.json.encode(COLLECTOR))


def _utc(raw: bytes) -> bytes:
    """An instant with its offset: Prisma keeps instants in UTC, in columns without a time zone."""
    found = parsed_time(raw)
    return raw if found is None or found.tzinfo is not None else instant(found.replace(tzinfo=UTC).timestamp())


def _microseconds(raw: bytes) -> int | None:
    try:
        found = parsed_time(raw)
        return microseconds(_NUMBER.decode(raw) if found is None else found.timestamp())
    except (msgspec.DecodeError, OverflowError, ValueError):
        return None  # decoding the instant tells what is wrong


def _read_usage(found: Members, metadata: Members) -> None:
    """The usage that the provider reported, else the counts of the log; `spend` is its cost."""
    usage = _object(metadata.get("usage_object"))
    if not usage:
        usage = _object(metadata.get("additional_usage_values"))
        usage |= {name: _count(name, found[name]) for name in COUNTS if name in found}
    for name in COUNTS:
        if bytes(found.get(name, b"null")) in {b"null", bytes(usage.get(name, b""))}:
            found.pop(name, None)
    if bytes(found.get("spend", b"null")) != b"null" and "cost" not in usage:
        usage["cost"] = found.pop("spend")
    if usage:
        found["usage"] = _json(usage)


def _count(name: str, raw: Raw) -> Raw:
    """A count of tokens of the log.

    Raises:
        ValueError: It is none.
    """
    count = normalise(f"usage.{name}", bytes(raw))
    if not _COUNT.fullmatch(count):
        raise ValueError("Expected a number of tokens", f"$.{name}", bytes(raw))
    return Raw(count)


def _own_metadata(metadata: Members, error: Members) -> Members:
    """Metadata without keys, texts, and what is stored elsewhere."""
    own = {name: value for name, value in metadata.items() if name not in _CONTENT and name not in _ELSEWHERE}
    kept = _without_keys(own)
    if error:
        kept["error_information"] = _json({name: one for name, one in error.items() if name not in _OF_ERROR})
    return kept


def _without_keys(members: Mapping[str, Raw]) -> Members:
    """Members without keys and headers that hold some, and without those within them."""
    return {name: _without_inner_keys(value) for name, value in members.items() if not is_secret(name)}


def _without_inner_keys(raw: Raw) -> Raw:
    text = bytes(raw)
    if text[:1] not in {b"{", b"["} or not may_hold_secrets(text) or is_deeper(text, MAX_DEPTH):
        return raw
    if text[:1] == b"[":
        return Raw(msgspec.json.encode([_without_inner_keys(one) for one in _LIST.decode(text)]))
    return _json(_without_keys(_object(raw)))


def _object(raw: Raw | None) -> Members:
    """The members of an object, or of one in a text; none of anything else.

    Raises:
        ValueError: A key is there twice.
    """
    text = bytes(raw or b"")
    text = unquoted_json(text) if text[:1] == b'"' and quoted_json(text) else text
    if text[:1] != b"{":
        return {}
    found = _MEMBERS.decode(text)
    if msgspec.json.encode(found).count(b":") != text.count(b":"):
        raise ValueError("a key is there twice, and only one of its values could be kept", "$.metadata", b"")
    return found


def _first(members: Members, *names: str) -> Raw:
    return next((members[name] for name in names if bytes(members.get(name, b"")) not in _NOTHING), ABSENT)


def _as_text(raw: Raw) -> Raw:
    """A text as it is, and other JSON as a text; null where there is none."""
    text = bytes(raw)
    if text in _NOTHING:
        return Raw(b"null")
    return raw if text[:1] == b'"' else Raw(msgspec.json.encode(text.decode()))


def _json(members: Members) -> Raw:
    return Raw(msgspec.json.encode(members))
