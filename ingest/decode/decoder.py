"""Decode: bytes in, observations out. No I/O, no clock, no database.

Blocks are decoded whole, by one call of msgspec each, where they can be, and looked at together, a column at a time.
Where a block can't be (a bad run, a quirk, damage) it is taken apart by `careful`, run by run. Both ways give the same
observations.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
from msgspec import Struct

from runmart.ingest.decode.lenient import LenientDecoder
from runmart.ingest.decode.observations import COMMON, LONG, ObservationBuilder
from runmart.ingest.decode.result import Counts, Decoded, Pieces
from runmart.ingest.parse import classify, sse
from runmart.ingest.parse.blocks import Block
from runmart.ingest.parse.json_object import UnaccountedError, UnfitError, may_be_counted
from runmart.ingest.parse.record_types import RecordTypes
from runmart.models import arrow
from runmart.models.columns import VARCHAR
from runmart.models.observations import Observations, Origin
from runmart.models.record_columns import RecordColumns
from runmart.models.records import ABSENT, RunRecord
from runmart.models.statuses import RUN_EVENT_PREFIX, RUN_STEP_EVENT_PREFIX

Shape = Callable[[bytes], tuple[list[Any], int, int]]
"""Decodes a block of one shape: its records, how many pages they fill, and the colons around them."""


class _Whole(NamedTuple):
    """A block that was decoded by one call."""

    number: int
    """Which of the blocks, from 0."""
    origin: Origin
    runs: int
    pages: int
    colons: int
    """In its text, but for those around the runs."""


class _Group:
    """Blocks that were decoded whole, into records of one type."""

    def __init__(self, record: type[Struct]) -> None:
        self.record = record
        self.columns = RecordColumns(record, COMMON, LONG)
        self.wholes: list[_Whole] = []


class Decoder:
    """Decodes the blocks of any number of inputs.

    It remembers the unknown fields and the tool lists it has met, to be faster; what it gives never depends on that.
    """

    def __init__(self) -> None:
        self._types = RecordTypes()
        self._observer = ObservationBuilder()
        self._shapes: list[Shape] = [self._page, self._lines, self._array]

    def decode(self, blocks: Sequence[tuple[Block, Origin]]) -> Decoded:
        """The observations of `blocks`, each with where it comes from; positions are those in the block."""
        result = Decoded(rejects=[[] for _ in blocks], counts=[Counts(0, 0, 0)] * len(blocks))
        rest = set(range(len(blocks)))
        for group in self._groups(range(len(blocks)), blocks):
            for observed, wholes in self._together(group, blocks):
                result.observations += [observed] if len(observed) else []
                for whole in wholes:
                    result.pages += whole.pages
                    result.counts[whole.number] = Counts(whole.runs, 0, whole.runs)
                    rest.remove(whole.number)
        self._add_rest([(number, *blocks[number]) for number in sorted(rest)], result)
        return result

    def _groups(self, numbers: Iterable[int], blocks: Sequence[tuple[Block, Origin]]) -> list[_Group]:
        """The blocks with these numbers that can be decoded whole."""
        groups: list[_Group] = []
        for number in numbers:
            block, origin = blocks[number]
            decoded = self._whole(block)
            if decoded is None:
                continue
            records, pages, around = decoded
            if not groups or groups[-1].record is not self._types.run:
                groups.append(_Group(self._types.run))
            groups[-1].columns.add(records)
            whole = _Whole(number, origin, len(records), pages, block.data.count(b":") - around)
            groups[-1].wholes.append(whole)
        return groups

    def _together(
        self, group: _Group, blocks: Sequence[tuple[Block, Origin]]
    ) -> list[tuple[Observations, list[_Whole]]]:
        """The observations of a group; without the blocks in it that have to be taken apart."""
        try:
            return [(self._observe(group, blocks), group.wholes)]
        except (UnfitError, UnaccountedError):
            if len(group.wholes) == 1:
                return []
        alone = [self._groups([whole.number], blocks) for whole in group.wholes]
        return [found for [one] in alone for found in self._together(one, blocks)]

    def _observe(self, group: _Group, blocks: Sequence[tuple[Block, Origin]]) -> Observations:
        sent, wholes = group.columns, group.wholes
        colons = sent.colons()
        if sum(colons) != sum(whole.colons for whole in wholes):
            raise UnaccountedError
        if colons.decoded and not all(may_be_counted(blocks[whole.number][0].data) for whole in wholes):
            raise UnaccountedError
        origins = [(whole.origin, whole.runs) for whole in wholes]
        positions = list(chain.from_iterable(range(whole.runs) for whole in wholes))
        learnt = [(name, column) for name, column in self._types.extras if column in sent]
        return self._observer.observe(sent, origins, positions, learnt)

    def _add_rest(self, blocks: Sequence[tuple[int, Block, Origin]], result: Decoded) -> None:
        """Add what `blocks` hold, each with its number, one run after another."""
        pieces = [(number, origin, self._apart(block, origin)) for number, block, origin in blocks]
        for number, _, found in pieces:
            result.pages += found.pages
            result.rejects[number] = found.rejects
            result.skipped += found.skipped
            result.steps += found.steps
            result.counts[number] = Counts(len(found.records), len(found.rejects), found.items)
        records = list(chain.from_iterable(found.records for _, _, found in pieces))
        if records:
            origins = [(origin, len(found.records)) for _, origin, found in pieces]
            positions = list(chain.from_iterable(found.positions for _, _, found in pieces))
            extras = list(chain.from_iterable(found.extras for _, _, found in pieces))
            sent = RecordColumns(RunRecord, COMMON, LONG)
            sent.add(records)
            result.observations.append(self._observer.observe(sent, origins, positions, extras=extras))

    def _apart(self, block: Block, origin: Origin) -> Pieces:
        """The runs of a block, one after another."""
        if block.is_events:
            return self._events(block, origin)
        if not block.data.strip():
            return Pieces()
        return LenientDecoder(self._observer, origin).decode(block)

    def _events(self, block: Block, origin: Origin) -> Pieces:
        careful = LenientDecoder(self._observer, origin)
        for event in sse.events(block.data):
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

    def _whole(self, block: Block) -> tuple[list[Any], int, int] | None:
        """The records of a block by one call, as a `Shape` gives them; None where that can't be."""
        data = block.data
        if block.is_events or block.problem or not _is_utf8(data):
            return None
        for shape in list(self._shapes):
            try:
                records, pages, around = self._decode(shape, data)
            except (msgspec.DecodeError, RecursionError):
                continue
            if not all(map(classify.is_run_object, {record.object for record in records})):
                return None
            self._shapes.remove(shape)
            self._shapes.insert(0, shape)  # inputs come in rows of one shape
            return records, pages, around
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
        if classify.says_run(page.object):
            raise msgspec.ValidationError("a run that has a list `data`")
        sent = [value for name in self._types.page_fields if (value := getattr(page, name)) is not ABSENT]
        return page.data, 1, 1 + len(sent) + b"".join(sent).count(b":")

    def _lines(self, data: bytes) -> tuple[list[Any], int, int]:
        return self._types.lines.decode_lines(data), 0, 0

    def _array(self, data: bytes) -> tuple[list[Any], int, int]:
        return self._types.runs.decode(data), 0, 0


def _is_run_of(name: str, data: bytes) -> bool:
    """Whether an event of a name that the API does not know carries a run."""
    return not name.startswith("thread.") and classify.holds_run(data)


def _is_utf8(data: bytes) -> bool:
    try:
        return data.isascii() or bool(arrow.binary(data, (0, len(data))).cast(VARCHAR))
    except pa.ArrowInvalid:
        return False


def _holds_runs(data: bytes, *, in_page: bool) -> bool:
    """Whether the objects of a block are runs: the fields of others are not worth learning."""
    try:
        if in_page:
            page = classify.PEEK.decode(data)
            peeks = classify.PEEKS.decode(page.data) if classify.is_page(page) else []
        elif data.lstrip()[:1] == b"[":
            peeks = classify.PEEKS.decode(data)
        else:
            peeks = classify.PEEK.decode_lines(data)
    except (msgspec.DecodeError, RecursionError):
        return False
    return bool(peeks) and all(map(classify.is_run, peeks))
