"""Pages of lists, as a server sends them: ids, statuses, instants and `has_more`, which control a pull.

Runs and steps are parsed once, by the decoder of `runmart ingest`; the load makes rows of what was parsed. What it
rejects is no item, so that nothing that is not stored controls a pull.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from io import BytesIO
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from runmart.ingest.decode.decoder import Decoder, ParsedBlock
from runmart.ingest.digest import content_digest
from runmart.ingest.errors import InputError
from runmart.ingest.pull.client import Response
from runmart.ingest.sources.reader import Reader
from runmart.ingest.workers.tasks import read_blocks
from runmart.models.observations import Origin
from runmart.models.quirks import microseconds
from runmart.models.statuses import TERMINAL_STATUSES

_ENDED = TERMINAL_STATUSES[0]
_LAST_SECOND = 253_402_300_799.0
"""The last second of the year 9999."""


class Item(NamedTuple):
    """The fields of a run, a record of another kind, a step or a thread that control a pull."""

    id: str
    status: str | None = None
    created: float | None = None
    """Seconds since 1970; None where unknown."""

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.status not in TERMINAL_STATUSES


class Content(NamedTuple):
    """The content of a page."""

    parsed: tuple[ParsedBlock, ...]
    problem: str | None
    """Why it could not be read to its end; None if it was."""


@dataclass(frozen=True)
class Page:
    """One page of a list."""

    response: Response
    size: int
    """The number of items, those without an id included."""
    has_more: bool | None
    """As sent; None when missing, as in a bare array."""
    digest: str
    """The content digest of its items and of `has_more`, as sent."""
    decoder: Decoder | None = field(repr=False, default=None)
    """What decodes it; None for a list of threads, which are not stored."""
    _items: tuple[Item, ...] = ()

    @cached_property
    def content(self) -> Content:
        """What it holds, read as an input of `runmart ingest` is, once it is needed: an unchanged page never is."""
        if self.decoder is None:
            return Content((), None)
        origin, found = Origin("", self.response.observed_at, 0), list[ParsedBlock]()
        try:
            for block in read_blocks(Reader(BytesIO(self.response.body))):
                found.append(self.decoder.parse(block, origin))
        except InputError as error:
            return Content(tuple(found), str(error))
        return Content(tuple(found), None)

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """The runs, steps or threads in it that have an id, in order."""
        return self._items or tuple(_items(self.content.parsed))

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The ids in it, in order, those of rejects included where they can be read."""
        if self.decoder is None or all(one.whole is not None for one in self.content.parsed):
            return tuple(item.id for item in self.items)
        return _ids(self.response.body) or tuple(item.id for item in self.items)

    @property
    def last_id(self) -> str | None:
        """What the server calls the last item, which may be one that is not on the page."""
        try:
            found = _ENDS.decode(self.response.body).last_id
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return found if isinstance(found, str) else None


class MalformedError(Exception):
    """A response is not of the expected form; `page` is what can be read of it, which is loaded all the same."""

    def __init__(self, reason: str, page: Page) -> None:
        super().__init__(reason)
        self.page = page


class _List(Struct):
    data: Raw | UnsetType = UNSET
    has_more: Any = None
    error: Any = None
    errors: Any = None


class _Ends(Struct):
    last_id: Any = None


class _Identified(Struct):
    id: str | int
    created_at: Any = None


class _FoundThread(Struct, rename={"id": "thread_id"}):
    id: str | int
    created_at: Any = None


_Identifies = msgspec.json.Decoder[_Identified] | msgspec.json.Decoder[_FoundThread]


_LIST = msgspec.json.Decoder(_List)
_ENDS = msgspec.json.Decoder(_Ends)
_RAW_ITEMS = msgspec.json.Decoder(list[Raw])
_IDENTIFIED = msgspec.json.Decoder(_Identified)
_FOUND_THREAD = msgspec.json.Decoder(_FoundThread)


