"""What a load has taken and not committed yet: observations, and rows for the bookkeeping tables."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from runmart.ingest.parse.classify import API_ERROR
from runmart.ingest.transform.convert import Converted
from runmart.models.batches import POSITION, Batches, shift, shift_row_positions
from runmart.models.observations import Reject

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection


_REJECT_BYTES = 300
"""Memory of a reject without its text."""


class ReadInput(NamedTuple):
    """An input that was read to its end: a row of `runmart.inputs`."""

    address: str
    size: int
    content_hash: str
    modified_at: int
    observations: int
    rejected: int
    steps: int = 0
    skipped: Counter[str] | None = None
    """What was skipped in it, by kind."""
    neighbours: int = 0

    @property
    def stored(self) -> tuple[str, int, str, int, int, int]:
        """The values that are stored."""
        return self.address, self.size, self.content_hash, self.modified_at, self.observations, self.rejected

    @property
    def holds_nothing_else(self) -> bool:
        """Whether there is nothing in it but what was skipped, and that is no response that reports an error."""
        is_error = self.skipped is not None and self.skipped.keys() == {API_ERROR}
        return not (self.observations or self.rejected or self.steps or self.neighbours or is_error)


@dataclass(slots=True)
class Buffer:
    """Observations until they are merged; all else until it is committed."""

    batches: list[Batches] = field(default_factory=list[Batches])
    steps: "list[pa.RecordBatch]" = field(default_factory=list["pa.RecordBatch"])
    neighbours: "dict[str, list[pa.RecordBatch]]" = field(default_factory=dict[str, "list[pa.RecordBatch]"])
    """Rows of the tables beside runs."""
    observations: int = 0
    """Runs in `batches`."""
    bytes: int = 0
    """Memory that `batches`, `steps` and `neighbours` hold."""
    rejects: list[tuple[str, Reject]] = field(default_factory=list[tuple[str, Reject]])
    """Each with the address of its input."""
    rejected_bytes: int = 0
    """Memory that `rejects` hold, about."""
    inputs: list[ReadInput] = field(default_factory=list[ReadInput])
    retried: list[int] = field(default_factory=list[int])
    """Ids of rejects that are loaded now and no rejects any more."""
    bookkeeping: list[Callable[["DuckDBPyConnection"], None]] = field(default_factory=list[Any])
    """What else is written, in order."""

    def add(self, converted: Converted, inputs: Sequence[tuple[str, int]]) -> None:
        """Add the rows of converted blocks; `inputs` has the number of items before each block in its input."""
        before = max((before for _, before in inputs), default=0)  # blocks with others before them come alone
        self.batches += [shift(batches, before, POSITION) for batches in converted.batches]
        self.bytes += sum(batch.nbytes for batches in converted.batches for batch in batches)
        if converted.steps is not None:
            self.steps.append(shift_row_positions(converted.steps, before, POSITION))
            self.bytes += converted.steps.nbytes
        for name, rows in converted.neighbours.items():
            self.neighbours.setdefault(name, []).append(shift_row_positions(rows, before, POSITION))
            self.bytes += rows.nbytes
        self.observations += sum(counts.observations for counts in converted.counts) - converted.pruned

    def add_rejects(self, rejects: Iterable[tuple[str, Reject]]) -> None:
        """Add rejects, each with the address of its input and its position there."""
        for address, reject in rejects:
            self.rejects.append((address, reject))
            self.rejected_bytes += len(reject.raw) + _REJECT_BYTES

    def clear_observations(self) -> None:
        """Forget the observations, which were merged."""
        self.batches, self.steps, self.neighbours, self.observations, self.bytes = [], [], {}, 0, 0
