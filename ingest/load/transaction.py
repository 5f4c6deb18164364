"""The transaction of a load: merges observations, commits them with their bookkeeping, or rolls them back.

Where others write to the warehouse, too (a DuckLake), a transaction needs the write lock; all use of it is here.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from runmart.ingest.errors import RunmartError
from runmart.ingest.load.latest import merge_neighbours, merge_steps
from runmart.ingest.load.merge import Counts, Merger
from runmart.ingest.warehouse.writer import Lease, Writer
from runmart.models.batches import Batches

if TYPE_CHECKING:
    import pyarrow as pa

Given = TypeVar("Given")


class Transaction:
    """Transactions of one writer, one after another; each begins with the first merge or with its commit."""

    def __init__(self, writer: Writer) -> None:
        """Open no transaction yet, and none may be open."""
        self.connection = writer.connection
        self.is_shared = writer.is_shared
        self.merged = 0
        """Observations that were merged since the last commit."""
        self.found = 0
        """Those among them whose run was stored before."""
        self._merger = Merger(writer.connection)
        self._writer = writer
        self._is_open = False

    def merge(
        self,
        batches: Sequence[Batches],
        steps: "Sequence[pa.RecordBatch]",
        neighbours: "Mapping[str, Sequence[pa.RecordBatch]]",
    ) -> Counts:
        """Merge observations of runs and steps, and rows beside runs; what it did to the runs.

        Raises:
            duckdb.Error: The warehouse fails; the transaction is rolled back.
        """
        with self._open():
            counts = self._merger.merge(batches) if batches else Counts(0, 0, 0)
            if steps:
                merge_steps(self.connection, steps)
            if neighbours:
                merge_neighbours(self.connection, neighbours)
        self.merged += sum(counts)
        self.found += counts.updated_runs + counts.unchanged
        return counts

    def commit(self, write: Callable[[], Given]) -> Given:
        """The result of `write`, committed with what was merged before.

        In a shared warehouse `write` is called again when another program's commit was in the way.

        Raises:
            LockedError: Another process writes for too long.
            duckdb.Error: The warehouse fails; the transaction is rolled back.
        """
        return self._writer.with_write_lock(partial(self._commit, write))

    def _commit(self, write: Callable[[], Given]) -> Given:
        with self._open():
            result = write()
            self._writer.commit()
        self._is_open = False
        self.merged = self.found = 0
        return result

    @contextmanager
    def _open(self) -> Generator[None]:
        """The open transaction, or a new one; rolled back when something goes wrong."""
        try:
            if not self._is_open:
                self.connection.execute("begin")
                self._is_open = True
            yield
        except BaseException:
            self.roll_back()
            raise

    def roll_back(self) -> None:
        """Leave the transaction if one is open: Ctrl-C and a full disk may come between any two steps."""
        self._is_open = False
        self.merged = self.found = 0
        none_open = (duckdb.Error,) if self.is_shared else (duckdb.TransactionException, duckdb.FatalException)
        with suppress(*none_open):
            self.connection.execute("rollback")

    def execute_alone(self, statement: str, parameters: Sequence[Any], timeout_seconds: float) -> None:
        """Execute a statement after a failure, in a transaction of its own, unless the warehouse cannot be written."""
        disk_is_full = (duckdb.FatalException,)
        with suppress(*((duckdb.Error, RunmartError) if self.is_shared else disk_is_full)):
            self._writer.write_exclusively(lambda: self.connection.execute(statement, parameters), timeout_seconds)

    def lease(self, last_load_id: Callable[[], int]) -> Lease:
        """A load id that no running load has, for as long as this load runs."""
        return self._writer.lease(last_load_id)

    def is_killed(self, load_id: int) -> bool:
        """Whether a load that is recorded as running does not run any more."""
        return self._writer.has_ended(load_id)
