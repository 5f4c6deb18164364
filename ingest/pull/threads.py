"""State of a thread, and incremental reading of its new runs, of a gap left by an earlier pull, and of open runs."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from runmart.ingest.pull.errors import CursorError, GoneError, ThreadError
from runmart.ingest.pull.pagination import GetPage, Watermark, paginate
from runmart.ingest.pull.responses import Item, MalformedError, Page

GIVEN_UP_SECONDS = 86_400.0
"""An open run is stale this long after it should have expired."""

LONGEST_OPEN_SECONDS = 30 * 86_400.0
"""An open run without an expiry time is stale this long after it was created."""

LISTED, COMPLETE, PARTIAL, FAILED, GONE = "listed", "complete", "partial", "failed", "gone"
_NEVER_READ = {None, LISTED, FAILED}


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A stored run that has not ended."""

    run_id: str
    created: float | None
    expires: float | None
    observed: float
    """When it was last observed; all instants are in seconds since 1970."""

    def is_stale(self, now: float) -> bool:
        """Whether it should have ended so long ago that it is not looked up any more."""
        if self.expires is not None:
            return now > self.expires + GIVEN_UP_SECONDS
        return now > (self.created or self.observed) + LONGEST_OPEN_SECONDS


@dataclass(frozen=True, slots=True)
class Thread:
    """The state of a thread after the last pull. Instants are in seconds since 1970."""

    thread_id: str
    state: str | None = None
    """None before the first pull."""
    newest_run_id: str | None = None
    newest_created: float | None = None
    page_digest: str | None = None
    gap_after: str | None = None
    """Backfill cursor: runs older than this one are not loaded yet, down to the run of the next two fields."""
    gap_until_run_id: str | None = None
    gap_until: float | None = None
    since: float | None = None
    """Runs created before were not requested."""
    changed: float | None = None
    """When it last had new or changed runs."""
    checked: float | None = None
    error: str | None = None
    open_runs: tuple[OpenRun, ...] = ()

    @property
    def watermark(self) -> Watermark:
        """The high watermark: the newest run that was read."""
        return Watermark(self.newest_run_id, self.newest_created, self.since)

    @property
    def gap_watermark(self) -> Watermark:
        """The watermark at the lower end of the gap."""
        return Watermark(self.gap_until_run_id, self.gap_until, self.since)


class GivenUp(NamedTuple):
    """An open run that is not looked up any more."""

    run_id: str
    reason: str


@dataclass(slots=True)
class ThreadUpdate:
    """New pages of a thread and its state once they are stored, to be written in one transaction."""

    thread: Thread
    """The state to store."""
    pages: list[Page] = field(default_factory=list[Page])
    given_up: list[GivenUp] = field(default_factory=list[GivenUp])
    touched: list[str] = field(default_factory=list[str])
    """Ids of runs that are new or were open, whose steps may have changed."""


@dataclass(frozen=True, slots=True)
class Api:
    """Requests for the runs of one thread."""

    runs: GetPage
    run: Callable[[str], Awaitable[Page]]
    """Returns a single run, as a page of one item."""


async def updates(
    thread: Thread, api: Api, now: float, since: float | None, *, full: bool
) -> AsyncIterator[ThreadUpdate]:
    """The updates of a thread, each as soon as its page is received; none when nothing has changed.

    Args:
        thread: The stored state of the thread.
        api: The requests for its runs.
        now: Seconds since 1970.
        since: Runs created before are not requested, in seconds since 1970. If this is earlier than the `since` of the
            stored state, the thread is read again from the newest run.
        full: Whether to ignore the watermark.

    Raises:
        ThreadError: The thread cannot be read to its end.
        MalformedError: A response is not of the expected form.
    """
    if full or _reaches_back(thread, since):
        thread = Thread(thread.thread_id, open_runs=thread.open_runs, changed=thread.changed)
    thread = replace(thread, since=since if thread.state in _NEVER_READ else thread.since)
    seen: dict[str, Item] = {}
    first = await api.runs(None)
    is_unchanged = thread.state == COMPLETE and first.digest == thread.page_digest
    if is_unchanged:
        seen.update({item.id: item for item in first.items})
    else:
        async for found in _new_pages(thread, api, first, now):
            for one in found.pages:
                seen.update({item.id: item for item in one.items})
            thread = found.thread
            yield found
    async for found in _unseen_open_runs(thread, api, seen, now):
        yield found
    if is_unchanged and thread.error is not None:
        yield ThreadUpdate(replace(thread, error=None, checked=now))


