"""Results of decoding: of one block, and of several together."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from msgspec import Struct

from runmart.ingest.parse.reject_kinds import MAX_REJECTS, kind
from runmart.models.observations import Observations, Origin, Reject
from runmart.models.record_spec import RecordSpec
from runmart.models.tables.neighbours import NeighbourRow
from runmart.models.tables.steps import StepRow

Extra = list[tuple[str, bytes]]
"""The fields of a record that it does not declare: name and value as sent."""


class Envelope(NamedTuple):
    """What the objects around a record say of it."""

    is_batch: bool | None = None
    """Whether it is in the output of a batch; None where nothing says so."""
    seconds: float | None = None
    """How long the request took that made it."""
    source: str | None = None
    """Who measured that."""


class LenientRecord(NamedTuple):
    """A record that was decoded alone."""

    spec: RecordSpec
    position: int
    """Its position in the block, from 0; records, rejected and skipped items all count."""
    record: Struct
    extra: Extra
    envelope: Envelope = Envelope()


class ErrorEvent(NamedTuple):
    """An error that a stream reports: whose it is, its place among the other events says."""

    origin: Origin
    position: int
    content: str
    """The event, as JSON in a form that depends on its content alone."""
    values: dict[str, Any]
    """The columns of `request_failures` that it fills."""


@dataclass(slots=True)
class LenientResult:
    """The contents of a block that was decoded record by record."""

    records: list[LenientRecord] = field(default_factory=list[LenientRecord])
    rejects: list[Reject] = field(default_factory=list[Reject])
    """The first of them one by one, then one of each kind: see `reject`."""
    rejected: int = 0
    """The number of rejected items."""
    skipped: Counter[str] = field(default_factory=Counter[str])
    """Objects that are no records, by kind."""
    steps: list[StepRow] = field(default_factory=list[StepRow])
    neighbours: list[NeighbourRow] = field(default_factory=list[NeighbourRow])
    error_events: list[ErrorEvent] = field(default_factory=list[ErrorEvent])
    """Until `error_events.settle` makes of each a row of `request_failures`, or skips it."""
    pages: int = 0
    shows_record: bool = False
    """Whether there is a record, be it one that is rejected."""
    closed: int = 0
    """The number of records that what is around them does not time, such as those in a list."""
    _skipped_items: int = 0
    _packs: dict[str, "_Pack"] = field(default_factory=dict[str, "_Pack"])

    @property
    def items(self) -> int:
        """The number of places in its input that the block took so far."""
        others = len(self.steps) + len(self.neighbours) + len(self.error_events)
        return len(self.records) + self.rejected + others + self._skipped_items

    @property
    def holds_values(self) -> bool:
        """Whether there is anything in it that is stored."""
        return bool(self.records or self.steps or self.neighbours or self.error_events)

    @property
    def holds_data(self) -> bool:
        """Whether there is anything else in it than rejects."""
        return self.holds_values or bool(self.skipped)

    def close(self) -> None:
        """Say that objects around the records so far do not time them."""
        self.closed = len(self.records)

    def skip(self, kind: str) -> None:
        """Count an object of a kind that is not stored."""
        self.skipped[kind] += 1
        self._skipped_items += 1

    def reject(self, reject: Reject) -> None:
        """Add a reject; beyond `MAX_REJECTS` of them, those of one kind are kept as one."""
        self.rejected += reject.items
        if len(self.rejects) < MAX_REJECTS:
            self.rejects.append(reject)
            return
        name = kind(reject.reason)
        if name not in self._packs:
            self._packs[name] = _Pack(reject)
        self._packs[name].add(reject)

    def all_rejects(self) -> list[Reject]:
        """All rejects, in order of their positions."""
        return self.rejects + [pack.reject() for pack in self._packs.values()]

    def add(self, other: "LenientResult") -> None:
        """Add the contents of a part of the block, whose positions are within that part."""
        before = self.items
        self.closed = len(self.records) + other.closed if other.closed else self.closed
        self.records += [one._replace(position=one.position + before) for one in other.records]
        self.steps += [one._replace(position=one.position + before) for one in other.steps]
        self.neighbours += [one._replace(position=one.position + before) for one in other.neighbours]
        self.error_events += [one._replace(position=one.position + before) for one in other.error_events]
        for one in other.all_rejects():
            last = one.last_position if one.items == 1 else one.last_position + before
            self.reject(one._replace(position=one.position + before, last_position=last))
        self.skipped.update(other.skipped)
        self._skipped_items += other.skipped.total()
        self.pages += other.pages
        self.shows_record = self.shows_record or other.shows_record


class _Pack:
    """Rejects of one kind."""

    def __init__(self, first: Reject) -> None:
        self._first = first
        self._raw = bytearray()
        self._count = 0
        self._last = first

    def add(self, reject: Reject) -> None:
        """Add one, behind all others."""
        self._raw += reject.raw + b"\n"
        self._count += reject.items
        self._last = reject

    def reject(self) -> Reject:
        """All of them as one."""
        last = self._last
        if self._count == 1:
            return self._first
        return self._first._replace(
            raw=bytes(self._raw[:-1]),
            items=self._count,
            last_position=last.position if last.items == 1 else last.last_position,
            last_line=last.line if last.items == 1 else last.last_line,
        )


class BlockCounts(NamedTuple):
    """The contents of a block, in numbers."""

    observations: int
    rejected: int
    items: int
    """Records, steps, rows of neighbours, rejected and skipped items: the number of places in its input that the block
    took."""
    steps: int = 0
    skipped: Counter[str] | None = None
    """Objects that are no records, by kind; None where there are none, or nobody has counted them."""
    neighbours: int = 0
    """Rows of the tables beside runs."""


@dataclass(slots=True)
class Decoded:
    """The contents of several blocks."""

    observations: list[Observations] = field(default_factory=list[Observations])
    rejects: list[list[Reject]] = field(default_factory=list[list[Reject]])
    """Of each block."""
    skipped: Counter[str] = field(default_factory=Counter[str])
    """Objects that are no records, by kind."""
    pages: int = 0
    steps: list[StepRow] = field(default_factory=list[StepRow])
    neighbours: list[NeighbourRow] = field(default_factory=list[NeighbourRow])
    counts: list[BlockCounts] = field(default_factory=list[BlockCounts])
    """Of each block."""
