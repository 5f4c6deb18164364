"""JSON scanner: where values, members and elements begin and end in a buffer.

The end of a valid value is found by msgspec: decoding it as `Raw` from a longer buffer fails and reports the byte
behind it. Where the text is not JSON, see `damage`.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from msgspec import DecodeError, Raw

_VALUE = msgspec.json.Decoder(Raw)
_KEY = msgspec.json.Decoder(str)
_ELEMENTS = msgspec.json.Decoder(list[Raw])
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_AT = re.compile(r"\(byte (\d+)\)")
_TRUNCATED = "truncated"
_OBJECTS = re.compile(rb"\[\s*\{")
SPACE = b" \t\r\n"
"""Whitespace in JSON."""

_SPACE = re.compile(rb"[ \t\r\n]*")
_SEPARATOR = re.compile(rb"(?:[ \t\r\n,\x1e]|\xef\xbb\xbf)*")

SEPARATORS = re.compile(rb"(?:[ \t\r\n,\x1e\[\]{}]|\xef\xbb\xbf)*")
"""What may stand between values and means nothing: whitespace, commas, brackets, record separators (RFC 7464), and byte
order marks, which are left where files with one are joined."""


class IncompleteError(Exception):
    """The buffer ends before the value does, and more of the input follows."""


class Member(NamedTuple):
    """A member of an object: its name, and where the name begins, and its value begins and ends."""

    name: str
    name_start: int
    start: int
    end: int


def skip_space(buffer: bytes, start: int) -> int:
    """The index of the first byte from `start` on that is not whitespace."""
    match = _SPACE.match(buffer, start)
    return match.end() if match else start


def skip_separator(buffer: bytes, start: int) -> int:
    """The index of the first byte from `start` on that is no whitespace, comma, record separator or byte order mark."""
    match = _SEPARATOR.match(buffer, start)
    return match.end() if match else start


def skip_brackets(buffer: bytes, start: int) -> int:
    """As `skip_separator`, and skips closing brackets, which close nothing outside of a list."""
    while True:
        at = skip_separator(buffer, start)
        if buffer[at : at + 1] not in {b"]", b"}"}:
            return at
        start = at + 1


def value_end(buffer: bytes, start: int) -> int:
    """The index behind the value that begins at `start`.

    Raises:
        DecodeError: It is not JSON, or does not end within the buffer.
        RecursionError: It is nested too deep for the interpreter.
    """
    try:
        _VALUE.decode(memoryview(buffer)[start:])
    except DecodeError as error:
        trailing = _TRAILING.search(str(error))
        if trailing is None:
            at = _AT.search(str(error))
            if at is not None and int(at[1]) == len(buffer) - start:  # such as behind `1.`, which may go on
                raise DecodeError(_TRUNCATED) from None
            raise
        end = start + int(trailing[1]) - 1
    else:
        end = len(buffer)
    while buffer[end - 1] in SPACE:  # the decoder skips whitespace behind the value
        end -= 1
    return end


def is_truncated(error: Exception) -> bool:
    """Whether a decoder met the end of the text within a value."""
    return _TRUNCATED in str(error)


def is_whole(data: bytes) -> bool:
    """Whether data do not begin as an object or a list, or are one."""
    try:
        return data[:1] not in {b"{", b"["} or value_end(data, 0) == len(data)
    except (DecodeError, RecursionError):
        return False


def members(buffer: bytes, start: int, *, final: bool = True) -> Iterator[Member]:
    """The members of the object whose `{` is at `start`, in order.

    Raises:
        DecodeError: There is no JSON object.
        IncompleteError: The buffer ends before the object; never when `final`.
        RecursionError: A value is nested too deep for the interpreter.
    """
    at = skip_space(buffer, start + 1)
    while buffer[at : at + 1] != b"}":
        key_end = _end(buffer, at, final=final)
        colon = skip_space(buffer, key_end)
        if colon >= len(buffer) and not final:
            raise IncompleteError
        if buffer[at : at + 1] != b'"' or buffer[colon : colon + 1] != b":":
            raise DecodeError("expected a name and a colon")
        begin = skip_space(buffer, colon + 1)
        end = _end(buffer, begin, final=final)
        yield Member(_name(buffer[at:key_end]), at, begin, end)
        at = skip_separator(buffer, end)
        if at >= len(buffer):
            raise DecodeError(_TRUNCATED) if final else IncompleteError


def _name(text: bytes) -> str:
    try:
        return _KEY.decode(text)
    except UnicodeDecodeError as error:
        raise DecodeError(str(error)) from None


def _end(buffer: bytes, start: int, *, final: bool) -> int:
    try:
        end = value_end(buffer, start)
    except DecodeError as error:
        if is_truncated(error) and not final:
            raise IncompleteError from None
        raise
    if end == len(buffer) and not final:
        raise IncompleteError
    return end


def elements(buffer: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where the elements of the valid array at `start` begin and end, in order; `end` is behind the array."""
    at = start + 1
    for raw in _ELEMENTS.decode(memoryview(buffer)[start:end]):
        at = skip_separator(buffer, at)
        stop = at + len(memoryview(raw))
        yield at, stop
        at = stop


def members_end(buffer: bytes, at: int, *, final: bool = True) -> int:
    """The index behind the `}` that ends the members from an index on; their names are not looked at.

    Raises:
        DecodeError: There are no members of a JSON object.
        IncompleteError: The buffer ends before the object; never when `final`.
        RecursionError: A value is nested too deep for the interpreter.
    """
    at = skip_separator(buffer, at)
    while buffer[at : at + 1] != b"}":
        colon = skip_space(buffer, _end(buffer, at, final=final))
        if buffer[at : at + 1] != b'"' or buffer[colon : colon + 1] != b":":
            if colon >= len(buffer):
                raise DecodeError(_TRUNCATED) if final else IncompleteError
            raise DecodeError("expected a name and a colon")
        at = skip_separator(buffer, _end(buffer, skip_space(buffer, colon + 1), final=final))
        if at >= len(buffer):
            raise DecodeError(_TRUNCATED) if final else IncompleteError
    return at + 1


class ListOfPage(NamedTuple):
    """The list of a page: the name of its member, and the index behind its `[`."""

    name: str
    start: int


def list_of_page(buffer: bytes, start: int, *, final: bool = True, any_name: bool = False) -> ListOfPage | None:
    """The list of the page that begins at `start`; None where no page shows.

    A page is an object with a list `data` that has neither `id` nor `status` before it: what follows the list need not
    be known, so that a page of any size can be read.

    Args:
        buffer: The bytes at hand.
        start: Index of the object's `{`.
        final: Whether the input ends with the buffer.
        any_name: Whether a list of objects under another name is taken, too.
    """
    at = skip_space(buffer, start + 1)
    try:
        while buffer[at : at + 1] == b'"':
            key_end = _end(buffer, at, final=final)
            name = _name(buffer[at:key_end])
            colon = skip_space(buffer, key_end)
            begin = skip_space(buffer, colon + 1)
            if buffer[colon : colon + 1] != b":" or name in {"id", "status"}:
                return None
            if name == "data" or (any_name and _OBJECTS.match(buffer, begin)):
                return ListOfPage(name, begin + 1) if buffer[begin : begin + 1] == b"[" else None
            at = skip_separator(buffer, _end(buffer, begin, final=final))
    except (IncompleteError, DecodeError, RecursionError):
        pass
    return None
