"""One pull: selects the threads and lists to read, requests their new runs, and writes the results in batches."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from runmart.ingest.errors import RunmartError
from runmart.ingest.pull import names
from runmart.ingest.pull.apis import Apis, unit, updates_of
from runmart.ingest.pull.archive import Archive
from runmart.ingest.pull.client import Client
from runmart.ingest.pull.errors import GoneError, IncompleteError, PullError, RefusedError, ThreadError
from runmart.ingest.pull.ground import Stored
from runmart.ingest.pull.listing import Listing, ListState
from runmart.ingest.pull.page_requests import PageRequests
from runmart.ingest.pull.pagination import as_text, from_text
from runmart.ingest.pull.refusals import list_refused
from runmart.ingest.pull.request import Outcome, Progress, Request
from runmart.ingest.pull.responses import MalformedError, Page
from runmart.ingest.pull.rotation import Rotation
from runmart.ingest.pull.schedule import DAY_SECONDS, UNREAD, Due, Schedule
from runmart.ingest.pull.sink import PullSink
from runmart.ingest.pull.source_state import SourceState
from runmart.ingest.pull.steps import FailingRuns, StepChanges, StepRequests, StepsToRead, UnreadSteps
from runmart.ingest.pull.tasks import for_each, to_its_end
from runmart.ingest.pull.thread_state import GONE, LISTED, PARTIAL, Thread, ThreadUpdate, failed, kept_if_gone

CHUNK_THREADS = 10_000
"""Number of threads that are taken from the schedule at a time."""

STORED_BYTES = 8 << 20
STORED_SECONDS = 60.0
"""Buffered results are written when they reach this size, or this long after the last write."""

_OLD_STEPS_SHARE = 0.25
"""Share of the time limit that is spent, at most, on steps that earlier pulls could not read."""

_FAILING_THREADS = 50
"""Unreadable threads in a row after which the pull ends: the cause is then the server or the key, not a thread."""


async def pull(request: Request, progress: Progress = lambda _outcome: None) -> Outcome:
    """Bring the warehouse up to date with a server.

    Raises:
        PullError: The key is refused, or the server is down; results received before are stored.
        SettingsError: No threads are named, or the settings contradict each other.
        WarehouseError: The warehouse cannot be used.
    """
    started = time.monotonic()
    archive = Archive(request.save, request.source) if request.save else None
    store = PullSink(
        request.warehouse,
        request.source,
        request.lock_timeout_seconds,
        archive,
        request.content,
        prepare=request.prepare,
    )
    store.check()
    plan = Schedule(request.warehouse, request.source, request.lock_timeout_seconds)
    try:
        plan.read_source()
        async with Client(request.server, request.key, request.concurrency, request.patience) as client:
            running = _Pull(request, client, store, plan, progress)
            outcome = running.outcome
            progress(outcome)
            try:
                await running.run()
            except (RunmartError, asyncio.CancelledError) as error:
                state = "interrupted" if isinstance(error, asyncio.CancelledError) else "failed"
                await asyncio.shield(asyncio.to_thread(running.rescue, state))
                raise
            state = "done with rejects" if store.totals.rejected else "done"
            await asyncio.to_thread(store.finish, state, running.state())
    finally:
        plan.close()
    outcome.totals, outcome.load_id = store.totals, store.load_id
    outcome.seconds = time.monotonic() - started
    return outcome


class _Pull:
    """The state of a running pull."""

    def __init__(self, request: Request, client: Client, store: PullSink, plan: Schedule, progress: Progress) -> None:
        self._request = request
        self._client = client
        self._pages = PageRequests(client, request.server, request.patience)
        self._store = store
        self._plan = plan
        self._progress = progress
        self._started = time.time()
        self._runs_manners = from_text(plan.state.runs_manners)
        self._threads_manners = from_text(plan.state.threads_manners)
        self._threads_manners.says_more |= self._runs_manners.says_more
        self._apis = Apis(request.server, self._pages, self._runs_manners, lambda: plan.pruned)
        self._to_read = StepsToRead()
        self._steps = StepRequests(self._pages, self._to_read, self._keep, self._fail)
        self._failing_steps = FailingRuns()
        state = plan.state
        self._listed = ListState(state.list_state, state.list_after, state.list_front)
        self._rotation = Rotation(plan.state.asked_until)
        self._found: list[ThreadUpdate] = []
        self._others: list[Page] = []
        self._bytes = 0
        self._stored_at = time.monotonic()
        self._storing = asyncio.Lock()
        self._chunk: list[str] = []
        self._has_runs = False
        """Whether the ids of the stored runs of the chunk were loaded."""
        self._states: dict[str, str | None] = {}
        """The earlier states of threads that the server does not know."""
        self._failing = 0
        self._has_lost = False
        """Whether results could not be stored, so that the state of the source, which is behind them, must not be."""
        self._is_over = False
        self.outcome = Outcome(counters=client.counters, unit=unit(request))

    async def run(self) -> None:
        """Read all threads and store the results; stop at the deadline."""
        try:
            async with asyncio.timeout(self._request.deadline_seconds):
                self._add_named()  # first, so that nothing is requested where a name is wrong
                await self._single_runs()
                await self._collect_threads()
                self._plan.prepare(time.time(), self._request.since, full=self._request.full)
                self.outcome.threads_in_all = self._plan.due()
                await self._old_steps()
                for chunk in self._plan.threads(CHUNK_THREADS):
                    await self._read_threads(chunk)
        except TimeoutError:
            self._client.check_answered(self._request.deadline_seconds)
            self.outcome.deadline_reached = True
        self.outcome.idle, self.outcome.gone = self._plan.skipped_idle, self._plan.skipped_gone
        self.outcome.ended = self._plan.skipped_ended
        self._client.refusals.check(is_all=not self.outcome.idle)
        await self._flush()
        self._is_over = True

    def state(self) -> SourceState | None:
        """The state of the source at this moment; None where only single runs are read."""
        request, selection = self._request, self._request.selection
        named = selection.ids or selection.sql or request.records or request.responses_sql
        if not (named or selection.known or request.list_threads):
            return None
        return SourceState(
            pulled=time.time() if self._is_over and self.outcome.is_complete else self._plan.state.pulled,
            started=self._started,
            asked_until=self._rotation.asked_until,
            runs_manners=as_text(self._runs_manners),
            threads_manners=as_text(self._threads_manners),
            list_state=self._listed.state,
            list_after=self._listed.after,
            list_front=self._listed.front,
        )

    def rescue(self, state: str) -> None:
        """Store the results received before the pull ended early, and `state` as its state."""
        if not self._has_lost:
            self._has_lost = True
            with suppress(Exception):
                if self._found or self._others or self._to_read:
                    self._store.add(*self._take())
                self._has_lost = False
        self._store.abandon(state, None if self._has_lost else self.state())

    def _add_named(self) -> None:
        """Add what the request names.

        Raises:
            SettingsError: A query cannot be run, or gives what is no id.
        """
        request, selection = self._request, self._request.selection
        self._plan.add(selection.ids)
        self._plan.add(request.records)
        if selection.sql is not None:
            self._plan.select(selection.sql)
        if request.responses_sql is not None:
            self._plan.select(request.responses_sql, "--responses-sql", names.checked_ids)
        if selection.known or request.responses_sql is not None or any(map(names.is_single, request.records)):
            self._plan.add_unfinished()

    async def _collect_threads(self) -> None:
        """Add the threads that the server lists and those that are known, as far as the request asks for them."""
        request = self._request
        if request.list_threads:
            await self._list()
        if request.selection.known or request.list_threads:  # a list is read down to the known threads
            self._plan.add_known()

    async def _list(self) -> None:
        """Add the server's list of threads, and record the new ones with how far the list was read."""
        before = ListState() if self._request.full else self._listed
        listing = Listing(self._pages.threads(), self._threads_manners, before)
        try:
            async for ids, state, nameless in listing.parts():
                if nameless:
                    self._fail("the list of threads", ThreadError(f"{nameless:,} of its items have no id"))
                self._plan.add(ids)
                new = set(ids) - self._plan.known_threads(ids)
                self._found += [ThreadUpdate(Thread(thread_id, LISTED)) for thread_id in ids if thread_id in new]
                self._listed = state
                self._runs_manners.says_more |= self._threads_manners.says_more
                if len(self._found) >= CHUNK_THREADS:
                    await self._flush()
        except RefusedError as error:
            raise list_refused(error, self._request.server) from None
        except (ThreadError, MalformedError) as error:
            self._listed = ListState() if isinstance(error, IncompleteError) else self._listed
            self._listed = self._listed._replace(state=PARTIAL)
            self._fail("the list of threads", error)

    async def _single_runs(self) -> None:
        for thread_id, run_id in self._request.runs:
            try:
                page = await self._pages.run(thread_id, run_id)
            except (ThreadError, MalformedError) as error:
                self._fail(f"run {run_id}", error)
                self._others += [error.page] if isinstance(error, MalformedError) else []
                continue
            self._others.append(page)
            self.outcome.runs_found += 1
            if self._request.steps:
                await self._new_steps([self._to_read.want(thread_id, run_id)])

    async def _read_threads(self, chunk: Sequence[Due]) -> None:
        """Read threads, `concurrency` of them at a time."""
        self._chunk, self._has_runs = [due.thread.thread_id for due in chunk], False

        async def read(due: Due) -> None:
            if due.is_half_read:
                await self._read_thread(due.thread)
            else:
                self._rotation.ask(due.thread.thread_id)
                await self._read_thread(due.thread)
                self._rotation.answer(due.thread.thread_id)

        await for_each(chunk, read, self._request.concurrency)

    async def _read_thread(self, thread: Thread) -> None:
        now = time.time()
        latest, is_changed, met = thread, False, dict[str, bool]()
        try:
            api = self._apis.of(thread.thread_id, self._stored_of(thread.thread_id))
            async for found in updates_of(thread, api, now, self._request.since, full=self._request.full):
                steps = await self._wanted_steps(found, thread, met, is_first=not is_changed)
                latest, is_changed = found.thread, is_changed or bool(found.pages)
                self.outcome.given_up += len(found.given_up)
                self.outcome.runs_found += sum(one.size for one in found.pages)
                self._found.append(found)
                self._bytes += sum(len(one.response.body) for one in found.pages)
                await self._flush_in_time()
                await self._new_steps(steps)
            await self._steps_of_others(thread.thread_id, met)
        except (ThreadError, MalformedError) as error:
            self._fail_thread(thread, latest, error, now)
        else:
            self._failing = 0
            is_long_idle = not is_changed and now - (thread.changed or now) >= DAY_SECONDS
            if is_long_idle:
                self._found.append(ThreadUpdate(replace(latest, checked=now)))
        self.outcome.threads += 1
        self.outcome.changed += is_changed
        self._progress(self.outcome)

    def _stored_of(self, thread_id: str) -> Stored:
        async def of_thread(ids: Sequence[str]) -> dict[str, float]:
            await self._load_runs()
            return self._plan.stored_runs(thread_id, ids)

        async def of_list(ids: Sequence[str]) -> dict[str, float]:
            async with self._storing:  # a list may be long: what is stored of it is looked up page by page
                return await to_its_end(self._plan.stored_records, ids)

        return of_list if names.is_list(thread_id) else of_thread

    async def _load_runs(self) -> None:
        """Load the ids of the stored runs of the chunk, once some of its threads have changed."""
        async with self._storing:  # a process opens the warehouse once at a time
            if not self._has_runs:
                await to_its_end(self._plan.load_runs, self._chunk)
                self._has_runs = True

    def _fail_thread(self, thread: Thread, latest: Thread, error: ThreadError | MalformedError, now: float) -> None:
        """Record that a thread could not be read, and end the pull where none can be."""
        is_gone = isinstance(error, GoneError)
        if not (is_gone and thread.state == GONE and thread.error == str(error)):  # it is reported once
            self._fail(names.described(thread.thread_id), error)
        if is_gone:
            self._states[thread.thread_id] = latest.state
        pages = [error.page] if isinstance(error, MalformedError) else []
        self._found.append(ThreadUpdate(failed(latest, error, now), pages))
        self._failing += not isinstance(error, GoneError | IncompleteError)
        if self._failing >= _FAILING_THREADS:
            raise PullError(
                f"{self._failing} threads in a row could not be read, the last one because of {error}; "
                "is the server well, and may the key read them?"
            ) from None

    async def _wanted_steps(
        self, found: ThreadUpdate, thread: Thread, met: dict[str, bool], *, is_first: bool
    ) -> list[UnreadSteps]:
        """Note the runs of an update whose steps are to be read: new ones, and those that were open when stored.

        With --full, it is all runs of the thread, also those that a deadline keeps from being read this time. `met` are
        the runs of earlier updates, and whether each had ended; those that had are noted once.
        """
        items = [item for page in found.pages for item in page.items if not met.get(item.id)]
        if not (self._request.steps and items) or names.is_record(thread.thread_id):
            return []
        await self._load_runs()
        stored = self._plan.stored_before(thread.thread_id)
        if self._request.full and is_first:
            for run_id in stored:
                self._to_read.want(thread.thread_id, run_id)
        is_known = {run_id for run_id, has_ended in stored.items() if has_ended and not self._request.full}
        met.update((item.id, not item.is_open) for item in items)
        wanted = dict.fromkeys(item.id for item in items if item.id not in is_known)
        return [self._to_read.want(thread.thread_id, run_id) for run_id in wanted]

    async def _steps_of_others(self, thread_id: str, met: dict[str, bool]) -> None:
        """Request the steps of the stored runs of a thread that are in its list no more, if all are wanted."""
        if self._request.steps and self._request.full and met:
            others = [run_id for run_id in self._plan.stored_before(thread_id) if run_id not in met]
            await self._new_steps([self._to_read.want(thread_id, run_id) for run_id in others])

    async def _new_steps(self, wanted: Sequence[UnreadSteps]) -> None:
        """Request steps that no pull has asked for yet."""
        for steps in wanted:
            if self._failing_steps.are_too_many:
                return
            self._failing_steps.note(came=await self._steps.read(steps))
            if self._failing_steps.are_too_many:
                self._fail_further_steps()
            await self._flush_in_time()

    async def _old_steps(self) -> None:
        """Request steps that earlier pulls could not read, for a share of the time limit."""
        if not self._request.steps or not (unread := self._plan.unread_steps()):
            return
        failing, left = FailingRuns(), len(unread)

        async def read(steps: UnreadSteps) -> None:
            nonlocal left
            if not failing.are_too_many:
                failing.note(came=await self._steps.read(steps))
                left -= 1
                await self._flush_in_time()

        limit = self._request.deadline_seconds
        with suppress(TimeoutError):
            async with asyncio.timeout(None if limit is None else limit * _OLD_STEPS_SHARE):
                await for_each(unread, read, self._request.concurrency)
        if left or len(unread) == UNREAD:
            self._fail_further_steps()

    def _fail_further_steps(self) -> None:
        self._fail("the steps of further runs", ThreadError("they are still to be read; the next pull goes on"))

    def _keep(self, page: Page) -> None:
        self._others.append(page)
        self._bytes += len(page.response.body)

    def _fail(self, what: str, error: Exception) -> None:
        reason = str(error)
        if isinstance(error, RefusedError) and error.words:  # which may differ each time
            reason = f"status {error.status}"
        self.outcome.failures[reason] += 1
        self.outcome.first_failure = self.outcome.first_failure or f"{what}: {error}"

    async def _flush_in_time(self) -> None:
        """Store the buffered results where they are many, or old."""
        if self._bytes >= STORED_BYTES or time.monotonic() - self._stored_at >= STORED_SECONDS:
            await self._flush()

    async def _flush(self) -> None:
        """Store the buffered results, while other tasks go on reading."""
        async with self._storing:
            if not (self._found or self._others or self._to_read):
                return
            try:
                await to_its_end(self._store.add, *self._take())
            except RunmartError:
                self._has_lost = True
                raise

    def _take(self) -> tuple[list[ThreadUpdate], list[Page], SourceState | None, StepChanges]:
        """Take the buffered results out of the buffer, with the state of the source that is theirs."""
        found, self._found = self._found, []
        if not self._client.refusals.has_read:  # it may know no thread for want of the right address
            found = [kept_if_gone(update, self._states) for update in found]
        others, self._others = self._others, []
        self._bytes, self._stored_at = 0, time.monotonic()
        return found, others, self.state(), self._to_read.take()
