"""Load: batches of observations, their rejects and their bookkeeping, one transaction each."""

import base64
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from runmart.ingest import rules
from runmart.ingest.convert import Converted
from runmart.ingest.flatten import POSITION, Batches, moved, moved_rows
from runmart.ingest.merge import Counts, Merger
from runmart.ingest.merge_steps import merge_steps
from runmart.ingest.version import VERSION
from runmart.models import arrow
from runmart.models.bookkeeping import INPUTS, LOADS, REJECTS, Book
from runmart.models.content import Content
from runmart.models.observations import Reject

BATCH_OBSERVATIONS = 500_000
"""So many make a transaction: a few of DuckDB's row groups, which it writes to the file as they fill."""

BATCH_INPUTS = 50_000
BATCH_REJECTED_BYTES = 32 << 20
"""Or so many inputs, or so much that was rejected: both wait in memory."""

MERGE_OBSERVATIONS = 60_000
MERGE_BYTES = 48 << 20
"""So many are merged at a time, while the next are converted."""


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

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, command: str, source: str, content: Content | None = None
    ) -> None:
        """Begin a load.

        Args:
            connection: A connection from `open_for_writing`.
            command: What the load is called in the bookkeeping.
            source: The label of its runs.
            content: What becomes of content from now on; the warehouse's own rules hold for fields that are not named.

        Raises:
            WarehouseError: See `rules.door`.
        """
        self.use(connection)
        self.door = rules.door(connection, content)
        self._command = command
        self._source = source
        self._started = time.time_ns()
        self._batches: list[Batches] = []
        self._steps: list[pa.RecordBatch] = []
        self._waiting = 0
        self._bytes = 0
        self._merged = 0
        self._rejected_bytes = 0
        self._is_open = False
        self._rejects: list[tuple[str, Reject]] = []
        self._inputs: list[ReadInput] = []
        self._done_rejects: list[int] = []
        self._notes: list[tuple[Book, list[tuple[Any, ...]], tuple[str, ...]]] = []
        self._recorded = False
        self.state = "running"
        self.seconds = 0.0
        self.totals = Totals()
        rows = connection.execute("select coalesce(max(load_id), 0) + 1 from runmart.loads").fetchall()
        self.load_id: int = rows[0][0]

    def use(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Go on with another connection to the warehouse; what was collected must have been committed."""
        self._connection = connection
        self._merger = Merger(connection)

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
        self._batches += [moved(batches, before, POSITION) for batches in found.batches]
        if found.steps is not None:
            self._steps.append(moved_rows(found.steps, before, POSITION))
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
            self._merge()
        self._rejected_bytes += sum(len(reject.raw) for rejects in found.rejects for reject in rejects)
        if self._merged >= BATCH_OBSERVATIONS or self._rejected_bytes >= BATCH_REJECTED_BYTES:
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

    def note(self, book: Book, rows: list[tuple[Any, ...]], by: tuple[str, ...]) -> None:
        """Replace rows of a bookkeeping table, the same `by` some columns, in the transaction of what was added."""
        self._notes.append((book, rows, by))

    def commit(self, state: str = "running") -> None:
        """Write what was collected, and the load's record, in the transaction that holds what was merged."""
        self._merge()
        with self._transaction():
            self._write(state)
            self._connection.execute("commit")
        self._is_open, self._merged, self._rejected_bytes = False, 0, 0
        self._rejects, self._inputs, self._done_rejects, self._notes = [], [], [], []

    def _merge(self) -> None:
        """Merge the observations that wait."""
        if self._batches:
            with self._transaction():
                self._count(self._merger.merge(self._batches))
        if self._steps:
            with self._transaction():
                merge_steps(self._connection, self._steps)
        self._merged += self._waiting
        self._batches, self._steps, self._waiting, self._bytes = [], [], 0, 0

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
        now = time.time_ns()
        with suppress(duckdb.FatalException):  # of a full disk; then the next load finds this one killed
            self._connection.execute(
                "update runmart.loads set state = ?, finished_at = make_timestamptz(?), seconds = ? where load_id = ?",
                [state, now // 1000, (now - self._started) / 1e9, self.load_id],
            )  # the counts stay those of the last batch that was committed

    def _roll_back(self) -> None:
        """Leave the transaction if one is open: Ctrl-C and a full disk may come between any two steps."""
        self._is_open = False
        with suppress(duckdb.TransactionException, duckdb.FatalException):
            self._connection.execute("rollback")

    def _write(self, state: str) -> None:
        if self._done_rejects:
            self._connection.execute(
                "delete from runmart.rejects where list_contains(?, reject_id)", [self._done_rejects]
            )
        self._write_inputs()
        self._write_rejects()
        for book, new, by in self._notes:
            _replace(self._connection, book, new, by)
        self._write_load(state)

    def _count(self, counts: Counts) -> None:
        self.totals.new_runs += counts.new_runs
        self.totals.updated_runs += counts.updated_runs
        self.totals.unchanged += counts.unchanged

    def _write_inputs(self) -> None:
        if not self._inputs:
            return
        self._connection.execute(
            """
            delete from runmart.rejects
            where raw is null and raw_encoding is null and source = ? and list_contains(?, input)""",
            [self._source, [read.address for read in self._inputs]],
        )  # an input that can be read again has no reject that says it can't
        _append(
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
        _append(self._connection, REJECTS, rows, distinct_by=("source", "input", "position", "raw"))

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
        if not self._recorded:
            rules.record(self._connection, self.door.content, self.load_id)
            self._connection.execute(
                "update runmart.loads set state = 'killed' where state = 'running'"
            )  # nobody else can be writing now
        self._connection.execute("delete from runmart.loads where load_id = ?", [self.load_id])
        _append(self._connection, LOADS, [row])
        self._recorded = True


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


def _replace(
    connection: duckdb.DuckDBPyConnection, book: Book, rows: list[tuple[Any, ...]], by: tuple[str, ...]
) -> None:
    """Delete the rows of a bookkeeping table that are the same `by` some columns as new ones, and insert these."""
    if not rows:
        return
    with _registered(connection, book, rows):
        same = " and ".join(f"old.{name} = new_rows.{name}" for name in by)
        connection.execute(f"delete from runmart.{book.name} as old using new_rows where {same}")
        connection.execute(f"insert into runmart.{book.name} select * from new_rows")


@contextmanager
def _registered(connection: duckdb.DuckDBPyConnection, book: Book, rows: list[tuple[Any, ...]]) -> Generator[None]:
    """The table `new_rows` while it is needed."""
    columns = zip(book.columns, zip(*rows, strict=True), strict=True)
    arrays = [arrow.array(values, note.type) for note, values in columns]
    batch = arrow.record_batch(arrays, [note.name for note in book.columns])
    connection.register("new_rows", pa.Table.from_batches([batch]))
    try:
        yield
    finally:
        connection.unregister("new_rows")


def _append(
    connection: duckdb.DuckDBPyConnection,
    book: Book,
    rows: list[tuple[Any, ...]],
    distinct_by: tuple[str, ...] = (),
) -> None:
    """Insert rows into a bookkeeping table, but those already there by `distinct_by`."""
    condition = "true"
    if distinct_by:
        same = " and ".join(f"old.{name} is not distinct from new.{name}" for name in distinct_by)
        condition = f"not exists (select 1 from runmart.{book.name} as old where {same})"
    with _registered(connection, book, rows):
        connection.execute(f"insert into runmart.{book.name} select * from new_rows as new where {condition}")
