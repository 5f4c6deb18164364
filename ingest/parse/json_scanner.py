"""JSON scanner: where values begin and end in a buffer, resuming behind damage.

The end of a valid value is found by msgspec: decoding it as `Raw` from a longer buffer fails and reports the byte
behind it. Where the text is not JSON, the next position is searched at which a value may begin.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from msgspec import DecodeError, Raw

_VALUE = msgspec.json.Decoder(Raw)
_KEY = msgspec.json.Decoder(str)
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_SPACE = re.compile(rb"[ \t\r\n]*")
_SEPARATOR = re.compile(rb"[ \t\r\n,]*")
_TOKEN = re.compile(rb'"(?:[^"\\\n]|\\.)*+"|[\[\]{}"]')
_CLOSING = {b"{": b"}", b"[": b"]"}
_HALF_PAIR = re.compile(rb'\\u[dD][89abAB][0-9a-fA-F]{2}[^"]{0,5}"')

TRUNCATED = "the text ends in the middle of a value: a truncated download?"
TOO_DEEP = "nested too deep, more than several hundred levels"
_HALF = "not JSON: half of a surrogate pair (such as \\ud83d without its other half)"

_NEW_LINE = re.compile(rb"\s*\n(?=[{\[])")
_NEXT_DOCUMENT = rb"(?<=[^\s,:\[])\s*\n(?=[{\[])"
_OPENING = re.compile(rb'\{\s*"(?:object"\s*:\s*"[^"\n]*"|[^"\n]*"\s*:)')
_NEXT_RUN = re.compile(rb",(?=\s*\{\s*\"(?:id\"\s*:\s*\"(?!call_)|object\"\s*:\s*\"thread\.run\"))")
"""Where the next run may begin after a damaged one in a list: an object that begins as runs do."""

_REACH = 1 << 20
"""How far the closing bracket of a damaged value is searched for, in bytes."""


class IncompleteError(Exception):
    """The buffer ends before the value does, and more of the input follows."""


class Piece(NamedTuple):
    """A part of a buffer: one JSON value, or damaged text up to the next place where a value may begin."""

    start: int
    end: int
    problem: str | None = None


def skip_space(buffer: bytes, start: int) -> int:
    """The index of the first byte from `start` on that is not whitespace."""
    match = _SPACE.match(buffer, start)
    return match.end() if match else start


def skip_separator(buffer: bytes, start: int) -> int:
    """The index of the first byte from `start` on that is neither whitespace nor a comma."""
    match = _SEPARATOR.match(buffer, start)
    return match.end() if match else start


def value(buffer: bytes, start: int, *, in_list: bool = False, final: bool = True) -> Piece:
    """The value that begins at `start`.

    Args:
        buffer: The bytes at hand.
        start: Index of the value's first byte.
        in_list: Whether it is an element of a list; else it is a document.
        final: Whether the input ends with the buffer.

    Raises:
        IncompleteError: The value may go on behind the buffer; never when `final`.
    """
    try:
        end = _value_end(buffer, start)
    except (DecodeError, RecursionError) as error:
        if "truncated" in str(error) and not final:
            raise IncompleteError from None
        end = _damaged_end(buffer, start, in_list=in_list, final=final)
        return Piece(start, end, _problem(buffer[start:end]))
    if end == len(buffer) and not final and buffer[start] not in b'{["':
        raise IncompleteError  # a number may go on
    return Piece(start, end)


def _value_end(buffer: bytes, start: int) -> int:
    try:
        _VALUE.decode(memoryview(buffer)[start:])
    except DecodeError as error:
        trailing = _TRAILING.search(str(error))
        if trailing is None:
            raise
        return start + int(trailing[1]) - 1
    return len(buffer)


def _problem(text: bytes) -> str:
    try:
        _VALUE.decode(text)
    except RecursionError:
        return TOO_DEEP
    except DecodeError as error:
        return explain(str(error), text)
    return TRUNCATED


def explain(problem: str, text: bytes) -> str:
    """The reason of a reject, from a decoder's message about `text`: what is wrong, and a likely cause."""
    if text[:1] not in {b"{", b"["} or problem.startswith("Expected `object`"):
        return f"expected a run or a page, that is a JSON object, got `{text[:40].decode(errors='replace')}`"
    if "truncated" in problem:
        return _HALF if _HALF_PAIR.search(text[-16:]) else TRUNCATED
    if trailing := _TRAILING.search(problem):
        return f"more text behind the JSON value, from its byte {int(trailing[1])} on: a stray bracket?"
    if "surrogate" in problem:
        return _HALF
    return "not JSON: " + problem.removeprefix("JSON is malformed: ")


