"""Log lines: a line of text with JSON values in it, such as `2024-09-25 INFO run={…}`."""

import re
from collections.abc import Iterator

from msgspec import DecodeError

from runmart.ingest.parse.json_scanner import SEPARATORS, SPACE, IncompleteError, is_truncated, value_end

_START = re.compile(rb'\{(?=\s*")|\[(?=\s*\{)')
_PIECE = re.compile(rb"""[{}]|"\s*:|"\s*,\s*"|thread\.run['"\\]""")
"""What tells that a text is a piece of JSON, or a run in another notation, not words around it."""

_MEMBER = re.compile(rb'"\s*:\s*.\Z')
"""A bracket at the end of a line that is the value of a member; any other begins a value over several lines."""

_MAX_LINE_BYTES = 1 << 20
"""A longer line is no log line: it is read as far as the first object in it."""

_MAX_ATTEMPTS = 16
"""Brackets of a line that may begin a value and begin none, beyond which no others are tried."""


def is_log_line(_buffer: bytes, _at: int) -> bool:
    """Always: it is what no other format is."""
    return True


def line_end(buffer: bytes, at: int, final: bool) -> int:  # noqa: FBT001 - see `Format.end`
    """The index behind the line that begins at an index, or behind its words when a value begins at its end.

    Raises:
        IncompleteError: It may go on behind the buffer; never when `final`.
    """
    end = buffer.find(b"\n", at, at + _MAX_LINE_BYTES)
    if end < 0 and len(buffer) < at + _MAX_LINE_BYTES:
        if not final:
            raise IncompleteError
        end = len(buffer)
    if end < 0:
        return _first_object(buffer, at, final=final)
    last = buffer[at:end].rstrip(SPACE)
    if last[-1:] in {b"{", b"["} and not _MEMBER.search(last) and last[:-1].strip(SPACE):
        return at + len(last) - 1
    return end


def _first_object(buffer: bytes, at: int, *, final: bool) -> int:
    stop = at + _MAX_LINE_BYTES
    for number, found in enumerate(_START.finditer(buffer, at + 1, stop)):
        if number == _MAX_ATTEMPTS:
            return found.start()
        try:
            value_end(buffer, found.start())
        except DecodeError as error:
            if is_truncated(error) and not final:
                raise IncompleteError from None
        except RecursionError:
            pass
        else:
            return found.start()
    return stop


def items(text: bytes) -> Iterator[tuple[bytes, int, str, str]]:
    """The values in a line, and the pieces of others between them; see `Format.items`."""
    found = list(_values(text))
    end = 0
    for start, stop in [*found, (len(text), len(text))] if found else []:
        between = text[end:start]
        if _PIECE.search(between) and not SEPARATORS.fullmatch(between):
            yield between.strip(SPACE), 0, "", ""
        if start < stop:
            yield text[start:stop], 0, "", ""
        end = stop


def _values(text: bytes) -> Iterator[tuple[int, int]]:
    at = attempts = 0
    while attempts < _MAX_ATTEMPTS and (found := _START.search(text, at)):
        try:
            at = value_end(text, found.start())
        except (DecodeError, RecursionError):
            attempts += 1
            at = found.end()
        else:
            yield found.start(), at
