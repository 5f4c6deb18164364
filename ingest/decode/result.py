"""What decoding gives."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from runmart.models.observations import Observations, Reject
from runmart.models.records import RunRecord
from runmart.models.tables.steps import StepRow

Extra = list[tuple[str, bytes]]
"""Fields of a run that are none of the 27: name and value as sent."""


@dataclass(slots=True)
class Pieces:
    """What a block held that was taken apart."""

    records: list[RunRecord] = field(default_factory=list[RunRecord])
    extras: list[Extra] = field(default_factory=list[Extra])
    positions: list[int] = field(default_factory=list[int])
    """The place of each record in the block, from 0; runs, rejected and skipped items all count."""
    rejects: list[Reject] = field(default_factory=list[Reject])
    skipped: Counter[str] = field(default_factory=Counter[str])
    """Objects that are no runs, by kind."""
    steps: list[StepRow] = field(default_factory=list[StepRow])
    pages: int = 0

    def take(self, position: int, record: RunRecord, extra: Extra) -> None:
        """Add a run."""
        self.records.append(record)
        self.extras.append(extra)
        self.positions.append(position)

    @property
    def items(self) -> int:
        """How many places of its input the block took so far."""
        return len(self.records) + len(self.rejects) + len(self.steps) + self.skipped.total()


class Counts(NamedTuple):
    """What a block held."""

    observations: int
    rejected: int
    items: int
    """Runs, steps, rejected and skipped items: how many places of its input the block took."""


@dataclass(slots=True)
class Decoded:
    """What some blocks held."""

    observations: list[Observations] = field(default_factory=list[Observations])
    rejects: list[list[Reject]] = field(default_factory=list[list[Reject]])
    """Of each block."""
    skipped: Counter[str] = field(default_factory=Counter[str])
    """Objects that are no runs, by kind."""
    pages: int = 0
    steps: list[StepRow] = field(default_factory=list[StepRow])
    counts: list[Counts] = field(default_factory=list[Counts])
    """Of each block."""
