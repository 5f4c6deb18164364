"""Results of decoding: of one block, and of several together."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec import Struct

from runmart.models.observations import Observations, Reject
from runmart.models.record_spec import RecordSpec
from runmart.models.tables.steps import StepRow

Extra = list[tuple[str, bytes]]
"""The fields of a record that it does not declare: name and value as sent."""


class LenientRecord(NamedTuple):
    """A record that was decoded alone."""

    spec: RecordSpec
    position: int
    """Its position in the block, from 0; records, rejected and skipped items all count."""
    record: Struct
    extra: Extra


@dataclass(slots=True)
class LenientResult:
    """The contents of a block that was decoded record by record."""

    records: list[LenientRecord] = field(default_factory=list[LenientRecord])
    rejects: list[Reject] = field(default_factory=list[Reject])
    skipped: Counter[str] = field(default_factory=Counter[str])
    """Objects that are no records, by kind."""
    steps: list[StepRow] = field(default_factory=list[StepRow])
    pages: int = 0

    @property
    def items(self) -> int:
        """The number of places in its input that the block took so far."""
        return len(self.records) + len(self.rejects) + len(self.steps) + self.skipped.total()


class BlockCounts(NamedTuple):
    """The contents of a block, in numbers."""

    observations: int
    rejected: int
    items: int
    """Records, steps, rejected and skipped items: the number of places in its input that the block took."""
    steps: int = 0
    skipped: Counter[str] | None = None
    """Objects that are no records, by kind; None where there are none, or nobody has counted them."""


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
    counts: list[BlockCounts] = field(default_factory=list[BlockCounts])
    """Of each block."""
