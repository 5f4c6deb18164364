"""Incremental reading of a thread: new runs, a gap that an earlier pull has left, open runs. No I/O, no clock.

A list of all records of a server is read as a thread is, whose runs these are.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

from runmart.ingest.pull.errors import CursorError, GoneError, RefusedError, ThreadError
from runmart.ingest.pull.ground import OVERLAP_SECONDS, Stored, StoredRuns, Watermark
from runmart.ingest.pull.pagination import PAGE_SIZE, GetPage, ListReader, Manners, Paging, Query, first_query
from runmart.ingest.pull.responses import Item, Page
from runmart.ingest.pull.thread_state import COMPLETE, PARTIAL, GivenUp, OpenRun, Thread, ThreadUpdate

_UNKNOWN = {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
"""What servers say of a run that is not there."""


@dataclass(frozen=True, slots=True)
class Api:
    """Requests for the runs of one thread, and what is known of it and of its server."""

    runs: GetPage
    run: Callable[[str], Awaitable[Page]]
    """Returns a single run, as a page of one item."""
    manners: Manners
    stored: Stored
    pruned: float | None = None
    """Runs created before were pruned; seconds since 1970."""


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
    thread = replace(thread, since=thread.since if thread.was_read else since)
    if thread.read is not None and thread.read > now:  # the clock went back: it does not tell what came later
        thread = replace(thread, read=None, gap_read=None)
    if thread.paging != api.manners.ways[0]:  # cursor and digest are those of another way
        thread = replace(thread, page_digest=None, gap_after=None)
    seen = _Seen(thread.open_runs)
    reading = _Reading(thread, api, now)
    is_unchanged = await reading.is_unchanged()
    if reading.first is not None and thread.open_runs:
        seen.note(reading.first)
    if is_unchanged:
        if thread.error is not None:
            yield ThreadUpdate(replace(thread, error=None, checked=now))
    else:
        async for found in reading.updates():
            for one in found.pages:
                seen.note(one)
            thread = found.thread
            yield found
    async for found in _unseen_open_runs(thread, api, seen, now, reading):
        yield found


def _reaches_back(thread: Thread, since: float | None) -> bool:
    """Whether runs that earlier pulls did not request are requested now."""
    return thread.since is not None and (since is None or since < thread.since)


class _Seen:
    """Those of the open runs that were on some page; others are not kept, as a list may be long."""

    def __init__(self, runs: Iterable[OpenRun]) -> None:
        self._wanted = {run.run_id for run in runs}
        self.items: dict[str, Item] = {}

    def note(self, page: Page) -> None:
        """Note those on a page."""
        if self._wanted:
            self.items.update({item.id: item for item in page.items if item.id in self._wanted})


class _Reading:
    """One reading of a thread's list."""

    def __init__(self, thread: Thread, api: Api, now: float) -> None:
        self.first: Page | None = None
        """The page that tells whether anything has changed."""
        self._thread = thread
        self._api = api
        self._now = now
        self._paging: Paging = api.manners.ways[0]
        self._start = thread.gap_after if self._paging == "oldest first" else None
        self._query = first_query(self._paging, self._start)
        self._is_first_used = False
        is_read = thread.state == COMPLETE or thread.has_gap
        self._newest = Watermark(thread.newest_created, thread.newest_run_id) if is_read else Watermark()
        self._observed = thread.read if is_read else None
        self.is_whole = False
        """Whether all runs that the server lists were read."""
        self._created: list[tuple[float, str]] = []

    async def is_unchanged(self) -> bool:
        """Whether the thread was read to its end, and its list begins as it did then.

        Raises:
            ThreadError: The server refuses the list.
        """
        if self._thread.state != COMPLETE or self._thread.page_digest is None:
            return False
        try:
            self.first = await self._api.runs(self._query)
        except ThreadError:
            if self._query.cursor is None:
                raise
            return False  # the run at the cursor may have been deleted
        return self._is_same() and self._tells(self.first)

    async def updates(self) -> AsyncIterator[ThreadUpdate]:
        """The updates down to the watermark, then those of the gap that an interrupted pull has left."""
        thread = self._thread
        if thread.has_gap and self._paging != "oldest first":
            self.first = await self._api.runs(self._query)
            if self.first.digest != thread.page_digest or not self._tells(self.first):
                async for found in self._read(None, thread.newest_created, thread.read, keep=thread):
                    yield found  # only one gap is stored: if this is interrupted, these pages are read again
                yield ThreadUpdate(self._top())
            start, until, read = thread.gap_after, thread.gap_until, thread.gap_read
        else:
            is_read = thread.state == COMPLETE
            start, until, read = self._start, *((thread.newest_created, thread.read) if is_read else (None, None))
        try:
            async for found in self._read(start, until, read):
                yield found
        except CursorError:  # the run at the cursor was deleted
            async for found in self._read(None, None, None):
                yield found
        yield ThreadUpdate(self._complete())

    async def _read(
        self, cursor: str | None, until: float | None, read: float | None, keep: Thread | None = None
    ) -> AsyncIterator[ThreadUpdate]:
        """The pages behind a cursor down to a watermark; `keep` is the state after each, if not where it was left."""
        api = self._api
        ground = StoredRuns(api.stored, until, read, self._thread.since, api.pruned)
        self._reader = ListReader(self._get, api.manners, ground, self._paging)
        async for page in self._reader.pages(cursor):
            self._note(page)
            is_stored = page is self.first and self._is_same()
            yield ThreadUpdate(keep or self._left(), [] if is_stored else [page])
        self.is_whole = self._reader.is_whole and self._thread.since is None

    async def pages_down_to(self, created: float | None) -> AsyncIterator[Page]:
        """The pages of the list down to this creation time; all of them for None, or where it is in another order."""
        ground = StoredRuns(self._api.stored, None, None, created)
        async for page in ListReader(self._api.runs, self._api.manners, ground).pages():
            yield page

    async def _get(self, query: Query) -> Page:
        if query != self._query or self._is_first_used:
            return await self._api.runs(query)
        self._is_first_used = True
        self.first = self.first or await self._api.runs(query)
        return self.first

    def _note(self, page: Page) -> None:
        self._observed = max(page.response.observed_at / 1e6, self._observed or 0.0)
        self._newest.note(page)
        if not self._reader.is_descending:
            self._created += [(item.created, item.id) for item in page.items if item.created is not None]

    def _top(self) -> Thread:
        """The state with the watermark of this reading."""
        newest, run_id = self._newest.created, self._newest.item_id
        return replace(
            self._thread,
            page_digest=self.first.digest if self.first is not None else None,
            newest_run_id=run_id,
            newest_created=newest,
            read=self._observed,
            changed=self._changed(newest),
            checked=self._now,
            error=None,
        )

    def _changed(self, newest: float | None) -> float | None:
        if not self._thread.was_read:
            return newest or self._now
        return self._thread.changed if self._is_same() else self._now

    def _is_same(self) -> bool:
        """Whether the list begins as it did when it was read to its end."""
        digest = self._thread.page_digest
        return self.first is not None and self.first.digest == digest and self._thread.state == COMPLETE

    def _left(self) -> Thread:
        """The state when it is left here."""
        thread, reader = self._thread, self._reader
        is_complete = thread.state == COMPLETE
        return replace(
            self._top(),
            state=PARTIAL,
            gap_after=reader.cursor if reader.is_descending else self._behind_clocks() if reader.is_ascending else None,
            gap_until_run_id=thread.newest_run_id if is_complete else thread.gap_until_run_id,
            gap_until=thread.newest_created if is_complete else thread.gap_until,
            gap_read=thread.read if is_complete else thread.gap_read,
            paging=reader.paging,
        )

    def _complete(self) -> Thread:
        """The state at the end."""
        start = self._next_start()
        return replace(
            self._top(),
            state=COMPLETE,
            page_digest=self._digest(start),
            gap_after=start,
            gap_until_run_id=None,
            gap_until=None,
            gap_read=None,
            paging=self._reader.paging,
        )

    def _next_start(self) -> str | None:
        """Where the next pull begins; None for the front of the list."""
        reader = self._reader
        if reader.paging != "oldest first":
            return None
        if self._is_all_on_first() and reader.paging == self._paging:
            return self._start
        return self._behind_clocks() if reader.is_ascending else None

    def _is_all_on_first(self) -> bool:
        """Whether the first page holds all that was read, with room for more."""
        has_room = self._reader.paging == "large pages" or not (self.first and self._api.manners.is_full(self.first))
        return self.first is not None and has_room and self._reader.is_all_on(self.first)

    def _behind_clocks(self) -> str | None:
        """A run to go on from in a list that comes oldest first: before its end, where later runs may yet be put."""
        newest = self._newest.created
        old = [one for one in self._created if newest is not None and one[0] < newest - OVERLAP_SECONDS]
        return max(old)[1] if old else self._start

    def _digest(self, start: str | None) -> str | None:
        """The digest of the page that the next pull requests first; None where that is another one."""
        reader = self._reader
        if self.first is None or reader.paging != self._paging or start != self._start:
            return None
        manners = self._api.manners
        if reader.paging in {"newest first", "before"} and manners.shown >= OVERLAP_SECONDS:
            return self.first.digest
        return self.first.digest if self._is_all_on_first() else None

    def _tells(self, page: Page) -> bool:
        """Whether the first page would be another one if there were new runs, wherever clocks may put them."""
        manners = self._api.manners
        if manners.is_last(page) or self._paging == "large pages":
            return True
        if self._paging == "oldest first":
            return not manners.is_full(page)
        created = [item.created for item in page.items if item.created is not None]
        if len(created) < len(page.items) or (created and created[0] < created[-1]):
            return False  # it does not come newest first
        if not created or created[0] == created[-1]:
            return page.size < PAGE_SIZE and page.has_more is not True
        return self._was_settled(page, created[-1])

    def _was_settled(self, page: Page, oldest: float) -> bool:
        """Whether its oldest run was so old at the last check that no clock could put a later run behind it."""
        checked, sent = self._thread.checked, page.response.sent
        if checked is None or self._thread.error is not None:
            return False
        behind = 0.0 if sent is None else max(0.0, page.response.observed_at / 1e6 - sent)
        return checked - behind - oldest >= OVERLAP_SECONDS


