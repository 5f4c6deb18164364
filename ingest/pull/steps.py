"""Steps of runs: requested for runs that are new or were open, and again, in later pulls, until they were read."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import NamedTuple

from runmart.ingest.pull import ids
from runmart.ingest.pull.errors import RefusedError, ThreadError
from runmart.ingest.pull.page_requests import PageRequests
from runmart.ingest.pull.pagination import ListReader, Manners
from runmart.ingest.pull.responses import MalformedError, Page

FAILING_RUNS = 10
"""Runs in a row with unreadable steps, after which no more are asked for: the server gives none at this time."""

_UNKNOWN = {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
"""What servers say of a run that is not there."""


class UnreadSteps(NamedTuple):
    """A run whose steps are to be read. Instants are in seconds since 1970."""

    thread_id: str
    run_id: str
    wanted: float
    """When the run was read."""
    asked: float | None = None
    """When its steps were last requested, in vain."""


class StepChanges(NamedTuple):
    """What is to be written of the runs whose steps are to be read."""

    unread: tuple[UnreadSteps, ...] = ()
    read: tuple[UnreadSteps, ...] = ()
    """Those that were read, as of `asked`: what was wanted later stays."""


NO_CHANGES = StepChanges()


@dataclass
class StepsToRead:
    """The runs whose steps are to be read, as far as a pull changes them."""

    _unread: dict[tuple[str, str], UnreadSteps] = field(default_factory=dict[tuple[str, str], UnreadSteps])
    _read: dict[tuple[str, str], UnreadSteps] = field(default_factory=dict[tuple[str, str], UnreadSteps])

    def __bool__(self) -> bool:
        """Whether there is something to write."""
        return bool(self._unread or self._read)

    def want(self, thread_id: str, run_id: str) -> UnreadSteps:
        """Note that the steps of a run are to be read."""
        return self._note(UnreadSteps(thread_id, run_id, time.time()))

    def ask(self, steps: UnreadSteps) -> UnreadSteps:
        """Note that they are being requested: unless they come, others have their turn before them next time."""
        return self._note(steps._replace(asked=time.time()))

    def read(self, steps: UnreadSteps) -> None:
        """Note that they were read."""
        self._unread.pop((steps.thread_id, steps.run_id), None)
        self._read[steps.thread_id, steps.run_id] = steps

    def take(self) -> StepChanges:
        """The changes since the last call."""
        changes = StepChanges(tuple(self._unread.values()), tuple(self._read.values()))
        self._unread, self._read = {}, {}
        return changes

    def _note(self, steps: UnreadSteps) -> UnreadSteps:
        self._unread[steps.thread_id, steps.run_id] = steps
        return steps


class StepRequests:
    """Requests the steps of runs."""

    def __init__(
        self,
        pages: PageRequests,
        unread: StepsToRead,
        keep: Callable[[Page], None],
        fail: Callable[[str, Exception], None],
    ) -> None:
        """Steps of the runs of one server.

        Args:
            pages: Its pages.
            unread: Where it is noted whether they came.
            keep: Called with each page of steps, and with each that is malformed.
            fail: Called with what could not be read, and why.
        """
        self._pages = pages
        self._unread = unread
        self._keep = keep
        self._fail = fail
        self._manners = Manners()

    async def read(self, steps: UnreadSteps) -> bool:
        """Request the steps of a run; whether they came, or the run is not on the server any more."""
        name, steps = f"the steps of run {steps.run_id}", self._unread.ask(steps)
        if why := ids.fault(steps.run_id):
            self._fail(name, ThreadError(f"no server can be asked for them, as its id is none: {why}"))
            self._unread.read(steps)  # it is said once
            return True
        try:
            reader = ListReader(partial(self._pages.steps, steps.thread_id, steps.run_id), self._manners)
            async for page in reader.pages():
                self._keep(page)
        except (ThreadError, MalformedError) as error:
            if not await self._is_gone(steps, error):
                self._fail(name, error)
                if isinstance(error, MalformedError):
                    self._keep(error.page)
                return False
        self._unread.read(steps)
        return True

    async def _is_gone(self, steps: UnreadSteps, error: ThreadError | MalformedError) -> bool:
        """Whether the run was deleted since: the server knows neither its steps nor itself."""
        if not (isinstance(error, RefusedError) and error.status in _UNKNOWN):
            return False
        try:
            await self._pages.run(steps.thread_id, steps.run_id)
        except RefusedError as refusal:
            return refusal.status in _UNKNOWN
        except (ThreadError, MalformedError):
            return False
        return False


@dataclass
class FailingRuns:
    """Tells when the steps of so many runs in a row could not be read that no more are asked for."""

    _in_a_row: int = 0

    @property
    def are_too_many(self) -> bool:
        """Whether to stop."""
        return self._in_a_row >= FAILING_RUNS

    def note(self, *, came: bool) -> None:
        """Note whether the steps of a run came."""
        self._in_a_row = 0 if came else self._in_a_row + 1
