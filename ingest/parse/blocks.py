"""Blocks: a stream of bytes of any length, cut into texts that can be decoded alone.

A small input is one block. A larger one is cut between documents, between the items of its format, or between the
elements of an array or a page too large for one block; so memory does not grow with the input.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from runmart.ingest.errors import InputError
from runmart.ingest.parse import json_scanner
from runmart.ingest.parse.formats import FORMATS, JSON, Format, format_of
from runmart.ingest.parse.json_scanner import IncompleteError, Piece

BLOCK_BYTES = 8 << 20
MAX_VALUE_BYTES = 64 << 20
"""A single record, or a single item, larger than this is not read."""

_SNIFFED_BYTES = 100
"""The first bytes of an input, which tell its format."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Block:
    """A text to decode, and its place in its input."""

    data: bytes
    line: int = 1
    """The line of the input on which it begins, from 1."""
    path: str = "$"
    """JSON path of the array whose elements the block holds; `$` for documents."""
    index: int = 0
    """The index of the first element."""
    format: str = JSON
    """The name of its format."""
    problem: str | None = None
    """What is wrong with the one damaged element that the block is; None for all other blocks."""

    @property
    def holds_elements(self) -> bool:
        """Whether the block is a part of a large array."""
        return self.index > 0 or self.path != "$" or self.problem is not None


class Lines:
    """Line numbers of a text; to be asked for from front to back, so that no byte is counted twice."""

    def __init__(self, data: bytes, line: int) -> None:
        self._data = data
        self._line = line
        self._at = 0

    def line(self, at: int) -> int:
        """The number of the line that holds the byte `at`."""
        self._line += self._data.count(b"\n", self._at, at)
        self._at = at
        return self._line


class _Buffer:
    """The part of the stream that is in memory."""

    def __init__(self, chunks: Iterable[bytes], size: int) -> None:
        self._chunks = iter(chunks)
        self._size = size
        self.data = b""
        self.line = 1
        self.final = False

    def fill(self, size: int) -> None:
        """Read on until the buffer holds `size` bytes or the stream ends."""
        parts, length = [self.data], len(self.data)
        while length < size and not self.final:
            chunk = next(self._chunks, None)
            if chunk is None:
                self.final = True
            else:
                parts.append(chunk)
                length += len(chunk)
        self.data = b"".join(parts)

    def more(self) -> None:
        """Read on because a value does not end within the buffer.

        Raises:
            InputError: The value is larger than `MAX_VALUE_BYTES`.
        """
        if len(self.data) >= MAX_VALUE_BYTES:
            raise InputError(f"line {self.line} begins a single value of more than {MAX_VALUE_BYTES >> 20} MiB")
        self.fill(len(self.data) + self._size)

    def drop(self, count: int) -> None:
        """Discard the first `count` bytes and fill up."""
        self.line += self.data.count(b"\n", 0, count)
        self.data = self.data[count:]
        self.fill(self._size)


def blocks(chunks: Iterable[bytes], size: int = BLOCK_BYTES, formats: Sequence[Format] = FORMATS) -> Iterator[Block]:
    """The blocks of a stream, of about `size` bytes each.

    Raises:
        InputError: One value is larger than `MAX_VALUE_BYTES`.
    """
    buffer = _Buffer(chunks, size)
    buffer.fill(max(size, _SNIFFED_BYTES))
    if buffer.data.startswith(_BYTE_ORDER_MARK):
        buffer.drop(len(_BYTE_ORDER_MARK))
    found = format_of(buffer.data[:_SNIFFED_BYTES], formats)
    if buffer.final:
        yield Block(buffer.data, format=JSON if found is None else found.name)
    elif found is None:
        yield from _document_blocks(buffer)
    else:
        yield from _item_blocks(buffer, found)


def _item_blocks(buffer: _Buffer, of: Format) -> Iterator[Block]:
    while not buffer.final:
        end = of.last_end(buffer.data)
        if end:
            yield Block(buffer.data[:end], buffer.line, format=of.name)
            buffer.drop(end)
        else:
            buffer.more()
    if buffer.data:
        yield Block(buffer.data, buffer.line, format=of.name)


def _document_blocks(buffer: _Buffer) -> Iterator[Block]:
    while buffer.data:
        end = 0
        try:
            for piece in json_scanner.documents(buffer.data, final=buffer.final):
                end = piece.end
        except IncompleteError:
            pass
        if end:
            yield Block(buffer.data[:end], buffer.line)
            buffer.drop(end)
        elif buffer.final:
            return  # only whitespace is left
        else:
            yield from _large_document(buffer)


def _large_document(buffer: _Buffer) -> Iterator[Block]:
    """Parts of an array or a page that does not end within the buffer; reads on where it is neither."""
    buffer.drop(json_scanner.skip_space(buffer.data, 0))
    start, path = 1, "$"
    if buffer.data[:1] == b"{":
        start, path = json_scanner.list_of_page(buffer.data, 0, final=buffer.final) or 0, "$.data"
    if start == 0 or buffer.data[:1] not in {b"[", b"{"}:
        buffer.more()
        return
    opening, line = buffer.data[:start], buffer.line
    buffer.drop(start)
    is_damaged = yield from _element_blocks(buffer, path)
    yield _frame(buffer, opening, line, is_damaged=is_damaged)


def _element_blocks(buffer: _Buffer, path: str) -> Generator[Block, None, bool]:
    """The elements of the list behind whose `[` the buffer begins. Returns whether the last one was damaged."""
    index, is_damaged, is_over = 0, False, False
    while not is_over:
        pieces, is_over = _pieces(buffer, is_first=index == 0)
        lines = Lines(buffer.data, buffer.line)
        for is_damaged, group in groupby(pieces, lambda piece: piece.problem is not None):
            elements = list(group)
            if is_damaged:
                yield from _damaged_blocks(buffer.data, elements, lines, path, index)
            else:
                text = b"[" + buffer.data[elements[0].start : elements[-1].end] + b"]"
                yield Block(text, lines.line(elements[0].start), path, index)
            index += len(elements)
        if pieces:
            buffer.drop(pieces[-1].end)
        elif not is_over:
            buffer.more()
    return is_damaged


def _damaged_blocks(data: bytes, elements: list[Piece], lines: Lines, path: str, index: int) -> Iterator[Block]:
    for place, (start, end, problem) in enumerate(elements, index):
        yield Block(data[start:end], lines.line(start), path, place, problem=problem)


def _pieces(buffer: _Buffer, *, is_first: bool) -> tuple[list[Piece], bool]:
    """The elements in the buffer, and whether the list ends behind them."""
    pieces: list[Piece] = []
    end = 0
    try:
        while (
            piece := json_scanner.next_element(buffer.data, end, is_first=is_first and not pieces, final=buffer.final)
        ) is not None:
            pieces.append(piece)
            end = piece.end
    except IncompleteError:
        return pieces, False
    return pieces, True


def _frame(buffer: _Buffer, opening: bytes, line: int, *, is_damaged: bool) -> Block:
    """The array or page without its elements: a document that shows whether it ends as it should.

    Where its last element is damaged up to the end of the text, that was reported with the element.
    """
    buffer.drop(json_scanner.skip_separator(buffer.data, 0))
    if buffer.data[:1] != b"]":
        closing = b"]}" if opening[:1] == b"{" else b"]"
        return Block(opening + closing * is_damaged, line)
    while True:
        data = opening + buffer.data
        try:
            end = json_scanner.value(data, 0, final=buffer.final).end
        except IncompleteError:
            buffer.more()
        else:
            buffer.drop(end - len(opening))
            return Block(data[:end], line)
