"""Run steps: the JSON of a step becomes a row of `steps`. The texts in it are not stored."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from runmart.ingest.decode import usage
from runmart.ingest.decode.instants import explained
from runmart.ingest.decode.members import filled
from runmart.ingest.decode.normalised import normalised
from runmart.ingest.decode.result import Extra
from runmart.ingest.parse.depth import refuse_deep
from runmart.ingest.parse.json_object import UnfitError, json_object, object_members, unfit
from runmart.models import arrow
from runmart.models.columns import BINARY
from runmart.models.observations import Origin
from runmart.models.records import RunStepRecord
from runmart.models.spellings import FieldNames
from runmart.models.tables.steps import StepRow


class _ToolCall(Struct):
    type: str | None = None


class _Details(Struct):
    type: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Error(Struct):
    code: str | None = None
    message: str | None = None


_FIELDS = FieldNames({name: name for name in RunStepRecord.__struct_fields__})
_STEP = msgspec.json.Decoder(RunStepRecord)
_DETAILS = msgspec.json.Decoder(_Details | None)
_ERROR = msgspec.json.Decoder(_Error | None)
_QUIRKS_OF = {"expired_at": "expires_at", "run_id": "thread_id", "type": "object"}
"""Fields whose quirks are those of another."""


def step(text: bytes, origin: Origin, position: int) -> StepRow:
    """The row of one step.

    Raises:
        UnfitError: It cannot be stored.
        msgspec.DecodeError: `text` is no JSON object.
    """
    refuse_deep(text)
    sent, others = filled(object_members(text), _FIELDS)
    _refuse_lost(sent, others)
    known = {name: normalised(_QUIRKS_OF.get(name, name), value) for name, value in sent.items()}
    try:
        record = _STEP.decode(json_object(list(known.items())) or b"{}")
    except msgspec.DecodeError as error:
        raise explained(unfit(error), sent) from None
    error = _decoded(_ERROR, record.last_error, "$.last_error")
    details = _decoded(_DETAILS, record.step_details, "$.step_details")
    calls = details.tool_calls if details is not None else None
    return StepRow(
        origin,
        position,
        record,
        _tokens(bytes(record.usage)),
        None if calls is None else [call.type or "" for call in calls],
        (None, None) if error is None or not (error.code or error.message) else (error.code, error.message),
    )


def _refuse_lost(sent: Mapping[str, bytes], others: Extra) -> None:
    """Refuse a step of which a field is sent twice, with two values: of a step only its fields are stored."""
    for name, value in others:
        field = _FIELDS.field_of(name)
        if field is not None and value not in {b"null", sent[field]}:
            raise UnfitError(f"`{name}` is `{field}` by another name, with another value")


def _decoded(decoder: msgspec.json.Decoder[Any], raw: Raw, path: str) -> Any:
    try:
        return decoder.decode(raw) if raw else None
    except msgspec.DecodeError as error:
        raise unfit(error, path) from None


def _tokens(raw: bytes) -> dict[str, int | None]:
    """The usage of a step, by the rules for runs."""
    if not raw:
        return {}
    found = usage.decode(arrow.array([raw], BINARY))
    if not len(found.runs):
        return {}
    record: Any = {
        name: found.columns.values(name)[0] for name in ("prompt_tokens", "input_tokens", "completion_tokens")
    }
    record |= {name: found.columns.values(name)[0] for name in ("output_tokens", "total_tokens")}
    sent = {name: None if value is UNSET else value for name, value in record.items()}
    return {
        "prompt_tokens": sent["input_tokens"] if sent["prompt_tokens"] is None else sent["prompt_tokens"],
        "completion_tokens": (
            sent["output_tokens"] if sent["completion_tokens"] is None else sent["completion_tokens"]
        ),
        "total_tokens": sent["total_tokens"],
        "cached_prompt_tokens": found.cached_prompt_tokens[0].as_py(),
        "reasoning_tokens": found.reasoning_tokens[0].as_py(),
    }
