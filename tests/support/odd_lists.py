"""A list on a server with manners of its own, for tests of pagination: pages, cursors, orders and claims."""

import random
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

import msgspec

from runmart.ingest.decode.decoder import Decoder
from runmart.ingest.pull.client import Response
from runmart.ingest.pull.errors import RefusedError
from runmart.ingest.pull.pagination import Query
from runmart.ingest.pull.responses import Page, page

Run = dict[str, Any]
Cursor = Literal["behind", "from", "older", "as old", "later", "ignored", "refused"]
"""What a cursor means: the items behind it, or from it on; those that are older, or as old and older; those created
later, in either order; nothing at all; an error."""

CURSORS: tuple[Cursor, ...] = get_args(Cursor)

Unknown = Literal["refused", "nothing", "front"]
"""What comes for a cursor that is not there any more: an error, an empty page, the first page."""

UNKNOWN: tuple[Unknown, ...] = get_args(Unknown)


@dataclass
class OddList:
    """A list of runs, in the order of their arrival."""

    runs: list[Run] = field(default_factory=list[Run])
    most: int = 100
    """Items per page, whatever is asked for."""
    after: Cursor = "behind"
    before: Cursor = "ignored"
    has_more: Literal["honest", "never", "always", "missing", "random"] = "honest"
    order: Literal["honoured", "newest", "oldest"] = "honoured"
    by_time: bool = False
    """Whether the list is ordered by creation times, and not by arrival."""
    refuses_large: bool = False
    unknown: Unknown = "refused"
    hidden: frozenset[str] = frozenset()
    """Items that count for pages, whose first and last they may be, and are not sent."""
    repeats: float = 0.0
    """How often the first page comes instead of another."""
    seed: int = 0
    requests: int = 0

    @cached_property
    def _random(self) -> random.Random:
        return random.Random(self.seed)

    @cached_property
    def _decoder(self) -> Decoder:
        return Decoder()

    async def get(self, query: Query) -> Page:
        """The page that the server sends."""
        self.requests += 1
        sent = query.parameters
        limit = int(sent["limit"])
        if self.refuses_large and limit > 100:
            raise RefusedError("status 422: limit must be at most 100")
        newest_first = (sent["order"] == "desc") if self.order == "honoured" else self.order == "newest"
        ordered = sorted(self.runs, key=lambda run: run["created_at"]) if self.by_time else list(self.runs)
        ordered = ordered[::-1] if newest_first else ordered
        cursors: tuple[tuple[str, Cursor], ...] = (("after", self.after), ("before", self.before))
        for name, meaning in cursors:
            if name in sent and self._random.random() >= self.repeats:
                ordered = self._behind(ordered, str(sent[name]), meaning, newest_first=newest_first)
        size = min(limit, self.most)
        found = ordered[:size]
        shown = [one for one in found if one["id"] not in self.hidden]
        body: Any = {"object": "list", "data": shown, "has_more": self._claim(len(ordered) > size)}
        if self.hidden and found:
            body["last_id"] = found[-1]["id"]
        if self.has_more == "missing":
            body = shown
        return page(Response("http://server/runs", msgspec.json.encode(body), 2_000_000_000_000_000), self._decoder)

    def _behind(self, ordered: list[Run], cursor: str, meaning: Cursor, *, newest_first: bool) -> list[Run]:
        if meaning == "ignored":
            return ordered
        places = [place for place, run in enumerate(ordered) if run["id"] == cursor]
        if meaning == "refused" or (not places and self.unknown == "refused"):
            raise RefusedError("status 400: no such run to go on from")
        if not places:
            return ordered if self.unknown == "front" else []
        return _past(ordered, places[0], meaning, newest_first=newest_first)

    def _claim(self, truth: bool) -> bool:
        if self.has_more == "random":
            return self._random.random() < 0.5
        return truth if self.has_more == "honest" else self.has_more == "always"


def _past(ordered: list[Run], place: int, meaning: Cursor, *, newest_first: bool) -> list[Run]:
    if meaning in {"behind", "from"}:
        return ordered[place + (meaning == "behind") :]
    created = ordered[place]["created_at"]
    if meaning == "later":
        return [run for run in ordered if run["created_at"] > created]
    sign = 1 if newest_first else -1
    return [
        run
        for run in ordered
        if sign * run["created_at"] < sign * created or (meaning == "as old" and run["created_at"] == created)
    ]


def run(number: int, created: float, **fields: Any) -> Run:
    """A run."""
    return {
        "id": f"run_{number:05}",
        "object": "thread.run",
        "status": "completed",
        "thread_id": "thread_x",
        "created_at": created,
        **fields,
    }
