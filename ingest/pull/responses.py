"""The fields of a response that control a pull: ids, statuses, instants and `has_more`.

Rows are decoded separately, from the same bytes, by `runmart.ingest.transform`.
"""

from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from runmart.ingest.digest import content_digest
from runmart.ingest.pull.client import Response
from runmart.models.statuses import TERMINAL_STATUSES

_MILLISECONDS_FROM = 1e11
"""Some servers send milliseconds (see `runmart.models.quirks`)."""


class Item(Struct, frozen=True):
    """The fields of a run, a step or a thread that control a pull."""

    id: str
    status: str | None = None
    created_at: Any = None
    expires_at: Any = None

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.status not in TERMINAL_STATUSES

    @property
    def created(self) -> float | None:
        """Seconds since 1970."""
        return seconds(self.created_at)

    @property
    def expires(self) -> float | None:
        """Seconds since 1970."""
        return seconds(self.expires_at)


class Page(NamedTuple):
    """One page of a list."""

    response: Response
    items: list[Item]
    size: int
    """The number of items, those without an id included."""
    has_more: bool | None
    """As sent; None when missing, as in a bare array."""
    digest: str
    """The content digest of its items, as sent."""


class _List(Struct):
    data: Raw | UnsetType = UNSET
    has_more: Any = None


_LIST = msgspec.json.Decoder(_List)
_RAW_ITEMS = msgspec.json.Decoder(list[Raw])
_ITEMS = msgspec.json.Decoder(list[Item])
_ITEM = msgspec.json.Decoder(Item)


class MalformedError(Exception):
    """A response is not of the expected form."""


def page(response: Response) -> Page:
    """A page of items; those without an id are left out.

    Raises:
        MalformedError: It is not a list.
    """
    try:
        if response.body.lstrip()[:1] == b"[":
            data, has_more = response.body, None
        else:
            envelope = _LIST.decode(response.body)
            if envelope.data is UNSET:
                raise MalformedError("an object without `data` where a list was expected")
            data, has_more = bytes(envelope.data), envelope.has_more
        items, count = _items(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"no list: {error}") from None
    said = has_more if isinstance(has_more, bool) else None
    return Page(response, items, count, said, content_digest(data))


def _items(data: bytes) -> tuple[list[Item], int]:
    """The items that have an id, and the number of all items."""
    try:
        items = _ITEMS.decode(data)
    except msgspec.ValidationError:
        found: list[Item] = []
        raws = _RAW_ITEMS.decode(data)
        for raw in raws:
            try:
                found.append(_ITEM.decode(raw))
            except msgspec.ValidationError:
                continue  # the load records it as a reject
        return found, len(raws)
    return items, len(items)


def item(response: Response) -> Item:
    """A single run.

    Raises:
        MalformedError: It is not a run.
    """
    try:
        return _ITEM.decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"no run: {error}") from None


def seconds(instant: Any) -> float | None:
    """Seconds since 1970; None if it is not an instant."""
    if isinstance(instant, str):
        try:
            instant = float(instant)
        except ValueError:
            return None
    if isinstance(instant, bool) or not isinstance(instant, int | float) or not 0 < instant < float("inf"):
        return None
    return instant / 1000 if instant >= _MILLISECONDS_FROM else float(instant)
