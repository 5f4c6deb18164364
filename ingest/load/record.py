"""The record of a load: its rows in the bookkeeping tables, written in the transaction that holds its observations."""

import time

from runmart.ingest.load import policies
from runmart.ingest.load.bookkeeping import append_rows, replace_rows
from runmart.ingest.load.buffer import Buffer, ReadInput
from runmart.ingest.load.rejects import delete_outgrown, reject_row
from runmart.ingest.load.totals import Totals
from runmart.ingest.load.transaction import Transaction
from runmart.ingest.version import VERSION
from runmart.models.observations import Reject
from runmart.models.redaction_policy import RedactionPolicy
from runmart.models.tables.bookkeeping import INPUTS, LOADS, REJECTS

_END_TIMEOUT_SECONDS = 2.0
"""How long a failed load waits for the write lock to record its end; the next load records it otherwise."""


class LoadRecord:
    """One load's row in `runmart.loads`, and those of its inputs and rejects."""

    def __init__(self, transaction: Transaction, command: str, source: str) -> None:
        """Choose the load's id; nothing is written yet.

        Args:
            transaction: Where the load writes.
            command: What was run.
            source: The label of its runs.
        """

        def last_load_id() -> int:
            found = transaction.connection.execute("select coalesce(max(load_id), 0) from runmart.loads").fetchall()
            return found[0][0]

        self._command = command
        self._source = source
        self._started = time.time_ns()
        self._lease = transaction.lease(last_load_id)
        self.load_id = self._lease.load_id
        self.state = "running"
        self.seconds = 0.0
        self.is_stored = False
        """Whether a transaction with the record was committed."""

    def write(
        self, transaction: Transaction, buffer: Buffer, totals: Totals, content: RedactionPolicy, state: str
    ) -> None:
        """Write all rows of a batch, within the open transaction."""
        connection = transaction.connection
        if buffer.retried:
            connection.execute("delete from runmart.rejects where list_contains(?, reject_id)", [buffer.retried])
        self._write_inputs(transaction, buffer.inputs)
        self._write_rejects(transaction, buffer.rejects)
        for write in buffer.bookkeeping:
            write(connection)
        if not self.is_stored:
            policies.record(connection, content, self.load_id)
            _record_killed(transaction)
        now = time.time_ns()
        self.state, self.seconds = state, (now - self._started) / 1e9
        finished = None if state == "running" else now // 1000
        replace_rows(connection, LOADS, [self._row(totals, finished)], key=("load_id",))

    def write_end(self, transaction: Transaction, state: str) -> None:
        """Record how the load ended, after a failure; its counts stay those of the last batch."""
        now = time.time_ns()
        transaction.execute_alone(
            "update runmart.loads set state = ?, finished_at = make_timestamptz(?), seconds = ? where load_id = ?",
            [state, now // 1000, (now - self._started) / 1e9, self.load_id],
            _END_TIMEOUT_SECONDS,
        )

    def close(self) -> None:
        """Give up the load's id: the load has ended."""
        self._lease.close()

    def _write_inputs(self, transaction: Transaction, inputs: list[ReadInput]) -> None:
        if not inputs:
            return
        transaction.connection.execute(
            """
            delete from runmart.rejects
            where raw is null and raw_encoding is null and source = ? and list_contains(?, input)""",
            [self._source, [read.address for read in inputs]],
        )  # such a reject says that its input cannot be read, and it was read now
        append_rows(
            transaction.connection,
            INPUTS,
            [(self._source, *read.stored, self.load_id) for read in inputs],
            distinct_by=("source", "address", "size", "content_hash"),
        )

    def _write_rejects(self, transaction: Transaction, rejects: list[tuple[str, Reject]]) -> None:
        if not rejects:
            return
        for address, reject in rejects:
            if reject.items > 1:
                delete_outgrown(transaction.connection, address, reject)
        [(first,)] = transaction.connection.execute(
            "select coalesce(max(reject_id), 0) + 1 from runmart.rejects"
        ).fetchall()
        rows = [
            reject_row(reject_id, self.load_id, address, reject)
            for reject_id, (address, reject) in enumerate(rejects, first)
        ]
        append_rows(transaction.connection, REJECTS, rows, distinct_by=("source", "input", "position", "raw"))

    def _row(self, totals: Totals, finished: int | None) -> tuple[object, ...]:
        """The row of `runmart.loads`, its values in the order of the columns."""
        values: dict[str, object] = {
            "load_id": self.load_id,
            "command": self._command,
            "source": self._source,
            "started_at": self._started // 1000,
            "finished_at": finished,
            "seconds": self.seconds,
            "state": self.state,
            "version": VERSION,
            "skipped": totals.skipped.total(),
        }
        return tuple(
            values[column.name] if column.name in values else getattr(totals, column.name) for column in LOADS.columns
        )


def _record_killed(transaction: Transaction) -> None:
    """Mark loads that are recorded as running and do not run any more."""
    running = transaction.connection.execute("select load_id from runmart.loads where state = 'running'").fetchall()
    killed = [load_id for (load_id,) in running if transaction.is_killed(load_id)]
    if killed:
        transaction.connection.execute(
            "update runmart.loads set state = 'killed' where list_contains(?, load_id)", [killed]
        )
