"""Decode: bytes in, observations out. No I/O, no clock, no database.

A block is decoded whole, by one call of msgspec, where it can be. Where it can't be (a bad run, a quirk, damage) it is
taken apart by `careful`, run by run. Both ways give the same observations.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from runmart.ingest import events, kinds
from runmart.ingest.blocks import Block
from runmart.ingest.careful import Careful
from runmart.ingest.decoded import Decoded
from runmart.ingest.learn import WireTypes
from runmart.ingest.ledger import is_complete
from runmart.ingest.members import UnaccountedError, UnfitError
from runmart.ingest.observe import Extra, Observer
from runmart.models.observations import Observation, Origin
from runmart.models.records import ABSENT
from runmart.models.statuses import RUN_EVENT_PREFIX, RUN_OBJECT, RUN_STEP_EVENT_PREFIX

Shape = Callable[[bytes], tuple[list[Any], int, int]]
"""Decodes a block of one shape: its records, how many pages they fill, and the colons around them."""


class Decoder:
    """Decodes the blocks of any number of inputs.

    It remembers the unknown fields and the tool lists it has met, to be faster; what it gives never depends on that.
    """

    def __init__(self) -> None:
        self._types = WireTypes()
        self._observer = Observer()
        self._shapes: list[Shape] = [self._page, self._lines, self._array]

    def decode(self, block: Block, origin: Origin, position: int = 0) -> Decoded:
        """The observations of `block`, in order.

        Args:
            block: The text.
            origin: Where it comes from.
            position: The place of the block's first item in its input, from 0.
        """
        if block.is_events:
            return self._events(block, origin, position)
        if not block.data.strip():
            return Decoded()
        found = None if block.problem else self._whole(block.data, origin, position)
        return found or Careful(self._observer, origin, position).decode(block)

    def _events(self, block: Block, origin: Origin, position: int) -> Decoded:
        careful = Careful(self._observer, origin, position)
        for event in events.events(block.data):
            name, line = event.name, block.line + event.line
            is_run = name.startswith(RUN_EVENT_PREFIX) and not name.startswith(RUN_STEP_EVENT_PREFIX)
            if is_run and event.data:
                careful.item(event.data, "$", line)
            elif is_run:
                careful.reject(b"event: " + name.encode(), "the event has no data: a truncated stream?", "$", line)
            elif event.data.strip() == b"[DONE]" or (name and not _is_run_of(name, event.data)):
                careful.skip(name or "done")
            else:
                careful.item(event.data, "$", line)
        return careful.result

    def _whole(self, data: bytes, origin: Origin, position: int) -> Decoded | None:
        """Everything in `data` by one call; None where that can't be."""
        if not _is_utf8(data):
            return None
        for shape in list(self._shapes):
            try:
                records, pages, around = self._decode(shape, data)
            except (msgspec.DecodeError, RecursionError):
                continue
            observations = self._observations(data, records, around, origin, position)
            if observations is None:
                return None
            self._shapes.remove(shape)
            self._shapes.insert(0, shape)  # inputs come in rows of one shape
            return Decoded(observations, pages=pages)
        return None

    def _observations(
        self, data: bytes, records: list[Any], around: int, origin: Origin, position: int
    ) -> list[Observation] | None:
        if not all(record.object == RUN_OBJECT for record in records):
            return None
        if not is_complete(data, around + self._types.run_ledger.colons(records)):
            return None
        try:
            return self._observer.observe(records, self._extras(records), origin, position)
        except (msgspec.DecodeError, RecursionError, UnaccountedError, UnfitError):
            return None

    def _decode(self, shape: Shape, data: bytes) -> tuple[list[Any], int, int]:
        """What `shape` makes of `data`, after learning the fields that it did not know."""
        while True:
            try:
                return shape(data)
            except msgspec.ValidationError as error:
                in_page = shape == self._page
                if not _holds_runs(data, in_page=in_page) or not self._types.learn(error, in_page=in_page):
                    raise

    def _page(self, data: bytes) -> tuple[list[Any], int, int]:
        page = self._types.pages.decode(data)
        if kinds.says_run(page.object):
            raise msgspec.ValidationError("a run that has a list `data`")
        sent = [value for name in self._types.page_fields if (value := getattr(page, name)) is not ABSENT]
        return page.data, 1, 1 + len(sent) + b"".join(sent).count(b":")

    def _lines(self, data: bytes) -> tuple[list[Any], int, int]:
        return self._types.lines.decode_lines(data), 0, 0

    def _array(self, data: bytes) -> tuple[list[Any], int, int]:
        return self._types.runs.decode(data), 0, 0

    def _extras(self, records: Sequence[Any]) -> list[Extra]:
        """The learnt fields of each record."""
        learnt = self._types.extras
        if not learnt:
            return [[]] * len(records)
        return [
            [(name, bytes(value)) for name, attribute in learnt if (value := getattr(record, attribute)) is not ABSENT]
            for record in records
        ]


def _is_run_of(name: str, data: bytes) -> bool:
    """Whether an event of a name that the API does not know carries a run."""
    return not name.startswith("thread.") and kinds.holds_run(data)


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _holds_runs(data: bytes, *, in_page: bool) -> bool:
    """Whether the objects of a block are runs: the fields of others are not worth learning."""
    try:
        if in_page:
            page = kinds.PEEK.decode(data)
            peeks = kinds.PEEKS.decode(page.data) if kinds.is_page(page) else []
        elif data.lstrip()[:1] == b"[":
            peeks = kinds.PEEKS.decode(data)
        else:
            peeks = kinds.PEEK.decode_lines(data)
    except (msgspec.DecodeError, RecursionError):
        return False
    return bool(peeks) and all(map(kinds.is_run, peeks))
