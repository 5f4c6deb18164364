"""The kinds of records that become runs.

A new kind needs a Struct, a `RecordSpec` here with its place in `SPECS` and, where a server means by some JSON what a
run says otherwise, functions that say so. Statuses that runs do not have also belong into the views that list statuses;
a test of the views fails until they do.
"""

import re
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Raw

from runmart.models import arrow
from runmart.models.arrow import Array, compute
from runmart.models.chat_record import ChatCompletionRecord
from runmart.models.columns import VARCHAR
from runmart.models.neighbour_records import (
    COUNTS,
    LANGGRAPH_STATUSES,
    LangGraphRun,
    LiteLLMRequest,
    read_langgraph,
    read_litellm,
)
from runmart.models.record_columns import RecordColumns
from runmart.models.record_spec import RecordSpec
from runmart.models.records import RunRecord
from runmart.models.response_record import Reference, ResponseRecord

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_REFERENCE = msgspec.json.Decoder(Reference)
_NO_REFERENCE = Reference()

RUN = RecordSpec(
    object="thread.run",
    record=RunRecord,
    events=re.compile(r"thread\.run\.(?!step\.)"),
    terminal_statuses=("completed", "failed", "cancelled", "expired", "incomplete"),
    common=frozenset(
        {"object", "assistant_id", "status", "model", "instructions", "tools", "tool_choice", "response_format"}
        | {"required_action", "last_error", "incomplete_details", "truncation_strategy"}
    ),
    long=frozenset({"instructions", "tools", "usage"}),
    content={"instructions": "instructions"},
)
"""The run of the threads/runs API. Source: the OpenAI API description, `RunObject` and `RunStreamEvent`."""


def _member(name: str) -> Callable[[bytes], bytes]:
    """The member of an object; what is no object stays as it is."""

    def meaning(sent: bytes) -> bytes:
        if sent[:1] != b"{":
            return sent
        members: Mapping[str, Raw] = _MEMBERS.decode(sent)
        return bytes(members.get(name, Raw(b"null")))

    return meaning


def _instructions(sent: bytes) -> bytes:
    """Instructions that are a list of items, as the text of its JSON."""
    return msgspec.json.encode(msgspec.json.format(sent, indent=-1).decode()) if sent[:1] == b"[" else sent


def _truncation(sent: bytes) -> bytes:
    return b'{"type":' + sent + b"}" if sent[:1] == b'"' else sent


def _references(columns: RecordColumns, name: str, member: str) -> Array:
    """A member of the objects in an attribute (shape: n); null where there is none."""
    array, texts = columns.encoded(name)
    found = [getattr(_reference(text), member) for text in texts]
    return arrow.array([None if one is None else str(one) for one in found], VARCHAR).take(array.indices)


def _reference(text: bytes) -> Reference:
    try:
        return _REFERENCE.decode(text) if text[:1] == b"{" else _NO_REFERENCE
    except msgspec.DecodeError:  # not of this form: the whole of it is in `extra`
        return _NO_REFERENCE


def _assistant_id(columns: RecordColumns) -> Array:
    """The agent's name, else the prompt's id."""
    agents = [_references(columns, name, "name") for name in ("agent_reference", "agent")]
    return compute.coalesce(*agents, _references(columns, "prompt", "id"))


def _assistant_version(columns: RecordColumns) -> Array:
    """The version of what `_assistant_id` names."""
    found = _references(columns, "prompt", "version")
    for name in ("agent", "agent_reference"):
        is_named = _references(columns, name, "name").is_valid()
        found = compute.if_else(is_named, _references(columns, name, "version"), found)
    return found


def _object(name: str) -> Callable[[RecordColumns], Array]:
    """The name of the kind, where a server does not say it."""

    def derive(columns: RecordColumns) -> Array:
        array, said = columns.encoded("object")
        found = arrow.dictionary(array.indices, said, VARCHAR)
        return compute.fill_null(found.dictionary_decode(), name).dictionary_encode()

    return derive


