"""State of a thread, a list or a single record between pulls, and the updates of it. No I/O, no clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from runmart.ingest.pull.errors import GoneError, IncompleteError, ThreadError
from runmart.ingest.pull.responses import MalformedError, Page

GIVEN_UP_SECONDS = 86_400.0
"""An open run is stale this long after it should have expired."""

LONGEST_OPEN_SECONDS = 30 * 86_400.0
"""An open run without an expiry time is stale this long after it was created."""

LISTED, COMPLETE, PARTIAL, FAILED, GONE = "listed", "complete", "partial", "failed", "gone"
"""States of a thread: listed by the server and not read yet, read to its end, left half-way, unreadable, unknown."""


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
    """The high watermark, which lies in no future."""
    read: float | None = None
    """When the last page was observed of what is stored without a gap from the newest run on."""
    page_digest: str | None = None
    gap_after: str | None = None
    """Runs behind this one are not loaded yet; of a complete thread, where the next pull begins."""
    gap_until_run_id: str | None = None
    gap_until: float | None = None
    """The watermark below the gap."""
    gap_read: float | None = None
    """When the last page below the gap was observed."""
    since: float | None = None
    """Runs created before were not requested."""
    changed: float | None = None
    """When it last had new or changed runs."""
    checked: float | None = None
    error: str | None = None
    paging: str | None = None
    """How its list was read; the digest and the cursor are of that way."""
    open_runs: tuple[OpenRun, ...] = ()

    @property
    def was_read(self) -> bool:
        """Whether some of it was read before."""
        return self.state not in {None, LISTED, FAILED}

    @property
    def has_gap(self) -> bool:
        """Whether some of its runs are known to be missing, behind a cursor."""
        return self.state == PARTIAL and self.gap_after is not None


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


def failed(thread: Thread, error: ThreadError | MalformedError, now: float) -> Thread:
    """The state of a thread that could not be read: its watermark and gap stay, unless no page is to be trusted."""
    if isinstance(error, IncompleteError):
        nothing = Thread(thread.thread_id, since=thread.since, changed=thread.changed, paging=thread.paging)
        return replace(nothing, state=PARTIAL, error=str(error), checked=now)
    if isinstance(error, GoneError):
        changed = thread.changed if thread.state == GONE else now
        return replace(thread, state=GONE, changed=changed, error=str(error), checked=now)
    return replace(thread, state=thread.state or FAILED, error=str(error), checked=now)


def kept_if_gone(update: ThreadUpdate, states: Mapping[str, str | None]) -> ThreadUpdate:
    """The update of a thread that the server does not know, with its earlier state, so that it is asked for again."""
    thread = update.thread
    if thread.state != GONE:
        return update
    return replace(update, thread=replace(thread, state=states.get(thread.thread_id) or FAILED))
