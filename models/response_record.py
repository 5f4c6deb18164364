"""Record type of the Responses API: a response, which is one round trip to a model.

Field names and meanings follow the OpenAI API description (schema `Response`), Azure's `agent_reference` and the older
`agent`. Attributes that a run has as well have its names; `msgspec.field` says what they are called when sent.
"""

from msgspec import UNSET, Raw, Struct, UnsetType, field

from runmart.models.records import ABSENT, Instant, Int64, NonEmpty


class ResponseRecord(Struct, forbid_unknown_fields=True, gc=False):
    """A response. Its texts (`output`, `output_text`, and `input`, which some servers list with it) are not stored."""

    id: NonEmpty
    status: NonEmpty
    object: str | UnsetType | None = UNSET
    created_at: Instant | UnsetType | None = UNSET
    completed_at: Instant | UnsetType | None = UNSET
    thread_id: Raw = field(name="conversation", default=ABSENT)
    previous_run_id: str | UnsetType | None = field(name="previous_response_id", default=UNSET)
    agent_reference: Raw = ABSENT
    agent: Raw = ABSENT
    prompt: Raw = ABSENT
    model: str | UnsetType | None = UNSET
    instructions: Raw = ABSENT
    output: Raw = ABSENT
    output_text: Raw = ABSENT
    input: Raw = ABSENT
    last_error: Raw = field(name="error", default=ABSENT)
    incomplete_details: Raw = ABSENT
    tools: Raw = ABSENT
    metadata: Raw = ABSENT
    usage: Raw = ABSENT
    temperature: float | UnsetType | None = UNSET
    top_p: float | UnsetType | None = UNSET
    max_completion_tokens: Int64 | UnsetType | None = field(name="max_output_tokens", default=UNSET)
    truncation_strategy: Raw = field(name="truncation", default=ABSENT)
    tool_choice: Raw = ABSENT
    response_format: Raw = field(name="text", default=ABSENT)
    parallel_tool_calls: bool | UnsetType | None = UNSET
    background: bool | UnsetType | None = UNSET
    service_tier: str | UnsetType | None = UNSET


class OutputItem(Struct, gc=False):
    """An item of a response's output, without its texts."""

    type: str | None = None
    id: str | None = None
    status: str | None = None
    name: str | None = None
    call_id: str | None = None
    action: Raw = Raw()


class Action(Struct, gc=False):
    """What a web search did: search, open_page or find_in_page, of which providers bill the first."""

    type: str | None = None


class Reference(Struct, gc=False):
    """What a response refers to as the maker of it: an agent by its name, or a prompt by its id."""

    id: str | None = None
    name: str | None = None
    version: str | int | None = None


CLIENT_CALLS = frozenset(
    {"function_call", "custom_tool_call", "computer_call", "local_shell_call", "shell_call", "apply_patch_call"}
)
"""Types of calls that the client carries out, at no fee."""

WAITING_ITEMS = CLIENT_CALLS | {"mcp_approval_request"}
"""Types of items that the client has to answer."""
