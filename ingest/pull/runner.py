"""Runner: one pull, from the threads that are wanted to what is stored of them."""

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
from runmart.ingest.pull.threads import LISTED, Api, Found, Thread, failed, news
from runmart.ingest.warehouse.location import Location
from runmart.models.redaction_policy import RedactionPolicy

if TYPE_CHECKING:
    from runmart.ingest.pull.credentials import Key

CHUNK_THREADS = 10_000
"""Threads are asked for by so many at a time."""

STORED_BYTES = 16 << 20
STORED_SECONDS = 60.0
"""What was found is stored when it is so much, or has waited so long."""

_FAILING_THREADS = 50
"""So many threads in a row that cannot be read: it is not for the threads."""

_MALFORMED_ATTEMPTS = 3
"""An answer that is cut off, or no list, is asked for again."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to pull, and how."""

    server: Server
    key: "Key | None"
    warehouse: Location
    source: str = "default"
    selection: Selection = field(default_factory=Selection)
    list_threads: bool = False
    """Ask the server which threads there are."""
    runs: Sequence[tuple[str, str]] = ()
    """Single runs: thread and run."""
    steps: bool = False
    since: float | None = None
    """What was created before is not wanted, in seconds since 1970."""
    full: bool = False
    concurrency: int = 8
    deadline_seconds: float | None = None
    lock_timeout_seconds: float = 30.0
    save: Path | None = None
    content: RedactionPolicy = field(default_factory=RedactionPolicy)
    """What becomes of the content of runs, where the warehouse has no rules of its own."""
    patience: Patience = field(default_factory=Patience)
    prepare: Prepare = lambda _connection: None
    """Called with each connection before anything is stored; the command installs the views by it."""


@dataclass(slots=True)
class Outcome:
    """What a pull did."""

    totals: Totals = field(default_factory=Totals)
    load_id: int | None = None
    counters: Counters = field(default_factory=Counters)
    threads: int = 0
    """Asked for."""
    changed: int = 0
    """In which something was new."""
    quiet: int = 0
    """Left out since nothing has happened in them for long."""
    gone: int = 0
    """Left out since the server does not know them."""
    given_up: int = 0
    failures: Counter[str] = field(default_factory=Counter[str])
    """Threads and single runs that could not be read, by reason."""
    first_failure: str | None = None
    is_late: bool = False
    """The deadline came first."""
    seconds: float = 0.0


Progress = Callable[[Outcome], None]
"""Told after each thread."""


