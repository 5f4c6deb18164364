"""Records become observations: what hangs below runs is decoded, and no field is left behind."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from runmart.ingest import nested
from runmart.ingest.members import UnfitError, json_object, object_members, unfit
from runmart.ingest.tools import ToolDecoder
from runmart.models.observations import Observation, Origin
from runmart.models.quirks import INSTANTS, NULL_WORDS, normalise
from runmart.models.records import INSTANT_LIMIT, RunRecord

Extra = list[tuple[str, bytes]]
"""Fields that are none of the 27: name and value as sent."""

_FIELDS = frozenset(field.name for field in msgspec.structs.fields(RunRecord))
_RUN = msgspec.json.Decoder(RunRecord)
_JSON_STARTS = {"metadata": b"{", "tool_choice": b'{"', "response_format": b'{"'}


class Observer:
    """Makes observations of records; remembers tool lists, which all runs of an assistant share."""

    def __init__(self) -> None:
        self._tools = ToolDecoder()

    def observe(
        self, records: Sequence[RunRecord], extras: Sequence[Extra], origin: Origin, position: int
    ) -> list[Observation]:
        """Observations of `records` (shape: n, n), their objects decoded column by column.

        Raises:
            msgspec.DecodeError: A value below a run does not fit.
            UnaccountedError: It holds an unknown or a repeated key.
            UnfitError: A run's tools do not fit.
        """
        for name in _JSON_STARTS:
            for raw in map(attrgetter(name), records):
                _check_json(name, bytes(raw))
        nested.check_actions([record.required_action for record in records])
        columns = zip(
            records,
            map(nested.usage, nested.USAGES.decode([record.usage for record in records])),
            map(self._tools.decode, [record.tools for record in records]),
            nested.LAST_ERRORS.decode([record.last_error for record in records]),
            nested.INCOMPLETE.decode([record.incomplete_details for record in records]),
            nested.TRUNCATIONS.decode([record.truncation_strategy for record in records]),
            map(_extra_json, records, extras),
            strict=True,
        )
        return [
            Observation(run, origin, place, usage, offered, error, details, truncation, extra)
            for place, (run, usage, offered, error, details, truncation, extra) in enumerate(columns, position)
        ]

    def observe_one(self, text: bytes, origin: Origin, position: int) -> Observation:
        """The observation of one run's JSON, its quirks normalised.

        Raises:
            UnfitError: It cannot be stored.
        """
        members = _members(text)
        known = {name: normalise(name, bytes(value)) for name, value in members.items() if name in _FIELDS}
        extra = [(name, bytes(value)) for name, value in members.items() if name not in _FIELDS]
        try:
            run = _RUN.decode(json_object(list(known.items())) or b"{}")
        except msgspec.DecodeError as error:
            raise _explained(unfit(error), known) from None
        for name in _JSON_STARTS:
            _check_json(name, bytes(getattr(run, name)))
        nested.check_actions([run.required_action])
        tokens, unknown = nested.USAGES.decode_known(run.usage)
        error, more = nested.LAST_ERRORS.decode_known(run.last_error)
        details, also = nested.INCOMPLETE.decode_known(run.incomplete_details)
        truncation, besides = nested.TRUNCATIONS.decode_known(run.truncation_strategy)
        for name, rest in (
            ("last_error", more),
            ("incomplete_details", also),
            ("truncation_strategy", besides),
        ):
            if rest:
                extra.append((name, known[name]))
        usage = nested.usage(tokens, unknown)
        offered = self._tools.decode(run.tools)
        return Observation(run, origin, position, usage, offered, error, details, truncation, _extra_json(run, extra))


def _members(text: bytes) -> dict[str, Raw]:
    try:
        return object_members(text)
    except msgspec.DecodeError as error:
        raise unfit(error) from None


def _check_json(name: str, text: bytes) -> None:
    if text and text[0] not in _JSON_STARTS[name] and text not in NULL_WORDS and not _is_quirk(name, text):
        expected = "an object" if name == "metadata" else "a text or an object"
        raise UnfitError(f"Expected {expected} or null, got `{text[:40].decode(errors='replace')}`", f"$.{name}")


def _is_quirk(name: str, text: bytes) -> bool:
    return normalise(name, text) != text


def _extra_json(run: RunRecord, extra: Extra) -> bytes | None:
    if run.agent_id is not UNSET and run.agent_id != run.assistant_id and isinstance(run.assistant_id, str):
        return json_object([*extra, ("agent_id", msgspec.json.encode(run.agent_id))])
    return json_object(extra) if extra else None


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