def _damaged_end(buffer: bytes, start: int, *, in_list: bool, final: bool) -> int:
    document = _next_document(buffer, start, in_list=in_list).search(buffer, start + 1)
    stop = document.start() if document else len(buffer)
    may_go_on = document is None and not final
    if in_list:
        end = _balanced_end(buffer, start, min(stop, start + _REACH))
        if end is None and may_go_on and len(buffer) < start + _REACH:
            raise IncompleteError
        if end is not None:
            at = skip_space(buffer, end)
            if at == len(buffer) and not final:
                raise IncompleteError
            if buffer[at : at + 1] not in {b",", b"]"}:
                end = None
        following = _NEXT_RUN.search(buffer, start + 1, end or stop)
        if following and not (end and b'"data"' in buffer[start : following.start()]):
            return following.start()
        if end is not None:
            return end
    if may_go_on:
        raise IncompleteError
    return stop


def _next_document(buffer: bytes, start: int, *, in_list: bool) -> re.Pattern[bytes]:
    """Where the next document begins after damage: a line that starts with a bracket and does not continue a list.

    Or, after a damaged document, a line that starts as that did: JSON Lines that were cut behind a comma.
    """
    opening = None if in_list else _OPENING.match(buffer, start)
    if opening is None:
        return re.compile(_NEXT_DOCUMENT)
    return re.compile(_NEXT_DOCUMENT + rb"|\s*\n(?=" + re.escape(opening[0]) + rb")")


def _balanced_end(buffer: bytes, start: int, stop: int) -> int | None:
    """Index behind the bracket that closes the one at `start`; None when brackets or quotes do not match."""
    open_brackets: list[bytes] = []
    for token in _TOKEN.finditer(buffer, start, stop):
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


def documents(buffer: bytes, *, final: bool = True) -> Iterator[Piece]:
    """The JSON documents in `buffer`, one after another.

    Raises:
        IncompleteError: The buffer ends in the middle of one; never when `final`.
    """
    start = skip_space(buffer, 0)
    while start < len(buffer):
        piece = value(buffer, start, final=final)
        yield piece
        start = skip_space(buffer, piece.end)


def next_element(buffer: bytes, start: int, *, is_first: bool, final: bool = True) -> Piece | None:
    """The next element of a list; None behind the last.

    Args:
        buffer: The bytes at hand.
        start: Index behind the list's `[`, or behind an element.
        is_first: Whether it is the former.
        final: Whether the input ends with the buffer.

    Raises:
        IncompleteError: The buffer ends in the middle of it; never when `final`.
    """
    at = skip_separator(buffer, start)
    if at >= len(buffer) and not final:
        raise IncompleteError
    if buffer[at : at + 1] in {b"", b"]"} or (not is_first and _NEW_LINE.match(buffer, start)):
        return None  # the list ends, or the next document begins
    return value(buffer, at, in_list=True, final=final)


def members(buffer: bytes, start: int, *, final: bool = True) -> Iterator[tuple[str, int]]:
    """The members of the object whose `{` is at `start`: name, and index of the value.

    Raises:
        DecodeError: There is no JSON object.
        IncompleteError: The buffer ends before the object; never when `final`.
    """
    start = skip_space(buffer, start + 1)
    while buffer[start : start + 1] != b"}":
        key = value(buffer, start, in_list=True, final=final)
        at = skip_space(buffer, key.end)
        if at >= len(buffer) and not final:
            raise IncompleteError
        if key.problem or buffer[at : at + 1] != b":":
            raise DecodeError(key.problem or "expected a name and a colon")
        try:
            name = _KEY.decode(buffer[start : key.end])
        except UnicodeDecodeError as error:
            raise DecodeError(str(error)) from None
        at = skip_space(buffer, at + 1)
        yield name, at
        found = value(buffer, at, in_list=True, final=final)
        if found.problem:
            raise DecodeError(found.problem)
        start = skip_separator(buffer, found.end)
        if start >= len(buffer):
            raise DecodeError(TRUNCATED) if final else IncompleteError


def list_of_page(buffer: bytes, start: int, *, final: bool = True) -> int | None:
    """Index behind the `[` of the page's records; None when the buffer does not show that the object is a page."""
    try:
        for name, at in members(buffer, start, final=final):
            if name == "status":
                return None
            if name == "data":
                return at + 1 if buffer[at : at + 1] == b"[" else None
    except (IncompleteError, DecodeError, RecursionError):
        pass
    return None