async def _unseen_open_runs(
    thread: Thread, api: Api, seen: _Seen, now: float, reading: _Reading
) -> AsyncIterator[ThreadUpdate]:
    """Look up the stored open runs that were in no page, and give up stale ones, and those that are in no whole list.

    Raises:
        ThreadError: Some of them cannot be read.
    """
    unknown, is_whole = dict[str, ThreadError](), reading.is_whole
    for run in thread.open_runs:
        if run.run_id in seen.items:
            continue
        try:
            one = await api.run(run.run_id)
        except ThreadError as error:  # it was deleted, which some servers fail at; or the server gives no single runs
            unknown[run.run_id] = error
        else:
            seen.note(one)
            yield ThreadUpdate(replace(thread, checked=now), [one])
    problem = next((error for error in unknown.values() if not _is_unknown(error)), None)
    if problem is None and unknown and not is_whole and thread.since is None:
        async for page in reading.pages_down_to(_oldest(run for run in thread.open_runs if run.run_id in unknown)):
            seen.note(page)
            yield ThreadUpdate(replace(thread, checked=now), [page])
    if given_up := _given_up(thread, seen.items, unknown if problem is None or is_whole else {}, now):
        yield ThreadUpdate(thread, given_up=given_up)
    if problem is not None and not is_whole:
        raise problem


