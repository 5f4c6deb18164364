"""JSON as text: kept as sent, without insignificant whitespace."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from runmart.models import arrow
from runmart.models.arrow import Array, compute
from runmart.models.columns import BINARY, VARCHAR


def is_compact(text: bytes) -> bool:
    """Whether a text surely holds no insignificant whitespace. False is no proof of any: strings may look like it."""
    return b"\n" not in text and b'": ' not in text and b", " not in text


def compact(text: bytes) -> bytes:
    """JSON without insignificant whitespace; numbers and escapes stay as sent."""
    if not is_compact(text):
        with suppress(RecursionError):  # nested too deep: left as it is
            return msgspec.json.format(text, indent=-1)
    return text


def kept(text: bytes, nulls: frozenset[bytes]) -> bytes | None:
    """As `compact`; None for an empty text and for each spelling in `nulls`."""
    text = compact(text)
    return None if not text or text in nulls else text


def compacted(column: Array) -> Array:
    """A column of JSON texts (shape: n), each compact."""
    data = column.buffers()[2]
    if data is None or is_compact(data.to_pybytes()):
        return column
    return arrow.array([None if text is None else compact(text) for text in column.to_pylist()], BINARY)


def array_of(texts: Array) -> bytes:
    """One JSON array of all `texts`, each of which is a JSON value."""
    [joined] = compute.binary_join(arrow.lists([0, len(texts)], texts), b",").to_pylist()
    return b"[" + joined + b"]"


class Member(NamedTuple):
    """A member of n JSON objects."""

    name: str
    indices: Array
    """Which of `values` each object has (shape: n)."""
    values: Sequence[bytes | None]
    """JSON as sent; None where there is no such member."""


def objects(members: Iterable[Member], count: int) -> Array:
    """JSON objects (shape: n) of members, names in order; null where an object has none."""
    members = sorted(members, key=attrgetter("name"))
    if not members:
        return arrow.nulls(count, VARCHAR)
    is_opened = None not in members[0].values
    parts = [
        _part(b"{" if is_opened and member is members[0] else b",", member).take(member.indices) for member in members
    ]
    joined = compute.binary_join_element_wise(*parts, _EMPTY, null_handling="replace")
    if is_opened:
        return _closed(joined).view(VARCHAR)
    whole = compute.replace_substring(_closed(_joined(_OPENING, joined)), b"{,", b"{", max_replacements=1)
    return compute.if_else(compute.equal(joined, _EMPTY), arrow.scalar(None, BINARY), whole).view(VARCHAR)


_OPENING, _CLOSING, _EMPTY = arrow.scalar(b"{", BINARY), arrow.scalar(b"}", BINARY), arrow.scalar(b"", BINARY)


def _part(opening: bytes, member: Member) -> Array:
    start = opening + msgspec.json.encode(member.name) + b":"
    return arrow.array([None if value is None else start + value for value in member.values], BINARY)


def _closed(texts: Array) -> Array:
    return _joined(texts, _CLOSING)


def _joined(*parts: Any) -> Array:
    return compute.binary_join_element_wise(*parts, _EMPTY)