def page(response: Response, decoder: Decoder) -> Page:
    """A page of runs or steps.

    Raises:
        MalformedError: It is not a list.
    """
    try:
        data, has_more, items = _envelope(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        found = Page(response, 0, None, response.digest, decoder)
        if found.items and isinstance(error, msgspec.ValidationError):  # a list in another envelope
            return Page(response, len(found.items), None, response.digest, decoder)
        raise MalformedError(f"no list: {error}", found) from None
    return Page(response, len(items), has_more, _digest(data, has_more=has_more), decoder)


def thread_page(response: Response) -> Page:
    """A page of threads.

    Raises:
        MalformedError: It is not a list.
    """
    return _threads(response, _IDENTIFIED)


def found_threads(response: Response) -> Page:
    """A page of threads that were searched for, as LangGraph Agent Servers send it.

    Raises:
        MalformedError: It is not a list.
    """
    return _threads(response, _FOUND_THREAD)


def single(response: Response, decoder: Decoder) -> Page:
    """A single run or record, as a page.

    Raises:
        MalformedError: It is none.
    """
    found = Page(response, 1, None, response.digest, decoder)
    if not found.items:
        raise MalformedError("no run", found)
    return found


def _threads(response: Response, decoder: _Identifies) -> Page:
    try:
        data, has_more, raws = _envelope(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"no list: {error}", Page(response, 0, None, response.digest)) from None
    found = [one for raw in raws if (one := _identified(raw, decoder)) is not None]
    items = tuple(Item(str(one.id), None, _seconds(one.created_at)) for one in found)
    return Page(response, len(raws), has_more, _digest(data, has_more=has_more), None, items)


def _envelope(body: bytes) -> tuple[bytes, bool | None, list[Raw]]:
    """The list in a response, as sent, what it says of more, and its items.

    Raises:
        msgspec.DecodeError: There is no list.
    """
    data, has_more = body, None
    if body.lstrip()[:1] != b"[":
        envelope = _LIST.decode(body)
        if envelope.data is UNSET:
            raise msgspec.ValidationError("an object without `data` where a list was expected")
        data, has_more = bytes(envelope.data), envelope.has_more
        if (envelope.error or envelope.errors) and not _RAW_ITEMS.decode(data):
            raise msgspec.ValidationError("an error where a list was expected")
    return data, has_more if isinstance(has_more, bool) else None, _RAW_ITEMS.decode(data)


def _digest(data: bytes, *, has_more: bool | None) -> str:
    return content_digest(data if has_more is None else data + str(has_more).encode())


def _items(parsed: Sequence[ParsedBlock]) -> list[Item]:
    found: list[tuple[int, Item]] = []
    before = 0
    for one in parsed:
        if one.whole is not None:
            records = list(enumerate(one.whole.records))
            before_next = len(records)
        elif one.parts is not None:
            records = [(part.position, part.record) for part in one.parts.records]
            records += [(step.position, step.record) for step in one.parts.steps]
            before_next = one.parts.items
        else:
            continue
        found += [(before + position, item) for position, record in records if (item := _item(record)) is not None]
        before += before_next
    return [item for _, item in sorted(found, key=lambda pair: pair[0])]


def _item(record: Any) -> Item | None:
    """The item of a record; None where it has no id."""
    if not isinstance(record.id, str):
        return None
    status = getattr(record, "status", _ENDED)  # a kind without a status is a record of what has ended
    status = status if isinstance(status, str) else None
    return Item(record.id, status, _seconds(record.created_at))


def _ids(body: bytes) -> tuple[str, ...]:
    """The ids of the items of a list, as sent."""
    try:
        _, _, raws = _envelope(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    return tuple(str(one.id) for one in map(_identified, raws) if one is not None)


def _identified(raw: Raw, decoder: _Identifies = _IDENTIFIED) -> _Identified | _FoundThread | None:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _seconds(instant: Any) -> float | None:
    """Seconds since 1970; None where it is no instant after 1970."""
    if isinstance(instant, str):
        instant = _of_text(instant)
    if isinstance(instant, bool) or not isinstance(instant, int | float) or not 0 < instant < _LAST_SECOND * 1000:
        return None
    found = microseconds(instant)
    return None if found is None or found > _LAST_SECOND * 1e6 else found / 1e6


def _of_text(instant: str) -> float | None:
    """The number in a text, or the seconds since 1970 of an instant with an offset."""
    try:
        return float(instant)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(instant)
        return None if found.tzinfo is None else found.timestamp()
    except (ValueError, OverflowError):
        return None