async def pull(request: Request, progress: Progress = lambda _outcome: None) -> Outcome:
    """Bring the warehouse up to date with a server.

    Raises:
        PullError: The key is refused, or the server is down; what was found before is stored.
        SettingsError: No threads are named, or the settings do not fit.
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
    """One pull under way."""

    def __init__(self, request: Request, client: Client, store: PullSink, plan: Schedule, progress: Progress) -> None:
        self._request = request
        self._client = client
        self._store = store
        self._plan = plan
        self._progress = progress
        self._found: list[Found] = []
        self._responses: list[Response] = []
        self._bytes = 0
        self._stored_at = time.monotonic()
        self._storing = asyncio.Lock()
        self._failing = 0
        self.outcome = Outcome(counters=client.counters)

    async def run(self) -> None:
        """Ask, and store what was found; stop at the deadline."""
        try:
            async with asyncio.timeout(self._request.deadline_seconds):
                await self._single_runs()
                await self._collect_threads()
                self._plan.prepare(time.time(), self._request.since, full=self._request.full)
                for ids in self._plan.new_listed(CHUNK_THREADS):  # else the next pull would not hear of them again
                    self._found += [Found(Thread(thread_id, LISTED)) for thread_id in ids]
                    await self._flush()
                for chunk in self._plan.threads(CHUNK_THREADS):
                    await self._ask(chunk)
        except TimeoutError:
            self.outcome.is_late = True
        self.outcome.quiet, self.outcome.gone = self._plan.skipped_quiet, self._plan.skipped_gone
        await self._flush()

    def rescue(self, state: str) -> None:
        """Store what was found before the pull was ended, and that it was."""
        with suppress(Exception):
            if self._found or self._responses:
                self._store.add(*self._taken())
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
        """Add the server's own list of threads, read from the newest on until nothing is new, and the known ones."""

        async def get(after: str | None) -> Page:
            return await self._page(self._request.server.threads, after)

        try:
            async for some in paginate(get, Watermark()):
                ids = [one.id for one in some.items]
                self._plan.add_listed(ids)
                if not self._request.full and ids and await asyncio.to_thread(self._plan.knows, ids):
                    self._plan.add_known()  # what is older in the list
                    break
        except RefusedError as error:
            raise SettingsError(
                f"{self._request.server.base_url} lists no threads ({error}); "
                "name them: --threads, --threads-sql, --known"
            ) from None
        except (ThreadError, MalformedError) as error:
            self._fail("the list of threads", error)  # a part of it would pass for the whole the next time
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

    async def _ask(self, chunk: Sequence[Thread]) -> None:
        """Ask for threads, some at the same time."""
        waiting = iter(chunk)

        async def work() -> None:
            for thread in waiting:  # shared: each takes the next
                await self._thread(thread)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._request.concurrency, len(chunk))):
                    group.create_task(work())
        except* (PullError, SettingsError) as errors:
            raise errors.exceptions[0] from None

    async def _thread(self, thread: Thread) -> None:
        request, now = self._request, time.time()
        api = Api(
            lambda after: self._page(request.server.runs(thread.thread_id), after),
            lambda run_id: self._run(thread.thread_id, run_id),
        )
        latest, is_changed = thread, False
        try:
            async for found in news(thread, api, now, request.since, full=request.full):
                latest, is_changed = found.thread, is_changed or bool(found.pages)
                self.outcome.given_up += len(found.given_up)
                self._found.append(found)
                self._bytes += sum(len(one.response.body) for one in found.pages)
                await self._add_steps(thread.thread_id, found.touched)
                if self._bytes >= STORED_BYTES or time.monotonic() - self._stored_at >= STORED_SECONDS:
                    await self._flush()
        except (ThreadError, MalformedError) as error:
            if not (isinstance(error, GoneError) and thread.error == str(error)):  # that is told once
                self._fail(f"thread {thread.thread_id}", error)
            self._found.append(Found(failed(latest, error, now)))
            self._failing += not isinstance(error, GoneError)
            if self._failing >= _FAILING_THREADS:
                raise PullError(
                    f"{self._failing} threads in a row could not be read, the last one because of {error}; "
                    "is the server well, and may the key read them?"
                ) from None
        else:
            self._failing = 0
            is_long_quiet = not is_changed and now - (thread.changed or now) >= DAY_SECONDS
            if is_long_quiet:
                self._found.append(Found(replace(latest, checked=now)))
        self.outcome.threads += 1
        self.outcome.changed += is_changed
        self._progress(self.outcome)

    async def _add_steps(self, thread_id: str, run_ids: Sequence[str]) -> None:
        """Ask for the steps of runs, where they are wanted."""
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
        return await self._well_formed(address, parameters | ({"after": after} if after else {}), page)

    async def _run(self, thread_id: str, run_id: str) -> Page:
        def of_one(response: Response) -> Page:
            return Page(response, [item(response)], 1, None, response.digest)

        return await self._well_formed(self._request.server.run(thread_id, run_id), {}, of_one)

    async def _well_formed(
        self, address: str, parameters: dict[str, str | int], parse: Callable[[Response], Page]
    ) -> Page:
        """An answer that can be read; what cannot is asked for again."""
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
        """Store what was found, while others go on asking."""
        async with self._storing:
            if not (self._found or self._responses):
                return
            storing = asyncio.ensure_future(asyncio.to_thread(self._store.add, *self._taken()))
            try:
                await asyncio.shield(storing)
            except asyncio.CancelledError:
                await storing  # one at a time uses the warehouse
                raise

    def _taken(self) -> tuple[list[Found], list[Response]]:
        """What waits to be stored; it waits no more."""
        found, self._found = self._found, []
        responses, self._responses = self._responses, []
        self._bytes, self._stored_at = 0, time.monotonic()
        return found, responses
