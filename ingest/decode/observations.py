"""Records become observations: what hangs below runs is decoded, a column at a time, and no field is left behind."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from runmart.ingest.decode import json_text, usage
from runmart.ingest.decode.dictionary import DictionaryDecoder
from runmart.ingest.decode.json_text import Member
from runmart.ingest.decode.nested import Known, action, kept_json, nested
from runmart.ingest.decode.result import Extra
from runmart.ingest.decode.tools import tools
from runmart.ingest.parse.json_object import UnfitError, json_object, object_members, unfit
from runmart.models import arrow
from runmart.models.arrow import Array, compute
from runmart.models.columns import BINARY, VARCHAR
from runmart.models.observations import Distinct, Observations, Origin
from runmart.models.quirks import INSTANTS, normalise
from runmart.models.record_columns import RecordColumns
from runmart.models.records import INSTANT_LIMIT, IncompleteDetails, LastError, RunRecord, TruncationObject

_FIELDS = frozenset(field.name for field in msgspec.structs.fields(RunRecord))
_TEXT = msgspec.json.Decoder(str | None)
_RUN = msgspec.json.Decoder(RunRecord)
_OBJECTS: dict[str, type[Struct]] = {
    "last_error": LastError,
    "incomplete_details": IncompleteDetails,
    "truncation_strategy": TruncationObject,
}
_NULL = arrow.scalar(None, BINARY)
_metadata = kept_json("metadata")


COMMON = frozenset(
    {"object", "assistant_id", "status", "model", "instructions", "tools", "tool_choice", "response_format"}
    | {"required_action", *_OBJECTS}
)
"""Fields whose texts many runs share."""


LONG = frozenset({"instructions", "tools", "usage"})
"""Fields that are kept as JSON and hold more than some words."""


class ObservationBuilder:
    """Makes observations of records; remembers texts that runs have in common, such as the tools of an assistant."""

    def __init__(self) -> None:
        self._texts = DictionaryDecoder(_instructions)
        self._tools = DictionaryDecoder(tools)
        self._objects = {name: DictionaryDecoder(nested(name, record)) for name, record in _OBJECTS.items()}
        self._json = {
            "tool_choice": DictionaryDecoder(kept_json("tool_choice")),
            "response_format": DictionaryDecoder(kept_json("response_format")),
            "required_action": DictionaryDecoder(action),
        }

    def observe(
        self,
        sent: RecordColumns,
        origins: Sequence[tuple[Origin, int]],
        positions: Sequence[int],
        learnt: Iterable[tuple[str, str]] = (),
        extras: Sequence[Extra] | None = None,
    ) -> Observations:
        """Observations of records (n).

        Args:
            sent: The columns of the records.
            origins: Where they come from, in order: an origin, and how many of the records have it.
            positions: The place of each in its input (shape: n).
            learnt: Fields that are none of the 27 and have a column: name as sent, name of the column.
            extras: Those that have none (shape: n).

        Raises:
            UnfitError: A value below a run does not fit.
        """
        objects = {name: decoder.decode(sent.encoded(name)) for name, decoder in self._objects.items()}
        json = {
            name: decoder.decode(sent.encoded(name)).array(lambda text: text, VARCHAR)
            for name, decoder in self._json.items()
        }
        json["metadata"] = _json_of_metadata(sent.texts("metadata"))
        return Observations(
            sent,
            origins,
            positions,
            json | {"extra": _extra(sent, learnt, objects, extras)},
            self._texts.decode(sent.encoded("instructions")),
            usage.decode(sent.texts("usage")),
            self._tools.decode(sent.encoded("tools")),
            *(_records(found) for found in objects.values()),
        )

    def check(self, text: bytes) -> tuple[RunRecord, Extra]:
        """The record of one run's JSON, its quirks normalised, and its fields that are none of the 27.

        Raises:
            UnfitError: It cannot be stored.
        """
        try:
            members = object_members(text)
        except msgspec.DecodeError as error:
            raise unfit(error) from None
        known = {name: normalise(name, bytes(value)) for name, value in members.items() if name in _FIELDS}
        extra = [(name, bytes(value)) for name, value in members.items() if name not in _FIELDS]
        try:
            run = _RUN.decode(json_object(list(known.items())) or b"{}")
        except msgspec.DecodeError as error:
            raise _explained(unfit(error), known) from None
        for decoders in (self._objects, self._json):
            for name, decoder in decoders.items():
                decoder.decode_one(bytes(getattr(run, name)))
        _metadata(bytes(run.metadata))
        self._texts.decode_one(bytes(run.instructions))
        usage.check(bytes(run.usage))
        self._tools.decode_one(bytes(run.tools))
        return run, extra


def _records(found: Distinct[Known[Any]]) -> Distinct[Any]:
    return Distinct(found.indices, [known.record for known in found.values])


def _instructions(sent: bytes) -> str | None:
    """The instructions of one run.

    Raises:
        UnfitError: They are no text.
    """
    try:
        return _TEXT.decode(sent) if sent else None
    except msgspec.DecodeError as error:
        raise unfit(error, "$.instructions") from None


def _json_of_metadata(sent: Array) -> Array:
    """Metadata (shape: n), compact; hardly any two are alike."""
    is_object = compute.starts_with(sent, b"{")
    if compute.all(is_object).as_py():
        return json_text.compacted(sent).view(VARCHAR)
    return arrow.array(list(map(_metadata, sent.to_pylist())), VARCHAR)


def _extra(
    sent: RecordColumns,
    learnt: Iterable[tuple[str, str]],
    objects: Mapping[str, Distinct[Known[Any]]],
    extras: Sequence[Extra] | None,
) -> Array:
    """All that has no column of its own (shape: n), in JSON objects: unknown fields, objects with unknown members."""
    members = [
        Member(name, encoded.array.indices, [text or None for text in encoded.distinct])
        for name, encoded in ((name, sent.encoded(column)) for name, column in learnt if sent.is_sent(column))
    ]
    for name, found in objects.items():
        if any(known.unknown for known in found.values):
            pairs = zip(found.values, sent.encoded(name).distinct, strict=True)
            members.append(Member(name, found.indices, [text if known.unknown else None for known, text in pairs]))
    members += _agents(sent)
    if extras is None:
        return json_text.objects(members, sent.count)
    whole = [list(extra) for extra in extras]
    for member in members:
        indices: list[int] = member.indices.to_pylist()
        for extra, index in zip(whole, indices, strict=True):
            if (text := member.values[index]) is not None:
                extra.append((member.name, text))
    return arrow.array(map(json_object, whole), VARCHAR)


def _agents(sent: RecordColumns) -> list[Member]:
    """Azure's `agent_id` where it is another than the assistant's id."""
    if not sent.is_sent("agent_id") or not sent.is_sent("assistant_id"):
        return []
    pairs = zip(sent.values("agent_id"), sent.values("assistant_id"), strict=True)
    differing = [
        msgspec.json.encode(agent) if agent is not UNSET and agent != assistant and isinstance(assistant, str) else None
        for agent, assistant in pairs
    ]
    return [Member("agent_id", arrow.array(range(sent.count)), differing)] if any(differing) else []


def _explained(error: UnfitError, known: dict[str, Any]) -> UnfitError:
    """`error`, with better words where the wire types' own would puzzle."""
    name = error.json_path.removeprefix("$.")
    if name in INSTANTS and error.reason.startswith("Expected"):
        sent = known[name][:40].decode(errors="replace")
        if "<" in error.reason or ">" in error.reason:
            reason = f"{sent} is no instant: beyond {INSTANT_LIMIT:.0e} not even milliseconds, after the year 5138"
        else:
            reason = f"Expected Unix seconds, got `{sent}`"
        return UnfitError(reason, error.json_path)
    return error
