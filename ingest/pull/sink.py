"""Writes the results of a pull to the warehouse, which is open only during a write."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from runmart.ingest.decode.decoder import ParsedBlock
from runmart.ingest.decode.result import BlockCounts
from runmart.ingest.errors import LockedError
from runmart.ingest.load import policies
from runmart.ingest.load.bookkeeping import replace_rows
from runmart.ingest.load.buffer import ReadInput
from runmart.ingest.load.loader import Load
from runmart.ingest.load.totals import Totals
from runmart.ingest.pull.archive import Archive
from runmart.ingest.pull.instants import microseconds
from runmart.ingest.pull.responses import Page
from runmart.ingest.pull.source_state import SourceState, read_state, state_row
from runmart.ingest.pull.steps import NO_CHANGES, StepChanges
from runmart.ingest.pull.thread_state import Thread, ThreadUpdate
from runmart.ingest.transform.convert import Converter
from runmart.ingest.warehouse.connection import exists, open_for_reading, open_for_writing
from runmart.ingest.warehouse.location import Location, parse_location
from runmart.models.observations import Origin, Reject
from runmart.models.redaction_policy import RedactionPolicy
from runmart.models.tables.bookkeeping import GIVEN_UP_RUNS, SOURCES, THREADS, UNREAD_STEPS

if TYPE_CHECKING:
    from runmart.ingest.warehouse.writer import Writer

Prepare = Callable[["Writer"], None]
"""Called with each new writer before it writes; installs the views."""


class PullSink:
    """Writes the results of a pull, as one load."""

    def __init__(
        self,
        warehouse: Location,
        source: str,
        lock_timeout_seconds: float,
        archive: Archive | None,
        content: RedactionPolicy,
        *,
        prepare: Prepare,
    ) -> None:
        self._warehouse = warehouse
        self._source = source
        self._lock_timeout_seconds = lock_timeout_seconds
        self._archive = archive
        self._content = content
        self._prepare = prepare
        self._converter = Converter()
        self._load: Load | None = None

    @property
    def totals(self) -> Totals:
        """The totals of the load."""
        return self._load.totals if self._load else Totals()

    @property
    def load_id(self) -> int | None:
        """The number of the load; None before the first write."""
        return self._load.load_id if self._load else None

    def check(self) -> None:
        """Check, before the first request, that responses can be redacted as the warehouse demands, and saved.

        Raises:
            WarehouseError: The key of its hashes is missing, or another one.
            PullError: The folder of --save cannot be written to.
        """
        if self._archive:
            self._archive.check()
        if exists(self._warehouse):
            with open_for_reading(self._warehouse, self._lock_timeout_seconds) as connection:
                if policies.has_policies(connection):
                    policies.admission(connection, self._content)

    def add(
        self,
        found: Sequence[ThreadUpdate],
        others: Iterable[Page],
        source: SourceState | None,
        steps: StepChanges = NO_CHANGES,
    ) -> None:
        """Write, in one transaction, the pages and new states of threads, other pages, and the state of the source.

        And which runs have steps that are still to be read.

        Raises:
            LockedError: The warehouse is in use for too long.
            WarehouseError: It fails; nothing is written.
        """
        pages = [*others, *(page for one in found for page in one.pages)]
        with open_for_writing(self._warehouse, self._lock_timeout_seconds) as writer:
            self._prepare(writer)
            if self._load is None:
                self._load = Load(writer, "pull", self._source, self._content)
            else:
                self._load.use(writer)
            if self._archive:
                self._archive.add((page.response for page in pages), self._load.admission)
            try:
                self._add_pages(self._load, pages)
                self._replace_states(self._load, found)
                self._replace_steps(self._load, steps)
                self._load.replace_rows(SOURCES, self._rows(source), ("source",))
                self._load.commit()
            except BaseException:
                self._load.abandon("failed")
                raise

    def finish(self, state: str, source: SourceState | None) -> None:
        """Record how the pull ended, if it has written anything, and the state of its source.

        Raises:
            LockedError: The warehouse is in use for too long, and the pull has written something.
            WarehouseError: It fails.
        """
        if self._load is None and (source is None or not self._is_worth_a_write(source)):
            return
        try:
            with open_for_writing(self._warehouse, self._lock_timeout_seconds) as writer:
                if self._load is not None:
                    self._load.use(writer)
                    self._load.commit(state)
                else:
                    self._prepare(writer)
                writer.with_write_lock(lambda: self._write_source(writer, source))
        except LockedError:
            if self._load is not None:
                raise

    def _is_worth_a_write(self, source: SourceState) -> bool:
        """Whether the state of the source is written though nothing else is: to a lake, only once in a while."""
        if not exists(self._warehouse) or parse_location(self._warehouse).file is not None:
            return True
        with open_for_reading(self._warehouse, self._lock_timeout_seconds) as connection:
            return source.is_news(read_state(connection, self._source))

    def abandon(self, state: str, source: SourceState | None) -> None:
        """Record that the pull has failed or was interrupted, if that is possible; what was written stays."""
        with suppress(Exception):
            if self._load is not None or exists(self._warehouse):
                self.finish(state, source)

    def _write_source(self, writer: "Writer", source: SourceState | None) -> None:
        with writer.transaction():
            replace_rows(writer.connection, SOURCES, self._rows(source), ("source",))

    def _rows(self, source: SourceState | None) -> list[tuple[object, ...]]:
        return [] if source is None else [state_row(self._source, source)]

    def _add_pages(self, load: Load, pages: Sequence[Page]) -> None:
        """Convert pages, and add them to the load: small ones together, one of several blocks alone."""
        self._add_together(load, [page for page in pages if len(page.content.parsed) == 1])
        for page in pages:
            if len(page.content.parsed) != 1:
                self._add_alone(load, page)

    def _add_together(self, load: Load, pages: Sequence[Page]) -> None:
        if not pages:
            return
        parsed = (self._of_load(load, page, block) for page in pages for block in page.content.parsed)
        converted = self._converter.convert_parsed(parsed, load.admission)
        load.add(converted, [(page.response.address, 0) for page in pages])
        for page, counts in zip(pages, converted.counts, strict=True):
            _finish(load, page, self._source, [counts])

    def _add_alone(self, load: Load, page: Page) -> None:
        counts: list[BlockCounts] = []
        for block in page.content.parsed:
            converted = self._converter.convert_parsed([self._of_load(load, page, block)], load.admission)
            load.add(converted, [(page.response.address, sum(one.items for one in counts))])
            counts += converted.counts
        _finish(load, page, self._source, counts)

    def _of_load(self, load: Load, page: Page, parsed: ParsedBlock) -> ParsedBlock:
        return parsed._replace(origin=Origin(self._source, page.response.observed_at, load.load_id))

    def _replace_states(self, load: Load, found: Sequence[ThreadUpdate]) -> None:
        latest = {one.thread.thread_id: one.thread for one in found}
        load.replace_rows(THREADS, [self._row(thread) for thread in latest.values()], ("source", "thread_id"))
        now = time.time_ns() // 1000
        given_up = {
            one.run_id: (self._source, one.run_id, some.thread.thread_id, now, one.reason)
            for some in found
            for one in some.given_up
        }
        load.replace_rows(GIVEN_UP_RUNS, list(given_up.values()), ("source", "run_id"))

    def _replace_steps(self, load: Load, steps: StepChanges) -> None:
        key = ("source", "thread_id", "run_id")
        read = [(self._source, one.thread_id, one.run_id, microseconds(one.asked), None) for one in steps.read]
        load.delete_rows(UNREAD_STEPS, read, key, "wanted_at")
        unread = [
            (self._source, one.thread_id, one.run_id, microseconds(one.wanted), microseconds(one.asked))
            for one in steps.unread
        ]
        load.replace_rows(UNREAD_STEPS, unread, key)

    def _row(self, thread: Thread) -> tuple[object, ...]:
        return (
            self._source,
            thread.thread_id,
            thread.state,
            thread.newest_run_id,
            microseconds(thread.newest_created),
            microseconds(thread.read),
            thread.page_digest,
            thread.gap_after,
            thread.gap_until_run_id,
            microseconds(thread.gap_until),
            microseconds(thread.gap_read),
            microseconds(thread.since),
            microseconds(thread.changed),
            microseconds(thread.checked),
            thread.error,
            thread.paging,
        )


def _finish(load: Load, page: Page, source: str, counts: Sequence[BlockCounts]) -> None:
    """Record that a page was read, with what its blocks held, or why it could not be."""
    response, problem = page.response, page.content.problem
    if problem is not None:
        origin, items = Origin(source, response.observed_at, load.load_id), sum(one.items for one in counts)
        load.reject(response.address, Reject(origin, items, 1, problem, "$", b""))
        return
    load.finish_input(
        ReadInput(
            response.address,
            len(response.body),
            response.digest,
            response.observed_at,
            sum(one.observations for one in counts),
            sum(one.rejected for one in counts),
            sum(one.steps for one in counts),
            sum((one.skipped for one in counts if one.skipped), Counter[str]()),
            sum(one.neighbours for one in counts),
        )
    )