def _reaches_back(thread: Thread, since: float | None) -> bool:
    """Whether runs that earlier pulls did not request are requested now."""
    return thread.since is not None and (since is None or since < thread.since)


async def _new_pages(thread: Thread, api: Api, first: Page, now: float) -> AsyncIterator[ThreadUpdate]:
    """Pages from the newest run down to the watermark, then those of the gap that an interrupted pull has left."""

    async def get(after: str | None) -> Page:
        return first if after is None else await api.runs(after)

    newest = max(first.items, key=lambda item: item.created or 0.0, default=None)
    top = replace(
        thread,
        newest_run_id=newest.id if newest else thread.newest_run_id,
        newest_created=newest.created if newest else thread.newest_created,
        page_digest=first.digest,
        changed=(_latest(first.items) or now) if thread.state in _NEVER_READ else now,
        checked=now,
        error=None,
    )
    has_gap = thread.gap_after is not None
    known = {run.run_id for run in thread.open_runs}
    async for one in paginate(get, thread.watermark):
        touched = _touched(one, thread.watermark, known)
        if has_gap:
            # only one gap is stored: if this is interrupted, these pages are read again
            yield ThreadUpdate(thread, [one], touched=touched)
        else:
            left = replace(
                top,
                state=PARTIAL,
                gap_after=one.items[-1].id,
                gap_until_run_id=thread.newest_run_id,
                gap_until=thread.newest_created,
            )
            yield ThreadUpdate(left, [one], touched=touched)
    if has_gap:
        yield ThreadUpdate(top)
        try:
            async for one in paginate(api.runs, thread.gap_watermark, thread.gap_after):
                left = replace(top, state=PARTIAL, gap_after=one.items[-1].id)
                yield ThreadUpdate(left, [one], touched=_touched(one, thread.gap_watermark, known))
        except CursorError:  # the run at the cursor was deleted: read from the newest run to the end of the gap
            async for one in paginate(api.runs, thread.gap_watermark):
                yield ThreadUpdate(top, [one], touched=_touched(one, thread.gap_watermark, known))
    yield ThreadUpdate(replace(top, state=COMPLETE, gap_after=None, gap_until_run_id=None, gap_until=None))


def _touched(one: Page, watermark: Watermark, known: set[str]) -> list[str]:
    """Ids of the runs of a page that are new or were open."""
    limit = watermark.newest_created
    return [
        item.id
        for item in one.items
        if item.id in known or limit is None or item.created is None or item.created >= limit
    ]


def _latest(items: list[Item]) -> float | None:
    return max((item.created for item in items if item.created is not None), default=None)


async def _unseen_open_runs(thread: Thread, api: Api, seen: dict[str, Item], now: float) -> AsyncIterator[ThreadUpdate]:
    """Look up the stored open runs that were in no page, and give up stale ones."""
    for run in thread.open_runs:
        if run.run_id in seen:
            if seen[run.run_id].is_open and run.is_stale(now):
                yield ThreadUpdate(thread, given_up=[_stale(run, seen[run.run_id])])
            continue
        try:
            one = await api.run(run.run_id)
        except GoneError:
            yield ThreadUpdate(thread, given_up=[GivenUp(run.run_id, "the server does not know it any more")])
            continue
        is_over = any(item.is_open for item in one.items) and run.is_stale(now)
        given_up = [_stale(run, one.items[0])] if is_over else []
        yield ThreadUpdate(replace(thread, checked=now), [one], given_up, [run.run_id])


def _stale(run: OpenRun, item: Item) -> GivenUp:
    when = "a day after it expired" if run.expires is not None else "30 days after it was created"
    return GivenUp(run.run_id, f"still {item.status} {when}")


def failed(thread: Thread, error: ThreadError | MalformedError, now: float) -> Thread:
    """The state of a thread that could not be read: its watermark and gap stay."""
    state = GONE if isinstance(error, GoneError) else (thread.state or FAILED)
    return replace(thread, state=state, error=str(error), checked=now)
