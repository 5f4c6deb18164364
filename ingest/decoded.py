"""What decoding gives."""

from collections import Counter
from dataclasses import dataclass, field

from runmart.models.observations import Observation, Reject


@dataclass(slots=True)
class Decoded:
    """What a block held."""

    observations: list[Observation] = field(default_factory=list[Observation])
    rejects: list[Reject] = field(default_factory=list[Reject])
    skipped: Counter[str] = field(default_factory=Counter[str])
    """Objects that are no runs, by kind."""
    pages: int = 0

    @property
    def items(self) -> int:
        """How many places of its input the block took: runs, rejected and skipped items."""
        return len(self.observations) + len(self.rejects) + self.skipped.total()
