"""Writes the results of a pull to the warehouse, which is open only during a write."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from runmart.ingest.load import policies
from runmart.ingest.load.buffer import ReadInput
from runmart.ingest.load.loader import Load
from runmart.ingest.load.totals import Totals
from runmart.ingest.parse.blocks import Block, blocks
from runmart.ingest.pull.archive import Archive
from runmart.ingest.pull.client import Response
from runmart.ingest.pull.threads import Thread, ThreadUpdate
from runmart.ingest.transform.convert import Converter
from runmart.ingest.warehouse.connection import exists, open_for_reading, open_for_writing
from runmart.ingest.warehouse.location import Location
from runmart.models.observations import Origin
from runmart.models.redaction_policy import RedactionPolicy
from runmart.models.tables.bookkeeping import GIVEN_UP_RUNS, THREADS

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
        """Check, before the first request, that the redaction policy of the warehouse can be applied.

        Raises:
            WarehouseError: The key of its hashes is missing, or another one.
        """
        if exists(self._warehouse):
            with open_for_reading(self._warehouse, self._lock_timeout_seconds) as connection:
                if policies.has_policies(connection):
                    policies.admission(connection, self._content)

    def add(self, found: Sequence[ThreadUpdate], responses: Iterable[Response] = ()) -> None:
        """Write the pages and new states of threads, and other responses, in one transaction.

        Raises:
            LockedError: The warehouse is in use for too long.
            WarehouseError: It fails; nothing is written.
        """
        received = [*responses, *(page.response for one in found for page in one.pages)]
        with open_for_writing(self._warehouse, self._lock_timeout_seconds) as writer:
            self._prepare(writer)
            if self._load is None:
                self._load = Load(writer, "pull", self._source, self._content)
            else:
                self._load.use(writer)
            if self._archive:
                self._archive.add(received, self._load.admission)
            try:
                self._add_responses(self._load, received)
                self._replace_states(self._load, found)
                self._load.commit()
            except BaseException:
                self._load.abandon("failed")
                raise

    def finish(self, state: str) -> None:
        """Record how the pull ended, if it has written anything."""
        if self._load is None:
            return
        with open_for_writing(self._warehouse, self._lock_timeout_seconds) as writer:
            self._load.use(writer)
            self._load.commit(state)

    def abandon(self, state: str) -> None:
        """Record that the pull has failed or was interrupted, if that is possible; what was written stays."""
        with suppress(Exception):
            self.finish(state)

    def _add_responses(self, load: Load, responses: Sequence[Response]) -> None:
        origins = [Origin(self._source, response.observed_at, load.load_id) for response in responses]
        parts = [list(blocks([response.body])) or [Block(b"")] for response in responses]
        given = [(block, origin) for some, origin in zip(parts, origins, strict=True) for block in some]
        if not given:
            return
        addresses = [response.address for response, some in zip(responses, parts, strict=True) for _ in some]
        converted = self._converter.convert(given, load.admission)
        load.add(converted, [(address, 0) for address in addresses])
        start = 0
        for response, some in zip(responses, parts, strict=True):
            counts = converted.counts[start : start + len(some)]
            start += len(some)
            seen, rejected = sum(one.observations for one in counts), sum(one.rejected for one in counts)
            load.finish_input(
                ReadInput(response.address, len(response.body), response.digest, response.observed_at, seen, rejected)
            )

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

    def _row(self, thread: Thread) -> tuple[object, ...]:
        return (
            self._source,
            thread.thread_id,
            thread.state,
            thread.newest_run_id,
            _microseconds(thread.newest_created),
            thread.page_digest,
            thread.gap_after,
            thread.gap_until_run_id,
            _microseconds(thread.gap_until),
            _microseconds(thread.since),
            _microseconds(thread.changed),
            _microseconds(thread.checked),
            thread.error,
        )


def _microseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1_000_000)
