"""Load: batches of observations, their rejects and their bookkeeping, one transaction each."""

import base64
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb

from runmart.ingest.errors import RunmartError, WarehouseError
from runmart.ingest.load import bookkeeping, policies
from runmart.ingest.load.merge import Counts, Merger, merge_steps
from runmart.ingest.transform.convert import Converted
from runmart.ingest.version import VERSION
from runmart.ingest.warehouse.writer import Writer
from runmart.models.batches import POSITION, Batches, shift, shift_rows
from runmart.models.columns import Table
from runmart.models.observations import Reject
from runmart.models.redaction import RedactionPolicy
from runmart.models.tables.bookkeeping import INPUTS, LOADS, REJECTS

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_OBSERVATIONS = 500_000
"""So many make a transaction: a few of DuckDB's row groups, which it writes to the file as they fill."""

BATCH_MET = 30_000
"""Or so many of runs that were there already: what replaces rows, unlike new ones, waits in memory for the commit."""

BATCH_INPUTS = 50_000
BATCH_REJECTED_BYTES = 32 << 20
"""Or so many inputs, or so much that was rejected: both wait in memory."""

MERGE_OBSERVATIONS = 60_000
MERGE_BYTES = 48 << 20
"""So many are merged at a time, while the next are converted. Where others write, too, they are a transaction."""

_PATIENCE_AT_END_SECONDS = 2.0
"""How long a failed load waits for the write lock to record its failure; the next load detects it anyway."""


@dataclass(slots=True)
class Totals:
    """What a load did so far."""

    inputs: int = 0
    inputs_unchanged: int = 0
    pages: int = 0
    observations: int = 0
    new_runs: int = 0
    updated_runs: int = 0
    unchanged: int = 0
    rejected: int = 0
    skipped: Counter[str] = field(default_factory=Counter[str])
    steps: int = 0
    pruned: int = 0


class ReadInput(NamedTuple):
    """An input that was read to its end."""

    address: str
    size: int
    content_hash: str
    modified_at: int
    observations: int
    rejected: int


