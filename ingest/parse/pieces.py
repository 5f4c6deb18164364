"""Pieces: a text of any kind, cut into values, damaged values, text of other formats, and the frames of lists.

Pieces follow each other without overlapping, and between them are only separators. Where a piece ends depends on the
text from its start on and on the lists that are open there, never on how the text was cut: see `blocks`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from msgspec import DecodeError

from runmart.ingest.parse.damage import damaged_end
from runmart.ingest.parse.formats import FORMATS, Format, format_at
from runmart.ingest.parse.json_scanner import (
    SPACE,
    IncompleteError,
    ListOfPage,
    is_truncated,
    list_of_page,
    members_end,
    skip_brackets,
    skip_separator,
    value_end,
)
from runmart.ingest.parse.reasons import TRUNCATED, not_json, problem
from runmart.models.depth import MAX_LEVELS, is_deeper

MAX_OPEN_LISTS = 8
"""A list within this many others is not opened: where it is damaged, it is one damaged value."""

Role = Literal["value", "damaged", "text", "opening", "closing"]


class Piece(NamedTuple):
    """A part of a buffer."""

    start: int
    end: int
    role: Role
    """`value`: one valid JSON value. `damaged`: up to where the next value may begin. `text`: of one of the formats.
    `opening`, `closing`: the frame of a list whose elements are pieces themselves, before and behind them."""
    problem: str | None = None
    """What is wrong with a damaged value or frame."""
    name: str = ""
    """The name of the list that is opened, empty for an array; or of the format of a text."""


def _value_end(buffer: bytes, start: int) -> int:
    """As `value_end`; what is nested too deep is an error whatever fits into the stack."""
    end = value_end(buffer, start)
    if is_deeper(buffer[start:end], MAX_LEVELS):
        raise RecursionError
    return end


@dataclass(slots=True)
class OpenList:
    """A list whose elements are pieces."""

    path: str
    """JSON path of the list."""
    opening: bytes
    """The text of its frame up to and with its `[`."""
    line: int = 1
    """The line on which that begins."""
    index: int = 0
    """The index of the next element."""
    ends_damaged: bool = False
    """Whether the element before is damaged."""

    @property
    def is_page(self) -> bool:
        """Whether the frame is an object."""
        return self.opening[:1] == b"{"


_ARRAY = re.compile(rb'\[[ \t]*(?:[{\["\]\r\n]|\Z)')
_OBJECTS = re.compile(rb"\[\s*[{\[]")
_OBJECT = re.compile(rb'\{[ \t]*(?:["}\r\n]|\Z)')
_TEXT = re.compile(rb'"[ \t]*(?:[{\[\\]|\Z)')
"""Texts that may hold JSON; others are read as lines."""

_DOCUMENTS = {b"{": _OBJECT, b"[": _ARRAY, b'"': _TEXT}
_SHORTEST = 8
"""Bytes that tell what begins: the longest name of a field of an event."""

_BEHIND_TEXT = re.compile(rb"[ \t]*([\r\n,\]}]?)")
_NEXT_LINE = re.compile(rb"\}\r?\n\{")
_NEW_LINE = re.compile(rb"\s*\n(?=[{\[])")
_JUNK = re.compile(rb"[,\[\]{}\n]")


class PieceScanner:
    """Finds the pieces of a text, one after another; remembers the lists that are open."""

    def __init__(
        self,
        formats: Sequence[Format] = FORMATS,
        lists: Sequence[OpenList] = (),
        damaged: Iterable[tuple[int, int, str]] = (),
    ) -> None:
        """Begin at a document, or within `lists`; `damaged` are known damaged values: beginning, end and problem."""
        self._formats = formats
        self._damaged = {start: Piece(start, end, "damaged", problem) for start, end, problem in damaged}
        self.lists = list(lists)
        self._is_large = self._is_huge = False

    @property
    def path(self) -> str:
        """The JSON path of the next value."""
        return f"{self.lists[-1].path}[{self.lists[-1].index}]" if self.lists else "$"

    def pieces(self, buffer: bytes) -> Iterator[Piece]:
        """The pieces of a buffer with which the input ends. The scanner's state is that before each piece."""
        at = 0
        while (piece := self.next(buffer, at, final=True)) is not None:
            yield piece
            self.advance(buffer, piece)
            at = piece.end

    def next(
        self, buffer: bytes, at: int, *, final: bool, is_large: bool = False, is_huge: bool = False
    ) -> Piece | None:
        """The next piece at or behind an index; None at the end of the input.

        Args:
            buffer: The bytes at hand.
            at: Where the last piece ended.
            final: Whether the input ends with the buffer.
            is_large: Whether an array or a page that does not end within the buffer is to be opened.
            is_huge: Whether, then, an object with a list of objects under any name is.

        Raises:
            IncompleteError: The piece may go on behind the buffer; never when `final`.
        """
        self._is_large, self._is_huge = is_large, is_huge
        if self.lists:
            return self._in_list(buffer, at, final=final)
        start = skip_brackets(buffer, at)
        if start in self._damaged:
            return self._damaged[start]
        if start >= len(buffer):
            return None
        return self._document(buffer, start, final=final)

    def advance(self, buffer: bytes, piece: Piece, line: int = 1) -> None:
        """Go behind a piece; `line` is that on which it begins."""
        if piece.role == "opening":
            opening = buffer[piece.start : piece.end]
            path = f"{self.path}.{piece.name}" if piece.name else self.path
            self.lists.append(OpenList(path, opening, line))
            return
        if piece.role == "closing":
            self.lists.pop()
        if self.lists:
            self.lists[-1].index += 1
            self.lists[-1].ends_damaged = piece.role == "damaged"

    def _document(self, buffer: bytes, start: int, *, final: bool) -> Piece:
        if not final and len(buffer) - start < _SHORTEST:
            raise IncompleteError
        first = buffer[start : start + 1]
        found = _DOCUMENTS[first].match(buffer, start) if first in _DOCUMENTS else None
        if found is None:
            return self._text(buffer, start, final=final)
        if found.end() == len(buffer) and not final:
            raise IncompleteError
        try:
            end = _value_end(buffer, start)
        except (DecodeError, RecursionError) as error:
            if first == b'"':
                return self._text(buffer, start, final=final)
            return self._broken(buffer, start, error, final=final)
        if first == b'"' and not self._ends_there(buffer, end, final=final):
            return self._text(buffer, start, final=final)
        return Piece(start, end, "value")

    @staticmethod
    def _ends_there(buffer: bytes, end: int, *, final: bool) -> bool:
        """Whether a value ends at a quote: it may also be the quote at which another text begins."""
        found = _BEHIND_TEXT.match(buffer, end)
        if found is None:
            return False
        if found.end() == len(buffer) and not final:
            raise IncompleteError
        return found.end() == len(buffer) or bool(found[1])

    def _text(self, buffer: bytes, start: int, *, final: bool) -> Piece:
        found = format_at(buffer, start, self._formats)
        return Piece(start, max(found.end(buffer, start, final), start + 1), "text", name=found.name)

    def _broken(self, buffer: bytes, start: int, error: Exception, *, final: bool) -> Piece:
        """A value that is no JSON as far as it is known."""
        may_go_on = is_truncated(error) and not final
        if may_go_on and not self._is_large:
            raise IncompleteError
        found = self._list(buffer, start, final=final, any_name=not may_go_on or self._is_huge)
        if found is not None:
            return Piece(start, found.start, "opening", name=found.name)
        if may_go_on:
            raise IncompleteError
        end = damaged_end(buffer, start, in_list=bool(self.lists), final=final)
        text = buffer[start:end].rstrip(SPACE)
        return Piece(start, start + len(text), "damaged", problem(text))

    def _list(self, buffer: bytes, start: int, *, final: bool, any_name: bool) -> ListOfPage | None:
        """The list that can be opened at an index; None where there is none."""
        if len(self.lists) >= MAX_OPEN_LISTS:
            return None
        if buffer[start : start + 1] == b"[":
            return ListOfPage("", start + 1) if _OBJECTS.match(buffer, start) else None
        found = list_of_page(buffer, start, final=final)
        return list_of_page(buffer, start, final=final, any_name=True) if found is None and any_name else found

    def _in_list(self, buffer: bytes, at: int, *, final: bool) -> Piece:
        if self.lists[-1].index and _NEW_LINE.match(buffer, at):
            return self._end(at, TRUNCATED)  # the next document begins
        start = self._skip_braces(buffer, at, final=final)
        if start in self._damaged:
            return self._damaged[start]
        if start >= len(buffer) or buffer[start : start + 1] == b"}":
            return self._end(start, TRUNCATED)
        return self._element(buffer, start, final=final)

    def _element(self, buffer: bytes, start: int, *, final: bool) -> Piece:
        """The element that begins at an index, or the end of the list."""
        first = buffer[start : start + 1]
        if first == b"]":
            return self._closing(buffer, start, final=final)
        if first not in {b"{", b"["}:
            return self._scalar(buffer, start, final=final)
        try:
            return Piece(start, _value_end(buffer, start), "value")
        except (DecodeError, RecursionError) as error:
            return self._broken(buffer, start, error, final=final)

    @staticmethod
    def _skip_braces(buffer: bytes, at: int, *, final: bool) -> int:
        """The index of the next element, behind separators and braces that close nothing.

        That of the last of these braces where the next document begins behind it.
        """
        while True:
            start = skip_separator(buffer, at)
            if not final and len(buffer) - start < _SHORTEST:
                raise IncompleteError
            if buffer[start : start + 1] != b"}" or _NEXT_LINE.match(buffer, start):
                return start
            at = start + 1

    def _scalar(self, buffer: bytes, start: int, *, final: bool) -> Piece:
        """An element that is no object: a text, a number, or junk up to where the next element may begin."""
        if buffer[start : start + 1] == b'"':
            try:
                end = value_end(buffer, start)
            except DecodeError as error:
                if is_truncated(error) and not final:
                    raise IncompleteError from None
            else:
                if self._ends_there(buffer, end, final=final):
                    return Piece(start, end, "value")
        found = _JUNK.search(buffer, start + 1)
        if found is None and not final:
            raise IncompleteError
        text = buffer[start : found.start() if found else len(buffer)].rstrip(SPACE)
        return Piece(start, start + len(text), "damaged", not_json(text))

    def _end(self, at: int, reason: str) -> Piece:
        """The end of a list that nothing closes. Where its last element is damaged, that was said with it."""
        return Piece(at, at, "closing", None if self.lists[-1].ends_damaged else reason)

    def _closing(self, buffer: bytes, start: int, *, final: bool) -> Piece:
        """The frame behind the list, from its `]` on."""
        if not self.lists[-1].is_page:
            return Piece(start, start + 1, "closing")
        try:
            return Piece(start, members_end(buffer, start + 1, final=final), "closing")
        except (DecodeError, RecursionError):
            end = damaged_end(buffer, start + 1, in_list=True, final=final, opened=b"{")
            return Piece(start, end, "closing", problem(self.lists[-1].opening + buffer[start:end]))
