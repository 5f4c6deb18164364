"""Record type of Chat Completions: an answer of `POST /chat/completions`, as stored by the server or saved by a client.

Field names and meanings follow the OpenAI API description, schema `CreateChatCompletionResponse`. Such a record has no
status and no instant of its end; what its choices say stands in `OUTCOMES`.
"""

from collections.abc import Mapping

from msgspec import UNSET, Raw, Struct, UnsetType, field

from runmart.models.records import ABSENT, Instant, NonEmpty


class ChatCompletionRecord(Struct, forbid_unknown_fields=True, gc=False):
    """A chat completion. The texts in its choices are not stored."""

    id: NonEmpty
    object: str | UnsetType | None = UNSET
    created_at: Instant | UnsetType | None = field(name="created", default=UNSET)
    model: str | UnsetType | None = UNSET
    choices: Raw = ABSENT
    tools: Raw = ABSENT
    metadata: Raw = ABSENT
    usage: Raw = ABSENT
    temperature: float | UnsetType | None = UNSET
    top_p: float | UnsetType | None = UNSET
    tool_choice: Raw = ABSENT
    response_format: Raw = ABSENT
    service_tier: str | UnsetType | None = UNSET


class Named(Struct, gc=False):
    """What a call calls."""

    name: str | None = None


class ChatCall(Struct, gc=False):
    """A call in the message of a choice, without its arguments."""

    id: str | None = None
    type: str | None = None
    function: Named | None = None
    custom: Named | None = None


class ChatMessage(Struct, gc=False):
    """The message of a choice, without its texts; `function_call` is the older word for one call."""

    tool_calls: list[ChatCall] | None = None
    function_call: Named | None = None


class Choice(Struct, gc=False):
    """One of the answers of a completion."""

    finish_reason: str | None = None
    message: ChatMessage | None = None


OUTCOMES: Mapping[str, tuple[str, str | None]] = {
    "stop": ("completed", None),
    "tool_calls": ("completed", None),
    "function_call": ("completed", None),
    "length": ("incomplete", "max_output_tokens"),
    "content_filter": ("incomplete", "content_filter"),
    "insufficient_system_resource": ("incomplete", "insufficient_system_resource"),
    "error": ("failed", None),
}
"""The status, and the reason of incomplete details, that a `finish_reason` means.

Those of OpenAI, DeepSeek's `insufficient_system_resource` and OpenRouter's `error`. Any other one is the status itself,
as an unknown status of a run is.
"""

CALLING = frozenset({"tool_calls", "function_call"})
"""Reasons with which a choice ends in calls for the client. A choice that was made to call a tool ends in `stop`."""
