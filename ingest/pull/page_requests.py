"""Requests for pages of threads, runs, records and steps, and for single ones; what is malformed is requested again."""

from collections.abc import Awaitable, Callable, Mapping

import tenacity

from runmart.ingest.decode.decoder import Decoder
from runmart.ingest.pull import names, responses
from runmart.ingest.pull.client import Client, Patience, Response
from runmart.ingest.pull.offsets import OffsetPages
from runmart.ingest.pull.pagination import GetPage, Query
from runmart.ingest.pull.providers import Server
from runmart.ingest.pull.responses import MalformedError, Page

_ATTEMPTS = 3
"""Attempts at a request whose response is truncated or of another form than expected."""

_ALL_THREADS = {"sort_by": "created_at", "sort_order": "desc", "select": ["thread_id", "created_at"]}
"""The search for all threads; what their graphs have stored is not requested."""


class PageRequests:
    """Requests pages of one server. All raise `ThreadError`, `PullError` and `MalformedError`."""

    def __init__(self, client: Client, server: Server, patience: Patience) -> None:
        self._client = client
        self._server = server
        self._patience = patience
        self._decoder = Decoder()

    def threads(self) -> GetPage:
        """Requests pages of the server's list of threads."""
        address = self._server.threads
        if not self._server.profile.has_offsets:
            return lambda query: self._get(address, query.parameters, responses.thread_page)

        def search(limit: int, offset: int) -> Awaitable[Page]:
            sent = {**_ALL_THREADS, "limit": limit, "offset": offset}
            return self._ask(lambda: self._client.post(f"{address}/search", sent), responses.found_threads)

        return OffsetPages(search).get

    def runs(self, thread_id: str) -> GetPage:
        """Requests pages of a thread's runs, or of a list by its name."""
        if not self._server.profile.has_offsets:
            filters = names.filters_of(thread_id)
            return lambda query: self._get(self._server.runs(thread_id), {**filters, **query.parameters}, self._page)

        def part(limit: int, offset: int) -> Awaitable[Page]:
            return self._get(self._server.runs(thread_id), {"limit": limit, "offset": offset}, self._page)

        return OffsetPages(part).get

    async def steps(self, thread_id: str, run_id: str, query: Query) -> Page:
        """A page of a run's steps."""
        return await self._get(self._server.steps(thread_id, run_id), query.parameters, self._page)

    async def run(self, thread_id: str, run_id: str) -> Page:
        """A single run or record, as a page of one item."""
        address = self._server.run(thread_id, run_id)
        return await self._get(address, {}, lambda response: responses.single(response, self._decoder))

    def _page(self, response: Response) -> Page:
        return responses.page(response, self._decoder)

    async def _get(self, address: str, parameters: Mapping[str, str | int], parse: Callable[[Response], Page]) -> Page:
        return await self._ask(lambda: self._client.get(address, parameters), parse)

    async def _ask(self, request: Callable[[], Awaitable[Response]], parse: Callable[[Response], Page]) -> Page:
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(MalformedError),
            stop=tenacity.stop_after_attempt(_ATTEMPTS),
            wait=tenacity.wait_random_exponential(
                self._patience.first_pause_seconds, max=self._patience.longest_pause_seconds
            ),
            before_sleep=self._count_retry,
            reraise=True,
        )

        async def once() -> Page:
            return parse(await request())

        found: Page = await retrying(once)
        return found

    def _count_retry(self, _state: tenacity.RetryCallState) -> None:
        self._client.counters.retries += 1
