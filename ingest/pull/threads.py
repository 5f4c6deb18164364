"""Threads: what is known of one, and the asking for what is new in it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from runmart.ingest.pull.errors import CursorError, GoneError, ThreadError
from runmart.ingest.pull.pagination import GetPage, Watermark, paginate
from runmart.ingest.pull.responses import Item, MalformedError, Page

GIVEN_UP_SECONDS = 86_400.0
"""An open run is given up so long after it should have expired."""

LONGEST_OPEN_SECONDS = 30 * 86_400.0
"""Or so long after it was created, where the server does not say when it expires."""

LISTED, COMPLETE, PARTIAL, FAILED, GONE = "listed", "complete", "partial", "failed", "gone"
_NEVER_READ = {None, LISTED, FAILED}


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A stored run that has not ended."""

    run_id: str
    created: float | None
    expires: float | None
    observed: float
    """All in seconds since 1970."""

    def is_hopeless(self, now: float) -> bool:
        """Whether it should have ended long ago."""
        if self.expires is not None:
            return now > self.expires + GIVEN_UP_SECONDS
        return now > (self.created or self.observed) + LONGEST_OPEN_SECONDS


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread, as it was left by the last pull. Instants in seconds since 1970."""

    thread_id: str
    state: str | None = None
    """None for one that was never asked for."""
    newest_run_id: str | None = None
    newest_created: float | None = None
    page_digest: str | None = None
    gap_after: str | None = None
    """The walk was left behind this run: what is older is missing, down to the next two."""
    gap_until_run_id: str | None = None
    gap_until: float | None = None
    since: float | None = None
    """What is older was not wanted."""
    changed: float | None = None
    """When something new was in it."""
    checked: float | None = None
    error: str | None = None
    open_runs: tuple[OpenRun, ...] = ()

    @property
    def watermark(self) -> Watermark:
        """What is known from the newest run on."""
        return Watermark(self.newest_run_id, self.newest_created, self.since)

    @property
    def gap_ground(self) -> Watermark:
        """What is known behind the gap."""
        return Watermark(self.gap_until_run_id, self.gap_until, self.since)


class GivenUp(NamedTuple):
    """An open run that is not asked for any more."""

    run_id: str
    reason: str


@dataclass(slots=True)
class Found:
    """Something new of a thread, to be stored together."""

    thread: Thread
    """As it is left once this is stored."""
    pages: list[Page] = field(default_factory=list[Page])
    given_up: list[GivenUp] = field(default_factory=list[GivenUp])
    touched: list[str] = field(default_factory=list[str])
    """Runs that are new, or were open: their steps may have changed."""


@dataclass(frozen=True, slots=True)
class Api:
    """What can be asked of a server about one thread."""

    runs: GetPage
    run: Callable[[str], Awaitable[Page]]
    """A single run, as a page of one."""


async def news(thread: Thread, api: Api, now: float, since: float | None, *, full: bool) -> AsyncIterator[Found]:
    """What is new in a thread, as it comes; nothing where nothing is.

    Args:
        thread: What is known of it.
        api: Whom to ask.
        now: Seconds since 1970.
        since: What was created before is not wanted; of known threads, too, where it reaches back further.
        full: Take nothing as known.

    Raises:
        ThreadError: It cannot be read to its end.
        MalformedError: The server answers with something else.
    """
    if full or _reaches_back(thread, since):
        thread = Thread(thread.thread_id, open_runs=thread.open_runs, changed=thread.changed)
    thread = replace(thread, since=since if thread.state in _NEVER_READ else thread.since)
    seen: dict[str, Item] = {}
    first = await api.runs(None)
    is_quiet = thread.state == COMPLETE and first.digest == thread.page_digest
    if is_quiet:
        seen.update({item.id: item for item in first.items})
    else:
        async for found in _walked(thread, api, first, now):
            for one in found.pages:
                seen.update({item.id: item for item in one.items})
            thread = found.thread
            yield found
    async for found in _open_ones(thread, api, seen, now):
        yield found
    if is_quiet and thread.error is not None:
        yield Found(replace(thread, error=None, checked=now))


def _reaches_back(thread: Thread, since: float | None) -> bool:
    """Whether what was left out before is wanted now."""
    return thread.since is not None and (since is None or since < thread.since)


async def _walked(thread: Thread, api: Api, first: Page, now: float) -> AsyncIterator[Found]:
    """Pages from the newest on; then those of a gap that an interrupted walk has left."""

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
            yield Found(thread, [one], touched=touched)  # a gap is one at a time: this part is read again if it must be
        else:
            left = replace(
                top,
                state=PARTIAL,
                gap_after=one.items[-1].id,
                gap_until_run_id=thread.newest_run_id,
                gap_until=thread.newest_created,
            )
            yield Found(left, [one], touched=touched)
    if has_gap:
        yield Found(top)
        try:
            async for one in paginate(api.runs, thread.gap_ground, thread.gap_after):
                left = replace(top, state=PARTIAL, gap_after=one.items[-1].id)
                yield Found(left, [one], touched=_touched(one, thread.gap_ground, known))
        except CursorError:  # the run that was to go on from is gone: from the newest on, to where the gap ends
            async for one in paginate(api.runs, thread.gap_ground):
                yield Found(top, [one], touched=_touched(one, thread.gap_ground, known))
    yield Found(replace(top, state=COMPLETE, gap_after=None, gap_until_run_id=None, gap_until=None))


def _touched(one: Page, watermark: Watermark, known: set[str]) -> list[str]:
    """Runs of a page that are new, or were open."""
    limit = watermark.newest_created
    return [
        item.id
        for item in one.items
        if item.id in known or limit is None or item.created is None or item.created >= limit
    ]


def _latest(items: list[Item]) -> float | None:
    return max((item.created for item in items if item.created is not None), default=None)


async def _open_ones(thread: Thread, api: Api, seen: dict[str, Item], now: float) -> AsyncIterator[Found]:
    """Stored runs that were open, and that no page has shown."""
    for run in thread.open_runs:
        if run.run_id in seen:
            if seen[run.run_id].is_open and run.is_hopeless(now):
                yield Found(thread, given_up=[_hopeless(run, seen[run.run_id])])
            continue
        try:
            one = await api.run(run.run_id)
        except GoneError:
            yield Found(thread, given_up=[GivenUp(run.run_id, "the server does not know it any more")])
            continue
        is_over = any(item.is_open for item in one.items) and run.is_hopeless(now)
        given_up = [_hopeless(run, one.items[0])] if is_over else []
        yield Found(replace(thread, checked=now), [one], given_up, [run.run_id])


def _hopeless(run: OpenRun, item: Item) -> GivenUp:
    when = "a day after it expired" if run.expires is not None else "30 days after it was created"
    return GivenUp(run.run_id, f"still {item.status} {when}")


def failed(thread: Thread, error: ThreadError | MalformedError, now: float) -> Thread:
    """A thread that could not be read: what is known of it stays."""
    state = GONE if isinstance(error, GoneError) else (thread.state or FAILED)
    return replace(thread, state=state, error=str(error), checked=now)
