"""What a pull asks of threads, lists and single records, and the updates of each."""

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from runmart.ingest.pull import names
from runmart.ingest.pull.errors import RefusedError
from runmart.ingest.pull.ground import Stored
from runmart.ingest.pull.page_requests import PageRequests
from runmart.ingest.pull.pagination import PAGE_SIZE, GetPage, Manners, Query
from runmart.ingest.pull.providers import Server
from runmart.ingest.pull.refusals import list_refused
from runmart.ingest.pull.threads import Api, record_updates, updates

if TYPE_CHECKING:
    from runmart.ingest.pull.request import Request
    from runmart.ingest.pull.responses import Page
    from runmart.ingest.pull.thread_state import Thread, ThreadUpdate


class Apis:
    """The requests for each thread, list and single record of one server."""

    def __init__(
        self, server: Server, pages: PageRequests, manners: Manners, pruned: Callable[[], float | None]
    ) -> None:
        """Requests to a server.

        Args:
            server: The server.
            pages: Its pages.
            manners: How it pages lists.
            pruned: Returns since when runs are kept, in seconds since 1970.
        """
        self._server = server
        self._pages = pages
        self._manners = manners
        self._pruned = pruned

    def of(self, name: str, stored: Stored) -> Api:
        """The requests for a thread, a list or a single record.

        Args:
            name: The id of the thread, or the name of what is none.
            stored: Tells which of some runs are stored.
        """
        return Api(
            runs=self._list(name) if names.is_list(name) else self._pages.runs(name),
            run=lambda run_id: self._pages.run(name, run_id),
            manners=self._manners.of(names.path_of(name) if names.is_record(name) else None),
            stored=stored,
            pruned=self._pruned(),
        )

    def _list(self, name: str) -> GetPage:
        """Requests pages of a list; the server cannot be read where it refuses the first."""
        pages, has_page = self._pages.runs(name), False

        async def get(query: Query) -> "Page":
            nonlocal has_page
            try:
                page = await pages(query)
            except RefusedError as error:
                if has_page or query.cursor is not None or query.limit != PAGE_SIZE:
                    raise
                raise list_refused(error, self._server, names.WORDS[names.path_of(name)]) from None
            has_page = True
            return page

        return get


def updates_of(
    thread: "Thread", api: Api, now: float, since: float | None, *, full: bool
) -> AsyncIterator["ThreadUpdate"]:
    """The updates of a thread, a list or a single record: see `threads`."""
    if names.is_single(thread.thread_id):
        return record_updates(thread, api, names.id_of(thread.thread_id), now)
    return updates(thread, api, now, since, full=full)


def unit(request: "Request") -> str:
    """What a pull reads, in words: threads, lists, responses."""
    ids, sql, known = request.selection
    found = {
        "threads": bool(ids or sql or known or request.list_threads),
        "lists": any(map(names.is_list, request.records)),
        "responses": request.responses_sql is not None or any(map(names.is_single, request.records)),
    }
    return " and ".join(word for word, is_read in found.items() if is_read) or "threads"
