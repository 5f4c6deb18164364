"""The counts of a load, which become its row in `runmart.loads`."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runmart.ingest.load.merge import Counts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

SHOWN_INPUTS = 3
"""Inputs without runs that are named."""


@dataclass(slots=True)
class Totals:
    """What a load has read and merged so far; most fields are columns of `runmart.loads`."""

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
    request_failures: int = 0
    webhook_events: int = 0
    organization_usage: int = 0
    inputs_without_runs: int = 0
    """Inputs that held nothing but what was skipped; no column, as the next one."""
    without_runs: list[tuple[str, Counter[str]]] = field(default_factory=list[tuple[str, Counter[str]]])
    """The first few of them: address, and what was skipped by kind."""

    def add_without_runs(self, address: str, skipped: Counter[str]) -> None:
        """Count an input that held nothing but what was skipped."""
        self.inputs_without_runs += 1
        if len(self.without_runs) < SHOWN_INPUTS:
            self.without_runs.append((address, skipped))

    def add_neighbours(self, found: "Mapping[str, pa.RecordBatch]") -> None:
        """Count rows of the tables beside runs."""
        for name, rows in found.items():
            setattr(self, name, getattr(self, name) + rows.num_rows)

    def add_merged(self, counts: Counts) -> None:
        """Add what a merge did to the runs."""
        self.new_runs += counts.new_runs
        self.updated_runs += counts.updated_runs
        self.unchanged += counts.unchanged
