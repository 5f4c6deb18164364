"""Choices of chat completions: they tell the status, and become steps. Their texts are not stored."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from runmart.ingest.parse.depth import refuse_deep
from runmart.ingest.parse.json_object import UnfitError, unfit
from runmart.models import arrow
from runmart.models.arrow import Array
from runmart.models.chat_record import CALLING, OUTCOMES, ChatCall, Choice
from runmart.models.columns import BIGINT, BINARY, BOOLEAN, VARCHAR
from runmart.models.depth import MAX_DEPTH
from runmart.models.observations import OutputItems
from runmart.models.quirks import NOTHING

_ALL = msgspec.json.Decoder(list[list[Choice]])
_ONE = msgspec.json.Decoder(list[Choice])
_FIELD_LEVEL = 2
_PATH = "$.choices"
_NONE = NOTHING | {b""}


class Choices(NamedTuple):
    """What a column of choices (shape: n) tells."""

    statuses: Array
    """The status of each completion."""
    details: Array
    """Incomplete details, as JSON; empty where there are none."""
    items: OutputItems
    """A message for each choice, and each call in it."""


class _Item(NamedTuple):
    type: str
    id: str | None = None
    name: str | None = None


def decode(sent: Array) -> Choices:
    """The choices in a column of JSON texts (shape: n).

    Raises:
        UnfitError: One is no list of choices, or does not say how each of them ended.
    """
    texts: list[bytes] = sent.to_pylist()
    for text in texts:
        _refuse(text)
    try:
        found = _ALL.decode(b"[" + b",".join(texts) + b"]")
    except msgspec.DecodeError as error:
        raise unfit(error, _PATH) from None
    outcomes = [_outcome(choices) for choices in found]
    lists = [_items(choices) for choices in found]
    items = [item for some in lists for item in some]
    statuses = [status for status, _ in outcomes]
    return Choices(
        arrow.array(statuses, VARCHAR).dictionary_encode(),
        arrow.array([_details(reason) for _, reason in outcomes], BINARY),
        OutputItems(
            runs=arrow.array([run for run, some in enumerate(lists) for _ in some], BIGINT),
            positions=arrow.array([position for some in lists for position in range(len(some))], BIGINT),
            ids=arrow.array([item.id for item in items], VARCHAR),
            types=arrow.array([item.type for item in items], VARCHAR),
            statuses=arrow.nulls(len(items), VARCHAR),
            names=arrow.array([item.name for item in items], VARCHAR),
            waits=arrow.array([any(map(_calls_client, choices)) for choices in found], BOOLEAN),
        ),
    )


def check(text: bytes) -> None:
    """Check the choices of one completion.

    Raises:
        UnfitError: They are no list of choices, or do not say how each of them ended.
    """
    _refuse(text)
    try:
        _outcome(_ONE.decode(text))
    except msgspec.DecodeError as error:
        raise unfit(error, _PATH) from None


def _refuse(text: bytes) -> None:
    """Refuse choices that are none, or nested too deep."""
    if text in _NONE:
        raise UnfitError(
            "a chat completion without choices: the `finish_reason` of each tells the status, and there is none", _PATH
        )
    if text.count(b"[") + text.count(b"{") >= MAX_DEPTH - 1:
        refuse_deep(text, _FIELD_LEVEL)


def _outcome(choices: Sequence[Choice]) -> tuple[str, str | None]:
    """The status of a completion, and why it is incomplete: those of the choice that ended worst."""
    reasons: list[str] = []
    for index, choice in enumerate(choices):
        if not choice.finish_reason:
            raise UnfitError("a choice without a `finish_reason`, which tells the status", f"{_PATH}[{index}]")
        reasons.append(choice.finish_reason)
    return max(map(_meaning, reasons), key=_badness)


def _meaning(reason: str) -> tuple[str, str | None]:
    return OUTCOMES.get(reason, (reason, None))


def _badness(outcome: tuple[str, str | None]) -> tuple[int, str]:
    """How bad an outcome is; reasons of one status that are equally bad are in order of their names."""
    status, reason = outcome
    kinds = ["completed", "", "incomplete", "failed"]
    return kinds.index(status if status in kinds else ""), reason or status


def _details(reason: str | None) -> bytes:
    return b"" if reason is None else b'{"reason":%s}' % msgspec.json.encode(reason)


def _items(choices: Sequence[Choice]) -> list[_Item]:
    """A message for each choice, followed by its calls."""
    found: list[_Item] = []
    for choice in choices:
        found.append(_Item("message"))
        message = choice.message
        if message is not None:
            found += map(_call, message.tool_calls or [])
            found += [_Item("function_call", name=message.function_call.name)] if message.function_call else []
    return found


def _call(call: ChatCall) -> _Item:
    """A call, under the type that an item of a response would have."""
    called = call.custom or call.function
    kind = "custom_tool_call" if call.type == "custom" else "function_call"
    return _Item(kind, call.id, called.name if called else None)


def _calls_client(choice: Choice) -> bool:
    """Whether a choice ends in calls that the client has to answer."""
    message = choice.message
    has_calls = message is not None and bool(message.tool_calls or message.function_call)
    return choice.finish_reason in CALLING or (choice.finish_reason == "stop" and has_calls)
