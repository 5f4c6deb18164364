"""A load: takes converted blocks and writes them to the warehouse in batches, one transaction each."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from runmart.ingest.errors import WarehouseError
from runmart.ingest.load import policies
from runmart.ingest.load.bookkeeping import Row, delete_rows, replace_rows
from runmart.ingest.load.buffer import Buffer, ReadInput
from runmart.ingest.load.packs import Packer, placed
from runmart.ingest.load.record import LoadRecord
from runmart.ingest.load.totals import Totals
from runmart.ingest.load.transaction import Transaction
from runmart.ingest.transform.convert import Converted
from runmart.ingest.warehouse.writer import Writer
from runmart.models.columns import Table
from runmart.models.observations import Reject
from runmart.models.redaction_policy import RedactionPolicy

BATCH_OBSERVATIONS = 500_000
"""Observations per transaction: a few of DuckDB's row groups, which it writes to the file as they fill."""

BATCH_FOUND = 30_000
"""Commit earlier at this many observations of stored runs: replaced rows, unlike new ones, are kept in memory until
the commit."""

BATCH_INPUTS = 50_000
BATCH_REJECTED_BYTES = 32 << 20
"""Commit earlier at this many inputs or bytes of rejects: both are buffered in memory."""

MERGE_OBSERVATIONS = 60_000
MERGE_BYTES = 48 << 20
"""Observations, or bytes of them, per merge, while the next are converted. In a shared warehouse each merge is a
transaction, so that others wait for a short time only."""


class Load:
    """One load: a buffer, the transaction that it is written in, and the record of what was loaded."""

    def __init__(self, writer: Writer, command: str, source: str, content: RedactionPolicy | None = None) -> None:
        """Begin a load.

        Args:
            writer: What `open_for_writing` gives.
            command: What the load is called in the bookkeeping.
            source: The label of its runs.
            content: The redaction policy from now on; the warehouse's own holds for fields that it does not name.

        Raises:
            WarehouseError: See `policies.admission`.
        """
        self.totals = Totals()
        self._content = content
        self.admission = policies.admission(writer.connection, content)
        self._buffer = Buffer()
        self._packer = Packer()
        self._transaction = Transaction(writer)
        self._record = LoadRecord(self._transaction, command, source)
        self.load_id = self._record.load_id

    def use(self, writer: Writer) -> None:
        """Go on with another writer to the same warehouse, after a commit."""
        self._transaction = Transaction(writer)

    @property
    def state(self) -> str:
        """The state that was recorded last; `running` before the first commit."""
        return self._record.state

    @property
    def seconds(self) -> float:
        """How long the load took, up to the last commit."""
        return self._record.seconds

    def add(self, converted: Converted, inputs: Sequence[tuple[str, int]]) -> None:
        """Take converted blocks; merges, and commits, when there are enough.

        Args:
            converted: What the blocks held.
            inputs: The address of each block's input, and the number of items before the block in it.
        """
        self._buffer.add(converted, inputs)
        for (address, before), rejects in zip(inputs, converted.rejects, strict=True):
            self._buffer.add_rejects(self._packer.take(address, (placed(reject, before) for reject in rejects)))
        totals = self.totals
        totals.pages += converted.pages
        totals.observations += sum(counts.observations for counts in converted.counts)
        totals.rejected += sum(counts.rejected for counts in converted.counts)
        totals.skipped.update(converted.skipped)
        totals.steps += converted.steps.num_rows if converted.steps is not None else 0
        totals.add_neighbours(converted.neighbours)
        totals.pruned += converted.pruned
        if self._buffer.observations >= min(MERGE_OBSERVATIONS, BATCH_OBSERVATIONS) or (
            self._buffer.bytes >= MERGE_BYTES
        ):
            if self._transaction.is_shared:
                self.commit()
            else:
                self._merge(self.totals)
                self._buffer.clear_observations()
        if (
            self._transaction.merged >= BATCH_OBSERVATIONS
            or self._transaction.found >= BATCH_FOUND
            or self._buffer.rejected_bytes >= BATCH_REJECTED_BYTES
        ):
            self.commit()

    def reject(self, address: str, reject: Reject) -> None:
        """Take an input that could not be read, or not to its end."""
        self.finish_rejects(address)
        self._buffer.add_rejects([(address, reject)])
        self.totals.rejected += 1

    def finish_input(self, read: ReadInput) -> None:
        """Record that an input was read to its end, in the transaction that holds its last observations."""
        self.finish_rejects(read.address)
        self._buffer.inputs.append(read)
        self.totals.inputs += 1
        if read.skipped and read.holds_nothing_else:
            self.totals.add_without_runs(read.address, read.skipped)
        if len(self._buffer.inputs) >= BATCH_INPUTS:
            self.commit()

    def finish_rejects(self, address: str) -> None:
        """Close the packs of an input of which no more rejects come."""
        self._buffer.add_rejects(self._packer.finish(address))

    def clear_reject(self, reject_id: int) -> None:
        """Delete a reject, in the transaction that holds what was decoded from it."""
        self._buffer.retried.append(reject_id)

    def replace_rows(self, table: Table[Any], rows: list[Row], key: tuple[str, ...]) -> None:
        """Replace rows of a bookkeeping table by `key`, in the transaction that holds what was added before."""
        self._buffer.bookkeeping.append(lambda connection: replace_rows(connection, table, rows, key))

    def delete_rows(self, table: Table[Any], rows: list[Row], key: tuple[str, ...], until: str) -> None:
        """Delete rows of a bookkeeping table as `replace_rows` replaces them; see `bookkeeping.delete_rows`."""
        self._buffer.bookkeeping.append(lambda connection: delete_rows(connection, table, rows, key, until))

    def commit(self, state: str = "running") -> None:
        """Write what is buffered and the load's record, and commit them; any other `state` ends the load."""
        if state != "running":
            self._buffer.add_rejects(self._packer.finish_all())
        self.totals = self._transaction.commit(partial(self._write, state))
        self._buffer = Buffer()
        self._record.is_stored = True
        if state != "running":
            self._record.close()

    def abandon(self, state: str) -> None:
        """Drop what was not committed; record how the load ended if something was committed before."""
        self._transaction.roll_back()
        try:
            if self._record.is_stored:
                self._record.write_end(self._transaction, state)
        finally:
            self._record.close()

    def _merge(self, totals: Totals) -> None:
        """Merge the buffered observations, and count what that did."""
        buffer = self._buffer
        totals.add_merged(self._transaction.merge(buffer.batches, buffer.steps, buffer.neighbours))

    def _write(self, state: str) -> Totals:
        """Write a batch within the open transaction. The totals after it: a failure leaves the buffer and totals."""
        totals = replace(self.totals)
        if self._transaction.is_shared:
            self._check_admission()
        self._merge(totals)
        self._record.write(self._transaction, self._buffer, totals, self.admission.content, state)
        return totals

    def _check_admission(self) -> None:
        """Refuse to write what was admitted under another policy than the present one.

        Raises:
            WarehouseError: Another process has pruned the warehouse or changed its redaction policy.
        """
        if policies.admission(self._transaction.connection, self._content) != self.admission:
            raise WarehouseError(
                "it was pruned, or its redaction policy was changed, while this load ran; the rest of the load is not "
                "written: run it again"
            )
