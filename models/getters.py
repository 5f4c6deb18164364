"""How a column's values are taken from a batch of observations.

One pass per column over the whole batch, in C wherever there is a C way: `map` with `attrgetter`, not a loop per run.
"""

from collections.abc import Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from runmart.models.columns import Getter
from runmart.models.observations import Observation
from runmart.models.quirks import NOTHING, NULL_WORDS, microseconds


def field(path: str) -> Getter[Any]:
    """The values at `path` (attribute names joined by dots); null where a server sent nothing."""
    get = attrgetter(path)

    def values(rows: Sequence[Any]) -> list[Any]:
        found = list(map(get, rows))
        return [None if value is UNSET else value for value in found] if UNSET in found else found

    return values


def instant(path: str) -> Getter[Any]:
    """The instants at `path` in microseconds since 1970, by the rules of `quirks.microseconds`."""
    sent = field(path)

    def values(rows: Sequence[Any]) -> list[int | None]:
        return [None if value is None else microseconds(value) for value in sent(rows)]

    return values


def compact(raw: bytes) -> bytes:
    """JSON without insignificant whitespace, otherwise as it was: numbers and escapes stay as sent."""
    if b"\n" in raw or b'": ' in raw or b", " in raw:
        with suppress(RecursionError):  # nested deep: left as it is
            return msgspec.json.format(raw, indent=-1)
    return raw


def json(path: str, nulls: frozenset[bytes] = NULL_WORDS) -> Getter[Any]:
    """The JSON at `path`, compact; SQL null for a field not sent and for each spelling in `nulls`."""
    get = attrgetter(path)

    def value(raw: Raw) -> bytes | None:
        text = bytes(raw)
        if not text or text in nulls:
            return None
        kept = compact(text)
        return None if kept is not text and kept in nulls else kept

    def values(rows: Sequence[Any]) -> list[bytes | None]:
        return [value(get(row)) for row in rows]

    return values


def object_json(path: str) -> Getter[Any]:
    """As `json`, for a field in which an empty object means null."""
    return json(path, NOTHING)


def metadata(rows: Sequence[Observation]) -> list[bytes | None]:
    """The metadata; PHP's empty list is an empty object."""
    return [b"{}" if text == b"[]" else text for text in json("run.metadata")(rows)]


def assistant_id(rows: Sequence[Observation]) -> list[str | None]:
    """`assistant_id`, or Azure's `agent_id` where that is missing or null."""
    assistants = field("run.assistant_id")(rows)
    if None not in assistants:
        return list(assistants)
    agents = field("run.agent_id")(rows)
    return [agent if assistant is None else assistant for assistant, agent in zip(assistants, agents, strict=True)]


def truncation(name: str) -> Getter[Any]:
    """A field of the truncation strategy; null where there is none."""

    def values(rows: Sequence[Observation]) -> list[Any]:
        found = [getattr(row.truncation, name, None) for row in rows]
        return [None if value is UNSET else value for value in found]

    return values
