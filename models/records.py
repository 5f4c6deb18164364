"""Record types: msgspec Structs of what a threads/runs server sends.

Field names and meanings follow the OpenAI API description (openapi.yaml, schema `RunObject` and what it refers to) and
Azure's `ThreadRun`. Two rules hold for every record here:

* `UNSET` means that the server did not send the field, `None` that it sent null. The tables treat both alike; the
  decoder needs the difference to prove that no key is repeated.
* A field kept as JSON is a `Raw`: its bytes exactly as sent, parsed only when needed. So are the instructions, a long
  text that all runs of an assistant share: each distinct one is parsed once.
"""

from typing import Annotated, Generic, TypeVar

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

ABSENT = Raw(b"")
"""The default of a field that is kept as JSON: not sent."""

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number that a BIGINT column can hold."""

YEAR_ONE = -62_135_596_800
"""The first second of the year 1, before which no calendar of Python's begins."""

INSTANT_LIMIT = 253_402_300_800_000
"""The first millisecond of the year 10000, with which it has ended: beyond, a number means no instant at all."""

Instant = (
    Annotated[int, Meta(ge=YEAR_ONE, lt=INSTANT_LIMIT)]
    | Annotated[float, Meta(ge=-62_135_596_800.0, lt=253_402_300_800_000.0)]
)
"""Unix time in seconds; some servers send milliseconds (see `runmart.models.quirks`)."""

NonEmpty = Annotated[str, Meta(min_length=1)]


class RunRecord(Struct, forbid_unknown_fields=True, gc=False):
    """A run: the API's `thread.run` object, its 27 fields and Azure's `agent_id`.

    Unknown fields are forbidden so that the decoder detects and keeps them, see `runmart.ingest.decode.decoder`.
    """

    id: NonEmpty
    status: NonEmpty
    object: str | UnsetType | None = UNSET
    created_at: Instant | UnsetType | None = UNSET
    thread_id: str | UnsetType | None = UNSET
    assistant_id: str | UnsetType | None = UNSET
    agent_id: str | UnsetType | None = UNSET
    required_action: Raw = ABSENT
    last_error: Raw = ABSENT
    expires_at: Instant | UnsetType | None = UNSET
    started_at: Instant | UnsetType | None = UNSET
    cancelled_at: Instant | UnsetType | None = UNSET
    failed_at: Instant | UnsetType | None = UNSET
    completed_at: Instant | UnsetType | None = UNSET
    incomplete_details: Raw = ABSENT
    model: str | UnsetType | None = UNSET
    instructions: Raw = ABSENT
    tools: Raw = ABSENT
    metadata: Raw = ABSENT
    usage: Raw = ABSENT
    temperature: float | UnsetType | None = UNSET
    top_p: float | UnsetType | None = UNSET
    max_prompt_tokens: Int64 | UnsetType | None = UNSET
    max_completion_tokens: Int64 | UnsetType | None = UNSET
    truncation_strategy: Raw = ABSENT
    tool_choice: Raw = ABSENT
    response_format: Raw = ABSENT
    parallel_tool_calls: bool | UnsetType | None = UNSET


class RunFields(RunRecord, forbid_unknown_fields=True, gc=False):
    """The fields of observations: those of runs, and what records of other kinds have besides."""

    previous_run_id: str | UnsetType | None = UNSET
    assistant_version: str | UnsetType | None = UNSET
    service_tier: str | UnsetType | None = UNSET
    background: bool | UnsetType | None = UNSET
    waits_for_client: bool | UnsetType | None = UNSET
    is_batch: bool | UnsetType | None = UNSET
    duration_seconds: float | UnsetType | None = UNSET
    latency_source: str | UnsetType | None = UNSET


class RunStepRecord(Struct, gc=False):
    """A step of a run: the fields of the API's `thread.run.step` object that are stored.

    OpenAI sends `expired_at`; some of its recorded responses have `expires_at`.
    """

    id: NonEmpty
    status: NonEmpty
    run_id: str | UnsetType | None = UNSET
    type: str | UnsetType | None = UNSET
    thread_id: str | UnsetType | None = UNSET
    assistant_id: str | UnsetType | None = UNSET
    created_at: Instant | UnsetType | None = UNSET
    expired_at: Instant | UnsetType | None = UNSET
    expires_at: Instant | UnsetType | None = UNSET
    cancelled_at: Instant | UnsetType | None = UNSET
    failed_at: Instant | UnsetType | None = UNSET
    completed_at: Instant | UnsetType | None = UNSET
    last_error: Raw = ABSENT
    step_details: Raw = ABSENT
    usage: Raw = ABSENT


