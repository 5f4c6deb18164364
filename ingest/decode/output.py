"""Output of responses: its items become steps, and tell whether the client has to answer. Its texts are not stored."""

from collections.abc import Iterable

import msgspec

from runmart.ingest.parse.depth import refuse_deep
from runmart.ingest.parse.json_object import unfit
from runmart.models import arrow
from runmart.models.arrow import Array
from runmart.models.columns import BIGINT, BOOLEAN, VARCHAR
from runmart.models.depth import MAX_DEPTH
from runmart.models.observations import OutputItems
from runmart.models.quirks import NOTHING
from runmart.models.response_record import WAITING_ITEMS, Action, OutputItem

_OUTPUTS: msgspec.json.Decoder[list[list[OutputItem] | None]] = msgspec.json.Decoder(list[list[OutputItem] | None])
_OUTPUT: msgspec.json.Decoder[list[OutputItem] | None] = msgspec.json.Decoder(list[OutputItem] | None)
_ACTION = msgspec.json.Decoder(Action)
_FIELD_LEVEL = 2


def decode(sent: Array) -> OutputItems:
    """The items in a column of outputs, JSON texts (shape: n).

    Raises:
        UnfitError: One is no list of items.
    """
    texts: list[bytes] = sent.to_pylist()
    for text in texts:
        _refuse_deep(text)
    try:
        outputs = _OUTPUTS.decode(b"[" + b",".join(b"null" if text in _NONE else text for text in texts) + b"]")
    except msgspec.DecodeError as error:
        raise unfit(error, "$.output") from None
    lists = [found or [] for found in outputs]
    items = [item for found in lists for item in found]
    return OutputItems(
        runs=arrow.array([run for run, found in enumerate(lists) for _ in found], BIGINT),
        positions=arrow.array([position for found in lists for position in range(len(found))], BIGINT),
        ids=arrow.array([item.id for item in items], VARCHAR),
        types=arrow.array([item.type for item in items], VARCHAR),
        statuses=arrow.array([item.status for item in items], VARCHAR),
        names=arrow.array([_name(item) for item in items], VARCHAR),
        waits=arrow.array(map(_waits, lists), BOOLEAN),
    )


def check(text: bytes) -> None:
    """Check the output of one response.

    Raises:
        UnfitError: It is no list of items.
    """
    _refuse_deep(text)
    if text in _NONE:
        return
    try:
        _OUTPUT.decode(text)
    except msgspec.DecodeError as error:
        raise unfit(error, "$.output") from None


_NONE = NOTHING | {b""}


def _refuse_deep(text: bytes) -> None:
    if text.count(b"[") + text.count(b"{") >= MAX_DEPTH - 1:
        refuse_deep(text, _FIELD_LEVEL)


def _name(item: OutputItem) -> str | None:
    """The name of the tool that an item calls; of a web search, its action."""
    if item.name is not None or item.type != "web_search_call" or not item.action:
        return item.name
    try:
        return _ACTION.decode(item.action).type
    except msgspec.DecodeError:  # not of this form
        return None


def _waits(items: Iterable[OutputItem]) -> bool:
    """Whether an item asks the client for something that no other item answers."""
    asked = [item.call_id for item in items if item.type in WAITING_ITEMS]
    answered = {item.call_id for item in items if item.type not in WAITING_ITEMS}
    return any(one is None or one not in answered for one in asked)
