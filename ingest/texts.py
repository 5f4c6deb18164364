"""JSON as text: what is kept as sent but for whitespace."""

from collections.abc import Sequence
from contextlib import suppress
from operator import itemgetter
from typing import Any

import msgspec

from runmart.models import arrow
from runmart.models.arrow import Array, compute
from runmart.models.columns import BINARY, VARCHAR


def is_compact(text: bytes) -> bool:
    """Whether a text holds no insignificant whitespace; it may have none and look as if it had."""
    return b"\n" not in text and b'": ' not in text and b", " not in text


def compact(text: bytes) -> bytes:
    """JSON without insignificant whitespace, otherwise as it was: numbers and escapes stay as sent."""
    if not is_compact(text):
        with suppress(RecursionError):  # nested deep: left as it is
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


def objects(members: Sequence[tuple[str, Array]], count: int) -> Array:
    """JSON objects (shape: n) of columns of values as sent (shape of each: n), names in order.

    A null value is no member; an object without members is null.
    """
    if not members:
        return arrow.nulls(count, VARCHAR)
    if len(members) == 1:
        [(name, values)] = members
        return _join(b"{" + _key(name), values, b"}").view(VARCHAR)
    parts = [_join(b"," + _key(name), values) for name, values in sorted(members, key=itemgetter(0))]
    joined = compute.binary_join_element_wise(*parts, _EMPTY, null_handling="replace")
    whole = compute.replace_substring(_join(b"{", joined, b"}"), b"{,", b"{", max_replacements=1)
    return compute.if_else(compute.equal(joined, _EMPTY), arrow.scalar(None, BINARY), whole).view(VARCHAR)


_EMPTY = arrow.scalar(b"", BINARY)


def _join(*parts: Any) -> Array:
    """Texts put together (shape: n); null where one is."""
    return compute.binary_join_element_wise(
        *(arrow.scalar(p, BINARY) if isinstance(p, bytes) else p for p in parts), _EMPTY
    )


def _key(name: str) -> bytes:
    return msgspec.json.encode(name) + b":"