Run = TypeVar("Run")


class ListRunsResponse(Struct, Generic[Run], forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A page of runs. Only `data` is used: the other fields may be missing or wrong."""

    data: list[Run]
    object: Raw = ABSENT
    first_id: Raw = ABSENT
    last_id: Raw = ABSENT
    has_more: Raw = ABSENT


class LastError(Struct, forbid_unknown_fields=True, gc=False):
    """Why a run failed: `server_error`, `rate_limit_exceeded`, `invalid_prompt` or another server's code."""

    code: str | UnsetType | None = UNSET
    message: str | UnsetType | None = UNSET


class IncompleteDetails(Struct, forbid_unknown_fields=True, gc=False):
    """Why a run stopped early: `max_completion_tokens`, `max_prompt_tokens`, `content_filter` or another reason."""

    reason: str | UnsetType | None = UNSET


class TruncationObject(Struct, forbid_unknown_fields=True, gc=False):
    """How the thread was truncated to fit the context window: `auto`, or `last_messages` with their number."""

    type: str | UnsetType | None = UNSET
    last_messages: Int64 | UnsetType | None = UNSET


class CompletionUsage(Struct, forbid_unknown_fields=True, gc=False):
    """Tokens a run used, under the names of both generations of the API.

    Cached tokens are part of the prompt tokens, reasoning tokens part of the completion tokens.
    """

    prompt_tokens: Int64 | UnsetType | None = UNSET
    completion_tokens: Int64 | UnsetType | None = UNSET
    total_tokens: Int64 | UnsetType | None = UNSET
    prompt_tokens_details: Raw = ABSENT
    prompt_token_details: Raw = ABSENT
    completion_tokens_details: Raw = ABSENT
    input_tokens: Int64 | UnsetType | None = UNSET
    output_tokens: Int64 | UnsetType | None = UNSET
    input_tokens_details: Raw = ABSENT
    output_tokens_details: Raw = ABSENT


class TokensDetails(Struct, gc=False):
    """The parts of a token count that have columns; other parts stay in the JSON of the details."""

    cached_tokens: Int64 | None = None
    cache_write_tokens: Int64 | None = None
    reasoning_tokens: Int64 | None = None


class UsualDetails(TokensDetails, forbid_unknown_fields=True, gc=False):
    """Details that hold nothing but the parts that servers usually send."""

    audio_tokens: Int64 | None = None
    text_tokens: Int64 | None = None
    image_tokens: Int64 | None = None
    accepted_prediction_tokens: Int64 | None = None
    rejected_prediction_tokens: Int64 | None = None


class ToolCallFunction(Struct, gc=False):
    """The function that a run requests to call; `arguments` is JSON written by the model, as a string or an object."""

    name: str | None = None
    arguments: Raw = ABSENT


class RequiredToolCall(Struct, gc=False):
    """One call whose output the run waits for."""

    id: str | None = None
    type: str | None = None
    function: ToolCallFunction | None = None


class SubmitToolOutputs(Struct, gc=False):
    """The calls whose outputs have to be submitted."""

    tool_calls: list[RequiredToolCall] = []


class RequiredApproval(Struct, gc=False):
    """One call that waits to be approved, to a tool of a server (MCP)."""

    id: str | None = None
    type: str | None = None
    name: str | None = None
    arguments: Raw = ABSENT
    server_label: str | None = None


class SubmitToolApproval(Struct, gc=False):
    """The calls that have to be approved."""

    tool_calls: list[RequiredApproval] = []


class RequiredAction(Struct, gc=False):
    """What a run in `requires_action` waits for."""

    type: str | None = None
    submit_tool_outputs: SubmitToolOutputs | None = None
    submit_tool_approval: SubmitToolApproval | None = None


class FunctionDefinition(Struct, gc=False):
    """The function behind a tool; `parameters` is a JSON Schema."""

    name: str | None = None
    description: str | None = None
    strict: bool | None = None
    parameters: Raw = ABSENT


TOOL_DEFINITIONS: dict[str, tuple[str, ...]] = {
    "function": ("function",),
    "openapi": ("openapi",),
    "azure_function": ("azure_function", "function"),
    "connected_agent": ("connected_agent",),
}
"""Where a tool of each type keeps its name, description, strict and parameters.

Every other type (`code_interpreter`, `file_search`, `retrieval`, `bing_grounding`, `azure_ai_search`, `mcp`,
`fabric_dataagent`, `sharepoint_grounding`, `browser_automation`, `deep_research`, and whatever comes next) keeps them,
if at all, beside its type.
"""
