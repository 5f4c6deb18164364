"""One pull: selects the threads to read, requests their new runs, and writes the results in batches."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import tenacity

from runmart.ingest.errors import SettingsError
from runmart.ingest.load.totals import Totals
from runmart.ingest.pull.archive import Archive
from runmart.ingest.pull.client import Client, Counters, Patience, Response
from runmart.ingest.pull.errors import GoneError, PullError, RefusedError, ThreadError
from runmart.ingest.pull.pagination import Watermark, paginate
from runmart.ingest.pull.providers import PAGE_SIZE, Server
from runmart.ingest.pull.responses import MalformedError, Page, item, page
from runmart.ingest.pull.schedule import DAY_SECONDS, Schedule, Selection
from runmart.ingest.pull.sink import Prepare, PullSink
from runmart.ingest.pull.threads import LISTED, Api, Thread, ThreadUpdate, failed, updates
from runmart.ingest.warehouse.location import Location
from runmart.models.redaction_policy import RedactionPolicy

if TYPE_CHECKING:
    from runmart.ingest.pull.credentials import Key

CHUNK_THREADS = 10_000
"""Number of threads that are taken from the schedule at a time."""

STORED_BYTES = 16 << 20
STORED_SECONDS = 60.0
"""Buffered results are written when they reach this size, or this long after the last write."""

_FAILING_THREADS = 50
"""Unreadable threads in a row after which the pull ends: the cause is then the server or the key, not a thread."""

_MALFORMED_ATTEMPTS = 3
"""Attempts at a request whose response is truncated or of another form than expected."""


@dataclass(frozen=True, slots=True)
class Request:
    """Parameters of a pull."""

    server: Server
    key: "Key | None"
    warehouse: Location
    source: str = "default"
    selection: Selection = field(default_factory=Selection)
    list_threads: bool = False
    """Whether to read the server's list of threads."""
    runs: Sequence[tuple[str, str]] = ()
    """Single runs to read: thread id and run id."""
    steps: bool = False
    since: float | None = None
    """Runs created before are not requested; seconds since 1970."""
    full: bool = False
    concurrency: int = 8
    deadline_seconds: float | None = None
    lock_timeout_seconds: float = 30.0
    save: Path | None = None
    content: RedactionPolicy = field(default_factory=RedactionPolicy)
    """The redaction policy; the warehouse's own rules hold for fields that it does not name."""
    patience: Patience = field(default_factory=Patience)
    prepare: Prepare = lambda _connection: None
    """Called with each new writer before it writes; the commands install the views here."""


@dataclass(slots=True)
class Outcome:
    """Result of a pull."""

    totals: Totals = field(default_factory=Totals)
    load_id: int | None = None
    counters: Counters = field(default_factory=Counters)
    threads: int = 0
    """Threads read, those that failed included."""
    changed: int = 0
    """Threads with new or changed runs."""
    idle: int = 0
    """Threads skipped because they are idle; see `schedule.IDLE_SHARE`."""
    gone: int = 0
    """Threads skipped because the server did not know them in an earlier pull."""
    given_up: int = 0
    """Open runs that became stale and will not be looked up again."""
    failures: Counter[str] = field(default_factory=Counter[str])
    """Threads and single runs that could not be read, by reason."""
    first_failure: str | None = None
    deadline_reached: bool = False
    """Whether the pull was stopped by --deadline before all threads were read."""
    seconds: float = 0.0


