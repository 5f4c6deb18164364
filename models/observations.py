"""What the decoder hands to the flattener: runs as one input showed them at one moment."""

from typing import NamedTuple

from msgspec import Struct

from runmart.models.records import (
    CompletionUsage,
    IncompleteDetails,
    LastError,
    RunRecord,
    TruncationObject,
)


class Origin(Struct, frozen=True):
    """Where observations come from; one for all observations of an input."""

    source: str
    observed_at: int
    """Microseconds since 1970, UTC."""
    load_id: int


class OfferedTool(Struct, frozen=True):
    """One entry of a run's `tools`."""

    position: int
    type: str | None
    name: str | None
    description: str | None
    strict: bool | None
    parameters: bytes | None
    config: bytes | None


class Usage(Struct, frozen=True):
    """A run's tokens under today's names, with the detail objects as sent."""

    tokens: CompletionUsage
    cached_prompt_tokens: int | None
    reasoning_tokens: int | None
    details: bytes | None


class Observation(Struct, gc=False):
    """One run as one page, file or stream showed it at one moment."""

    run: RunRecord
    origin: Origin
    position: int
    """The place in its input, from 0; runs, rejected and skipped items all count."""
    usage: Usage | None
    tools: tuple[OfferedTool, ...]
    last_error: LastError | None
    incomplete_details: IncompleteDetails | None
    truncation: TruncationObject | None
    extra: bytes | None
    """The fields that are none of the 27, as one JSON object, names in order, values byte for byte."""


class Reject(NamedTuple):
    """Something that should have been a run and could not be decoded."""

    origin: Origin
    position: int
    line: int
    """Line of the input on which the text begins, from 1."""
    reason: str
    json_path: str
    raw: bytes
    """The text itself, whole."""