def _is_unknown(error: ThreadError) -> bool:
    return isinstance(error, GoneError) or (isinstance(error, RefusedError) and error.status in _UNKNOWN)


def _oldest(runs: Iterable[OpenRun]) -> float | None:
    """When the oldest of some runs was created; None where that is not known of each."""
    created = [run.created for run in runs]
    return None if None in created else min(one for one in created if one is not None)


def _given_up(
    thread: Thread, seen: Mapping[str, Item], unknown: Mapping[str, ThreadError], now: float
) -> list[GivenUp]:
    """The open runs that are stale, and those that the server knows neither in the list nor by their ids."""
    found: list[GivenUp] = []
    for run in thread.open_runs:
        item = seen.get(run.run_id)
        if item is None and run.run_id in unknown:
            found.append(GivenUp(run.run_id, f"it is not on the server any more: {unknown[run.run_id]}"))
        elif item is not None and item.is_open and run.is_stale(now):
            found.append(GivenUp(run.run_id, _stale(run, item)))
    return found


def _stale(run: OpenRun, item: Item) -> str:
    when = "a day after it expired" if run.expires is not None else "30 days after it was created"
    return f"still {item.status} {when}"


async def record_updates(thread: Thread, api: Api, record_id: str, now: float) -> AsyncIterator[ThreadUpdate]:
    """The update of a single record, which is read once, and again until it has ended.

    Raises:
        ThreadError: It cannot be read.
        MalformedError: The answer is no record.
    """
    stale = [run for run in thread.open_runs if run.is_stale(now)]
    try:
        page = await api.run(record_id)
    except GoneError as error:
        if not stale:
            raise  # it is asked for again: another address or key may know it
        given_up = [GivenUp(record_id, f"it is not on the server any more: {error}")]
        yield ThreadUpdate(replace(thread, state=COMPLETE, checked=now, error=None), given_up=given_up)
        return
    item = page.items[0]
    given_up = [GivenUp(record_id, _stale(run, item)) for run in stale if item.is_open]
    state = replace(
        thread,
        state=PARTIAL if item.is_open and not given_up else COMPLETE,
        newest_run_id=item.id,
        newest_created=item.created,
        read=page.response.observed_at / 1e6,
        changed=now,
        checked=now,
        error=None,
    )
    yield ThreadUpdate(state, [page], given_up)