RESPONSE = RecordSpec(
    object="response",
    record=ResponseRecord,
    events=re.compile(r"response\.(?:created|queued|in_progress|completed|failed|incomplete|cancelled)\Z"),
    event_member="response",
    terminal_statuses=("completed", "failed", "cancelled", "incomplete"),
    common=frozenset(
        {"object", "status", "model", "instructions", "tools", "tool_choice", "response_format", "last_error"}
        | {"incomplete_details", "truncation_strategy", "agent_reference", "agent", "prompt", "service_tier"}
    ),
    long=frozenset({"instructions", "tools", "usage", "output", "output_text", "input"}),
    meanings={
        "thread_id": _member("id"),
        "response_format": _member("format"),
        "truncation_strategy": _truncation,
        "instructions": _instructions,
    },
    derived={"object": _object("response"), "assistant_id": _assistant_id, "assistant_version": _assistant_version},
    whole=frozenset({"agent_reference", "agent", "prompt"}),
    unstored=frozenset({"output", "output_text", "input"}),
    statuses={"complete": "completed"},
    is_request=True,
    content={"instructions": "instructions"},
)
"""The response of the Responses API. Source: the OpenAI API description, `Response` and `ResponseStreamEvent`."""

CHAT_COMPLETION = RecordSpec(
    object="chat.completion",
    record=ChatCompletionRecord,
    events=re.compile(r"(?!)"),
    terminal_statuses=("completed", "failed", "incomplete"),
    common=frozenset({"object", "model", "tools", "tool_choice", "response_format", "service_tier"}),
    long=frozenset({"choices", "tools", "usage"}),
    derived={"object": _object("chat.completion")},
    unstored=frozenset({"choices"}),
    is_request=True,
    mark=b"chat.completion",
)
"""The chat completion. Source: the OpenAI API description, `CreateChatCompletionResponse`; its chunks are skipped."""

LANGGRAPH_RUN = RecordSpec(
    object="langgraph.run",
    record=LangGraphRun,
    events=re.compile(r"(?!)"),
    terminal_statuses=("completed", "failed", "expired", "cancelled"),
    common=frozenset({"object", "assistant_id", "status"}),
    derived={"object": _object("langgraph.run")},
    unstored=frozenset({"kwargs"}),
    statuses=LANGGRAPH_STATUSES,
    shown_by=frozenset({"run_id", "thread_id", "assistant_id", "status"}),
    read=read_langgraph,
    plain=frozenset({"updated_at"}),
    read_names=dict.fromkeys(("completed_at", "failed_at", "expires_at", "cancelled_at"), "updated_at"),
)
"""The run of a LangGraph Agent Server. Source: `Run` and `RunStatus` of its SDK, and the server in JavaScript."""

LITELLM_REQUEST = RecordSpec(
    object="litellm.request",
    record=LiteLLMRequest,
    events=re.compile(r"(?!)"),
    terminal_statuses=("completed", "failed"),
    common=frozenset({"object", "assistant_id", "status", "model", "latency_source", "last_error"}),
    derived={"object": _object("litellm.request")},
    unstored=frozenset({"messages", "response", "proxy_server_request", "api_key"}),
    shown_by=frozenset({"request_id", "call_type", "spend", "startTime", "endTime"}),
    read=read_litellm,
    plain=frozenset(COUNTS),
    read_names={
        "started_at": "startTime",
        **dict.fromkeys(("completed_at", "failed_at"), "endTime"),
        "usage": "metadata.usage_object",
        "last_error": "metadata.error_information",
    },
)
"""A request in LiteLLM's spend logs. Source: the proxy's table `LiteLLM_SpendLogs` and its `SpendLogsPayload`."""

SPECS: tuple[RecordSpec, ...] = (RUN, RESPONSE, CHAT_COMPLETION, LANGGRAPH_RUN, LITELLM_REQUEST)
"""The kinds that are stored.

What does not say what it is, or uses a server's own word for it, is of the first kind.
"""
