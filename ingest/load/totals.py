"""The counts of a load, which become its row in `runmart.loads`."""

from collections import Counter
from dataclasses import dataclass, field

from runmart.ingest.load.merge import Counts


@dataclass(slots=True)
class Totals:
    """What a load has read and merged so far; the fields are columns of `runmart.loads`."""

    inputs: int = 0
    inputs_unchanged: int = 0
    pages: int = 0
    observations: int = 0
    new_runs: int = 0
    updated_runs: int = 0
    unchanged: int = 0
    rejected: int = 0
    skipped: Counter[str] = field(default_factory=Counter[str])
    """Items that are no runs, by kind."""
    steps: int = 0
    pruned: int = 0

    def add_merged(self, counts: Counts) -> None:
        """Add what a merge did to the runs."""
        self.new_runs += counts.new_runs
        self.updated_runs += counts.updated_runs
        self.unchanged += counts.unchanged
