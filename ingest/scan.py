"""Where JSON values begin and end in a buffer, without holding more than the buffer and without giving up on damage.

The fast way is msgspec's own skipping: decoding one value as `Raw` from a buffer that goes on stops behind the value and
says at which byte. The tolerant way, for text that is not JSON, finds the next place at which a value may begin.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from msgspec import DecodeError, Raw

_VALUE = msgspec.json.Decoder(Raw)
_KEY = msgspec.json.Decoder(str)
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
TRUNCATED = "the text ends in the middle of a value: a truncated download?"
_SPACE = re.compile(rb"[ \t\r\n]*")
_TOKEN = re.compile(rb'"(?:[^"\\\n]|\\.)*+"|[\[\]{}"\n]')
_CLOSING = {b"{": b"}", b"[": b"]"}

NEXT_DOCUMENT = re.compile(rb"\n(?=[{\[])")
"""Where the next document may begin after a damaged one: a line that starts with a bracket."""

NEXT_RUN = re.compile(rb",(?=\s*\{\s*\"(?:id\"\s*:\s*\"(?!call_)|object\"\s*:\s*\"thread\.run\"))")
"""Where the next run may begin after a damaged one in a list: an object that opens as runs do."""


class IncompleteError(Exception):
    """The buffer ends before the value does, and more of the input is to come."""


class Piece(NamedTuple):
    """A part of a buffer: one JSON value, or damaged text up to the next place where a value may begin."""

    start: int
    end: int
    problem: str | None = None


def skip_space(buffer: bytes, start: int) -> int:
    """The index of the first byte from `start` on that is not whitespace."""
    match = _SPACE.match(buffer, start)
    return match.end() if match else start


def value(buffer: bytes, start: int, boundary: re.Pattern[bytes], *, final: bool) -> Piece:
    """The value that begins at `start`.

    Args:
        buffer: The bytes at hand.
        start: Index of the value's first byte.
        boundary: Where to go on when the value is damaged.
        final: Whether the input ends with the buffer.

    Raises:
        IncompleteError: The value may go on behind the buffer; never when `final`.
    """
    try:
        end = _value_end(buffer, start)
    except RecursionError:
        problem = "nested too deep, more than about a thousand levels"
    except (DecodeError, UnicodeDecodeError) as error:
        problem = explain(str(error))
        if problem == TRUNCATED and not final:
            raise IncompleteError from None
    else:
        if end == len(buffer) and not final and buffer[start] not in b'{["':
            raise IncompleteError  # a number may go on
        return Piece(start, end)
    end = _damaged_end(buffer, start, boundary)
    if end == len(buffer) and not final:
        raise IncompleteError
    return Piece(start, end, problem)


def _value_end(buffer: bytes, start: int) -> int:
    try:
        _VALUE.decode(memoryview(buffer)[start:])
    except DecodeError as error:
        trailing = _TRAILING.search(str(error))
        if trailing is None:
            raise
        return start + int(trailing[1]) - 1
    return len(buffer)


def explain(problem: str) -> str:
    """A decoder's word for damage, in words that say what to look for."""
    if "truncated" in problem:
        return TRUNCATED
    if trailing := _TRAILING.search(problem):
        return f"more text behind the JSON value, from its byte {int(trailing[1])} on: a stray bracket?"
    if "codec can't decode" in problem:
        return f"not UTF-8: {problem}"
    return "not JSON: " + problem.removeprefix("JSON is malformed: ")


def _damaged_end(buffer: bytes, start: int, boundary: re.Pattern[bytes]) -> int:
    following = boundary.search(buffer, start + 1)
    if boundary is NEXT_RUN:
        end = _balanced_end(buffer, start)
        if end is not None and buffer[skip_space(buffer, end) :][:1] in {b",", b"]"}:
            return end
    return following.start() if following else len(buffer)


def _balanced_end(buffer: bytes, start: int) -> int | None:
    """Index behind the bracket that closes the one at `start`; None when brackets or quotes do not match."""
    open_brackets: list[bytes] = []
    for token in _TOKEN.finditer(buffer, start):
        text = token[0]
        if text in _CLOSING:
            open_brackets.append(_CLOSING[text])
        elif text in {b"}", b"]"}:
            if not open_brackets or open_brackets.pop() != text:
                return None
            if not open_brackets:
                return token.end()
        elif text == b'"':
            return None  # a quote that no other closes on its line
    return None


def documents(buffer: bytes, *, final: bool = True, start: int = 0) -> Iterator[Piece]:
    """The JSON documents in `buffer`, one after another.

    Raises:
        IncompleteError: The buffer ends in the middle of one; never when `final`.
    """
    start = skip_space(buffer, start)
    while start < len(buffer):
        piece = value(buffer, start, NEXT_DOCUMENT, final=final)
        yield piece
        start = skip_space(buffer, piece.end)


def next_element(buffer: bytes, start: int, *, final: bool) -> Piece | None:
    """The next element of an array, `start` being behind its `[` or behind an element; None behind the last.

    Raises:
        IncompleteError: The buffer ends in the middle of it; never when `final`.
    """
    start = skip_space(buffer, start)
    if buffer[start : start + 1] == b",":
        start = skip_space(buffer, start + 1)
    if start >= len(buffer) and not final:
        raise IncompleteError
    if start >= len(buffer) or buffer[start : start + 1] == b"]":
        return None
    return value(buffer, start, NEXT_RUN, final=final)


def elements(buffer: bytes, start: int) -> Iterator[Piece]:
    """The elements of the array whose `[` is at `start`."""
    start += 1
    while (piece := next_element(buffer, start, final=True)) is not None:
        yield piece
        start = piece.end


def members(buffer: bytes, start: int, *, final: bool = True) -> Iterator[tuple[str, int, Piece | None]]:
    """The members of the object whose `{` is at `start`: name, index of the value, and the value.

    The value is None, and the last, where it is damaged or where the input is not at its end and the value does not end
    within the buffer.

    Raises:
        DecodeError: What stands there is no object.
        IncompleteError: The buffer ends between two values; never when `final`.
    """
    start = skip_space(buffer, start + 1)
    while buffer[start : start + 1] != b"}":
        key = value(buffer, start, NEXT_RUN, final=final)
        at = skip_space(buffer, key.end)
        if key.problem or buffer[at : at + 1] != b":":
            if at >= len(buffer) and not final:
                raise IncompleteError
            raise DecodeError(key.problem or "expected a name and a colon")
        name = _KEY.decode(buffer[start : key.end])
        at = skip_space(buffer, at + 1)
        try:
            found = value(buffer, at, NEXT_RUN, final=final)
        except IncompleteError:
            yield name, at, None
            return
        if found.problem:
            yield name, at, None
            return
        yield name, at, found
        start = skip_space(buffer, found.end)
        if buffer[start : start + 1] == b",":
            start = skip_space(buffer, start + 1)
        elif start >= len(buffer):
            if not final:
                raise IncompleteError
            raise DecodeError("the object does not end")