Progress = Callable[[Outcome], None]
"""Called after each thread."""


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
        async with Client(request.server, request.key, request.concurrency, request.patience) as client:
            running = _Pull(request, client, store, plan, progress)
            outcome = running.outcome
            try:
                await running.run()
            except (PullError, asyncio.CancelledError) as error:
                state = "failed" if isinstance(error, PullError) else "interrupted"
                await asyncio.shield(asyncio.to_thread(running.rescue, state))
                raise
            await asyncio.to_thread(store.finish, "done with rejects" if store.totals.rejected else "done")
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
        self._store = store
        self._plan = plan
        self._progress = progress
        self._found: list[ThreadUpdate] = []
        self._responses: list[Response] = []
        self._bytes = 0
        self._stored_at = time.monotonic()
        self._storing = asyncio.Lock()
        self._failing = 0
        self.outcome = Outcome(counters=client.counters)

    async def run(self) -> None:
        """Read all threads and store the results; stop at the deadline."""
        try:
            async with asyncio.timeout(self._request.deadline_seconds):
                await self._single_runs()
                await self._collect_threads()
                self._plan.prepare(time.time(), self._request.since, full=self._request.full)
                for ids in self._plan.new_listed(CHUNK_THREADS):  # else the next pull could stop before these
                    self._found += [ThreadUpdate(Thread(thread_id, LISTED)) for thread_id in ids]
                    await self._flush()
                for chunk in self._plan.threads(CHUNK_THREADS):
                    await self._read_threads(chunk)
        except TimeoutError:
            self.outcome.deadline_reached = True
        self.outcome.idle, self.outcome.gone = self._plan.skipped_idle, self._plan.skipped_gone
        await self._flush()

    def rescue(self, state: str) -> None:
        """Store the results received before the pull ended early, and `state` as its state."""
        with suppress(Exception):
            if self._found or self._responses:
                self._store.add(*self._take())
        self._store.abandon(state)

    async def _collect_threads(self) -> None:
        request = self._request
        self._plan.add(request.selection.ids)
        if request.selection.sql is not None:
            self._plan.select(request.selection.sql)
        if request.selection.known:
            self._plan.add_known()
        if request.list_threads:
            await self._list()

    async def _list(self) -> None:
        """Add the server's list of threads, read newest first up to a page of known threads, and all known threads."""

        async def get(after: str | None) -> Page:
            return await self._page(self._request.server.threads, after)

        try:
            async for some in paginate(get, Watermark()):
                ids = [one.id for one in some.items]
                self._plan.add_listed(ids)
                if not self._request.full and ids and await asyncio.to_thread(self._plan.knows, ids):
                    self._plan.add_known()  # the older threads of the list
                    break
        except RefusedError as error:
            raise SettingsError(
                f"{self._request.server.base_url} lists no threads ({error}); "
                "name them: --threads, --threads-sql, --known"
            ) from None
        except (ThreadError, MalformedError) as error:
            self._fail("the list of threads", error)  # the next pull would take a part of the list for the whole
        else:
            self._plan.accept_listed()

    async def _single_runs(self) -> None:
        for thread_id, run_id in self._request.runs:
            try:
                one = await self._run(thread_id, run_id)
            except (ThreadError, MalformedError) as error:
                self._fail(f"run {run_id}", error)
                continue
            self._responses.append(one.response)
            await self._add_steps(thread_id, [run_id])

    async def _read_threads(self, chunk: Sequence[Thread]) -> None:
        """Read threads, `concurrency` of them at a time."""
        waiting = iter(chunk)

        async def work() -> None:
            for thread in waiting:  # shared: each takes the next
                await self._read_thread(thread)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._request.concurrency, len(chunk))):
                    group.create_task(work())
        except* (PullError, SettingsError) as errors:
            raise errors.exceptions[0] from None

    async def _read_thread(self, thread: Thread) -> None:
        request, now = self._request, time.time()
        api = Api(
            lambda after: self._page(request.server.runs(thread.thread_id), after),
            lambda run_id: self._run(thread.thread_id, run_id),
        )
        latest, is_changed = thread, False
        try:
            async for found in updates(thread, api, now, request.since, full=request.full):
                latest, is_changed = found.thread, is_changed or bool(found.pages)
                self.outcome.given_up += len(found.given_up)
                self._found.append(found)
                self._bytes += sum(len(one.response.body) for one in found.pages)
                await self._add_steps(thread.thread_id, found.touched)
                if self._bytes >= STORED_BYTES or time.monotonic() - self._stored_at >= STORED_SECONDS:
                    await self._flush()
        except (ThreadError, MalformedError) as error:
            if not (isinstance(error, GoneError) and thread.error == str(error)):  # it is reported once
                self._fail(f"thread {thread.thread_id}", error)
            self._found.append(ThreadUpdate(failed(latest, error, now)))
            self._failing += not isinstance(error, GoneError)
            if self._failing >= _FAILING_THREADS:
                raise PullError(
                    f"{self._failing} threads in a row could not be read, the last one because of {error}; "
                    "is the server well, and may the key read them?"
                ) from None
        else:
            self._failing = 0
            is_long_idle = not is_changed and now - (thread.changed or now) >= DAY_SECONDS
            if is_long_idle:
                self._found.append(ThreadUpdate(replace(latest, checked=now)))
        self.outcome.threads += 1
        self.outcome.changed += is_changed
        self._progress(self.outcome)

    async def _add_steps(self, thread_id: str, run_ids: Sequence[str]) -> None:
        """Request the steps of runs, if --steps was given."""
        if not self._request.steps:
            return
        for run_id in run_ids:
            address = self._request.server.steps(thread_id, run_id)
            try:
                async for one in paginate(lambda after, at=address: self._page(at, after), Watermark()):
                    self._responses.append(one.response)
                    self._bytes += len(one.response.body)
            except GoneError:
                continue  # a server without steps, or a run that was deleted since
            except (ThreadError, MalformedError) as error:
                self._fail(f"the steps of run {run_id}", error)

    async def _page(self, address: str, after: str | None) -> Page:
        parameters: dict[str, str | int] = {"limit": PAGE_SIZE, "order": "desc"}
        return await self._get_well_formed(address, parameters | ({"after": after} if after else {}), page)

    async def _run(self, thread_id: str, run_id: str) -> Page:
        def of_one(response: Response) -> Page:
            return Page(response, [item(response)], 1, None, response.digest)

        return await self._get_well_formed(self._request.server.run(thread_id, run_id), {}, of_one)

    async def _get_well_formed(
        self, address: str, parameters: dict[str, str | int], parse: Callable[[Response], Page]
    ) -> Page:
        """A parsed response; malformed responses are requested again."""
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(MalformedError),
            stop=tenacity.stop_after_attempt(_MALFORMED_ATTEMPTS),
            wait=tenacity.wait_random_exponential(
                self._request.patience.first_pause_seconds, max=self._request.patience.longest_pause_seconds
            ),
            before_sleep=self._count_retry,
            reraise=True,
        )

        async def once() -> Page:
            return parse(await self._client.get(address, parameters))

        found: Page = await retrying(once)
        return found

    def _count_retry(self, _state: tenacity.RetryCallState) -> None:
        self._client.counters.retries += 1

    def _fail(self, what: str, error: Exception) -> None:
        self.outcome.failures[str(error)] += 1
        self.outcome.first_failure = self.outcome.first_failure or f"{what}: {error}"

    async def _flush(self) -> None:
        """Store the buffered results, while other tasks go on reading."""
        async with self._storing:
            if not (self._found or self._responses):
                return
            storing = asyncio.ensure_future(asyncio.to_thread(self._store.add, *self._take()))
            try:
                await asyncio.shield(storing)
            except asyncio.CancelledError:
                await storing  # the warehouse has one writer at a time
                raise

    def _take(self) -> tuple[list[ThreadUpdate], list[Response]]:
        """Take the buffered results out of the buffer."""
        found, self._found = self._found, []
        responses, self._responses = self._responses, []
        self._bytes, self._stored_at = 0, time.monotonic()
        return found, responses