class Load:
    """One load: collects until a batch is full, then commits it."""

    def __init__(self, writer: Writer, command: str, source: str, content: RedactionPolicy | None = None) -> None:
        """Begin a load.

        Args:
            writer: What `open_for_writing` gives.
            command: What the load is called in the bookkeeping.
            source: The label of its runs.
            content: What becomes of content from now on; the warehouse's own rules hold for fields that are not named.

        Raises:
            WarehouseError: See `policies.door`.
        """
        self.use(writer)
        self._asked = content
        self.admission = policies.admission(writer.connection, content)
        self._command = command
        self._source = source
        self._started = time.time_ns()
        self._batches: list[Batches] = []
        self._steps: list[pa.RecordBatch] = []
        self._waiting = 0
        self._bytes = 0
        self._merged = 0
        self._met = 0
        self._rejected_bytes = 0
        self._is_open = False
        self._rejects: list[tuple[str, Reject]] = []
        self._inputs: list[ReadInput] = []
        self._done_rejects: list[int] = []
        self._replacements: list[tuple[Table[Any], list[bookkeeping.Row], tuple[str, ...]]] = []
        self._is_recorded = False
        self.state = "running"
        self.seconds = 0.0
        self.totals = Totals()
        self._lease = writer.lease(self._last_load_id)
        self.load_id: int = self._lease.load_id

    def use(self, writer: Writer) -> None:
        """Go on with another writer to the warehouse; what was collected must have been committed."""
        self._writer = writer
        self._connection = writer.connection
        self._merger = Merger(writer.connection)

    def _last_load_id(self) -> int:
        return self._connection.execute("select coalesce(max(load_id), 0) from runmart.loads").fetchall()[0][0]

    def add(self, found: Converted, inputs: Sequence[tuple[str, int]]) -> None:
        """Take what some blocks held; merges, and commits, when there is enough.

        Args:
            found: What they held.
            inputs: The input of each block: its address, and how many of its items came before.
        """
        self._rejects += [
            (address, reject._replace(position=reject.position + before))
            for (address, before), rejects in zip(inputs, found.rejects, strict=True)
            for reject in rejects
        ]
        before = max((before for _, before in inputs), default=0)  # only a block that is alone comes behind others
        self._batches += [shift(batches, before, POSITION) for batches in found.batches]
        if found.steps is not None:
            self._steps.append(shift_rows(found.steps, before, POSITION))
            self._bytes += found.steps.nbytes
            self.totals.steps += found.steps.num_rows
        observations = sum(counts.observations for counts in found.counts)
        self._waiting += observations - found.pruned
        self.totals.pruned += found.pruned
        self._bytes += sum(batch.nbytes for batches in found.batches for batch in batches)
        self.totals.pages += found.pages
        self.totals.observations += observations
        self.totals.rejected += sum(counts.rejected for counts in found.counts)
        self.totals.skipped.update(found.skipped)
        if self._waiting >= min(MERGE_OBSERVATIONS, BATCH_OBSERVATIONS) or self._bytes >= MERGE_BYTES:
            if self._writer.is_shared:  # others wait meanwhile
                self.commit()
            else:
                self._merge()
        self._rejected_bytes += sum(len(reject.raw) for rejects in found.rejects for reject in rejects)
        if self._merged >= BATCH_OBSERVATIONS or self._met >= BATCH_MET or self._rejected_bytes >= BATCH_REJECTED_BYTES:
            self.commit()

    def reject(self, address: str, reject: Reject) -> None:
        """Take an input that could not be read."""
        self._rejects.append((address, reject))
        self.totals.rejected += 1

    def finish_input(self, read: ReadInput) -> None:
        """Record that an input was read to its end, in the transaction that holds its last observations."""
        self._inputs.append(read)
        self.totals.inputs += 1
        if len(self._inputs) >= BATCH_INPUTS:
            self.commit()

    def clear_reject(self, reject_id: int) -> None:
        """Forget a reject, in the transaction that holds what became of it."""
        self._done_rejects.append(reject_id)

    def replace_rows(self, table: Table[Any], rows: list[bookkeeping.Row], key: tuple[str, ...]) -> None:
        """Replace rows of a bookkeeping table by `key`, in the transaction that holds what was added before."""
        self._replacements.append((table, rows, key))

    def commit(self, state: str = "running") -> None:
        """Write what was collected, and the load's record, in the transaction that holds what was merged."""
        self._writer.with_write_lock(partial(self._commit, state))
        self._batches, self._steps, self._waiting, self._bytes = [], [], 0, 0
        self._is_open, self._is_recorded = False, True
        self._merged = self._met = self._rejected_bytes = 0
        self._rejects, self._inputs, self._done_rejects, self._replacements = [], [], [], []
        if state != "running":
            self._end()

    def _commit(self, state: str) -> None:
        """Try to; when it fails, what was collected is still there."""
        totals = replace(self.totals)
        try:
            with self._transaction():
                if self._writer.is_shared:
                    self._check_admission()
                self._merge_waiting()
                self._write(state)
                self._writer.commit()
        except BaseException:
            self.totals = totals
            raise

    def _check_admission(self) -> None:
        """See that the rules are still those by which what is to be written was let in."""
        if policies.admission(self._connection, self._asked) != self.admission:
            raise WarehouseError(
                "it was pruned, or what becomes of content was changed, while this load went on; what it had not "
                "written yet is not written: run it again"
            )

    def _merge(self) -> None:
        """Merge the observations that wait."""
        with self._transaction():
            self._merge_waiting()
        self._merged += self._waiting
        self._batches, self._steps, self._waiting, self._bytes = [], [], 0, 0

    def _merge_waiting(self) -> None:
        if self._batches:
            self._count(self._merger.merge(self._batches))
        if self._steps:
            merge_steps(self._connection, self._steps)

    @contextmanager
    def _transaction(self) -> Generator[None]:
        """The open transaction, or a new one; rolled back when something goes wrong."""
        try:
            if not self._is_open:
                self._connection.execute("begin")
                self._is_open = True
            yield
        except BaseException:
            self._roll_back()
            raise

    def abandon(self, state: str) -> None:
        """Drop what was not committed, and record how the load ended if anything of it was committed."""
        self._roll_back()
        try:
            if self._is_recorded:
                self._record_end(state)
        finally:
            self._end()

    def _record_end(self, state: str) -> None:
        now = time.time_ns()
        of_full_disk = (duckdb.FatalException,)  # then the next load finds this one killed
        with suppress(*((duckdb.Error, RunmartError) if self._writer.is_shared else of_full_disk)):
            self._writer.write_exclusively(
                lambda: self._connection.execute(
                    "update runmart.loads set state = ?, finished_at = make_timestamptz(?), seconds = ? "
                    "where load_id = ?",
                    [state, now // 1000, (now - self._started) / 1e9, self.load_id],
                ),
                _PATIENCE_AT_END_SECONDS,
            )  # the counts stay those of the last batch that was committed

    def _end(self) -> None:
        self._lease.close()

    def _roll_back(self) -> None:
        """Leave the transaction if one is open: Ctrl-C and a full disk may come between any two steps."""
        self._is_open = False
        with suppress(*self._gone()):
            self._connection.execute("rollback")

    def _gone(self) -> tuple[type[Exception], ...]:
        """What a rollback says when there is nothing to roll back any more."""
        return (duckdb.Error,) if self._writer.is_shared else (duckdb.TransactionException, duckdb.FatalException)

    def _write(self, state: str) -> None:
        if self._done_rejects:
            self._connection.execute(
                "delete from runmart.rejects where list_contains(?, reject_id)", [self._done_rejects]
            )
        self._write_inputs()
        self._write_rejects()
        for table, rows, key in self._replacements:
            bookkeeping.replace_rows(self._connection, table, rows, key)
        self._write_load(state)

    def _count(self, counts: Counts) -> None:
        self.totals.new_runs += counts.new_runs
        self.totals.updated_runs += counts.updated_runs
        self.totals.unchanged += counts.unchanged
        self._met += counts.updated_runs + counts.unchanged

    def _write_inputs(self) -> None:
        if not self._inputs:
            return
        self._connection.execute(
            """
            delete from runmart.rejects
            where raw is null and raw_encoding is null and source = ? and list_contains(?, input)""",
            [self._source, [read.address for read in self._inputs]],
        )  # an input that can be read again has no reject that says it can't
        bookkeeping.append_rows(
            self._connection,
            INPUTS,
            [(self._source, *read, self.load_id) for read in self._inputs],
            distinct_by=("source", "address", "size", "content_hash"),
        )

    def _write_rejects(self) -> None:
        if not self._rejects:
            return
        first = self._connection.execute("select coalesce(max(reject_id), 0) + 1 from runmart.rejects").fetchall()
        rows = [
            (number, self.load_id, *_reject_row(address, reject))
            for number, (address, reject) in enumerate(self._rejects, first[0][0])
        ]
        bookkeeping.append_rows(self._connection, REJECTS, rows, distinct_by=("source", "input", "position", "raw"))

    def _write_load(self, state: str) -> None:
        now = time.time_ns()
        self.state, self.seconds = state, (now - self._started) / 1e9
        totals = self.totals
        row = (
            self.load_id,
            self._command,
            self._source,
            self._started // 1000,
            None if state == "running" else now // 1000,
            self.seconds,
            state,
            totals.inputs,
            totals.inputs_unchanged,
            totals.pages,
            totals.observations,
            totals.new_runs,
            totals.updated_runs,
            totals.unchanged,
            totals.rejected,
            totals.skipped.total(),
            VERSION,
            totals.steps,
            totals.pruned,
        )
        if not self._is_recorded:
            policies.record(self._connection, self.admission.content, self.load_id)
            self._record_killed()
        self._connection.execute("delete from runmart.loads where load_id = ?", [self.load_id])
        bookkeeping.append_rows(self._connection, LOADS, [row])

    def _record_killed(self) -> None:
        running = self._connection.execute("select load_id from runmart.loads where state = 'running'").fetchall()
        killed = [load_id for (load_id,) in running if self._writer.has_ended(load_id)]
        if killed:
            self._connection.execute(
                "update runmart.loads set state = 'killed' where list_contains(?, load_id)", [killed]
            )


WITHHELD = "withheld"
"""In the place of the encoding of a reject's text, where that was left out."""


def _reject_row(address: str, reject: Reject) -> tuple[Any, ...]:
    origin = reject.origin
    where = (origin.source, address, reject.position, reject.line, origin.observed_at)
    text = (None, WITHHELD) if reject.is_withheld else _readable(reject.raw)
    return (*where, reject.reason, reject.json_path, *text)


def _readable(raw: bytes) -> tuple[str | None, str | None]:
    """A reject's text for a VARCHAR column, and its encoding."""
    if not raw:
        return None, None
    try:
        return raw.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode(), "base64"


def original(text: str, encoding: str) -> bytes:
    """The bytes that `_readable` made readable."""
    return base64.b64decode(text) if encoding == "base64" else text.encode()
