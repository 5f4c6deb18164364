"""Steps of runs: requested for runs that are new or were open, and again for those whose steps could not be read."""

from collections.abc import Callable
from functools import partial

from runmart.ingest.pull.errors import GoneError, ThreadError
from runmart.ingest.pull.ground import LastPage
from runmart.ingest.pull.page_requests import PageRequests
from runmart.ingest.pull.pagination import ListReader, Manners
from runmart.ingest.pull.responses import MalformedError, Page

_FAILING_RUNS = 10
"""Runs in a row with unreadable steps, after which no more steps are requested: the server gives none at this time."""


class StepRequests:
    """Requests the steps of runs."""

    def __init__(
        self,
        pages: PageRequests,
        runs_manners: Manners,
        keep: Callable[[Page], None],
        fail: Callable[[str, Exception], None],
    ) -> None:
        """Steps of the runs of one server.

        Args:
            pages: Its pages.
            runs_manners: How it pages lists of runs.
            keep: Called with each page of steps, and with each that is malformed.
            fail: Called with what could not be read, and why.
        """
        self._pages = pages
        self._runs_manners = runs_manners
        self._keep = keep
        self._fail = fail
        self._manners = Manners()
        self._failing = 0

    async def read(self, thread_id: str, unread: dict[str, None]) -> None:
        """Request the steps of runs, and take those out whose steps were read, each as soon as it was.

        A run that the server does not know was deleted since; or the server has no steps.
        """
        for run_id in tuple(unread):
            if self._failing >= _FAILING_RUNS:
                return
            try:
                async for page in self._of(thread_id, run_id).pages():
                    self._keep(page)
            except GoneError:
                pass
            except (ThreadError, MalformedError) as error:
                self._note_failure(run_id, error)
                continue
            self._failing = 0
            del unread[run_id]

    def _of(self, thread_id: str, run_id: str) -> ListReader:
        self._manners.learn(self._runs_manners)  # steps are few: their own lists show little
        return ListReader(partial(self._pages.steps, thread_id, run_id), self._manners, LastPage())

    def _note_failure(self, run_id: str, error: ThreadError | MalformedError) -> None:
        self._fail(f"the steps of run {run_id}", error)
        if isinstance(error, MalformedError):
            self._keep(error.page)
        self._failing += 1
        if self._failing == _FAILING_RUNS:
            further = ThreadError(f"those of {_FAILING_RUNS} runs in a row could not be read; the next pull asks again")
            self._fail("the steps of further runs", further)
