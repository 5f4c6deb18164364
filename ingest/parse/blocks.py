"""Blocks: a stream of bytes of any length, cut into texts that can be decoded alone.

A small input is one block. A larger one is cut between its pieces, so that memory does not grow with the input: between
documents, or between the elements of an array or a page too large for one block. All blocks of a stream, one after
another, are the stream, byte for byte.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from runmart.ingest.parse.formats import FORMATS, Format
from runmart.ingest.parse.json_scanner import IncompleteError, skip_brackets
from runmart.ingest.parse.oversize import ValueEnd
from runmart.ingest.parse.pieces import Piece, PieceScanner
from runmart.ingest.parse.reasons import UNEXPLAINED

BLOCK_BYTES = 8 << 20
MAX_VALUE_BYTES = 64 << 20
"""A value larger than this is not read, but rejected in parts of `BLOCK_BYTES`."""

Content = Literal["documents", "elements", "part", "text", "opening", "closing"]

_STRIPPED = b" \t\r\n,"


@dataclass(frozen=True, slots=True)
class Block:
    """A text to decode, and its place in its input."""

    data: bytes
    line: int = 1
    """The line of the input on which it begins, from 1."""
    content: Content = "documents"
    """Whole documents; elements of a list; a part of a value that is too large; a text that ends amid a line; or the
    frame of a list, before or behind its elements."""
    path: str = "$"
    """JSON path of the list that it belongs to, or of the value that is too large; `$` for documents."""
    index: int = 0
    """The index of the first element."""
    outer_lists: int = 0
    """Lists around the one that the elements belong to."""
    format: str = ""
    """The format of a text that ends amid a line."""
    start: int = 0
    """Where a text or a frame begins in `data`, behind separators."""
    damaged: tuple[tuple[int, int, str], ...] = ()
    """Where damaged values among its documents or elements begin and end, which what follows them tells, and their
    problems."""
    opening: bytes = b""
    """The frame of the list up to its elements, for what lies behind them."""
    opening_line: int = 1
    """The line on which that frame begins."""
    problem: str | None = None
    """What is wrong with a frame, or with the value that it is a part of."""

    @property
    def text(self) -> bytes:
        """One JSON text of documents, or an array of elements."""
        return b"[" + self.data.strip(_STRIPPED) + b"]" if self.content == "elements" else self.data


class Lines:
    """Line numbers of a text; best asked for from front to back, so that no byte is counted twice."""

    def __init__(self, data: bytes, line: int) -> None:
        self._data = data
        self._line = line
        self._at = 0

    def line(self, at: int) -> int:
        """The number of the line that holds the byte `at`."""
        self._line += self._data.count(b"\n", self._at, at) - self._data.count(b"\n", at, self._at)
        self._at = at
        return self._line


class _Buffer:
    """The part of the stream that is in memory."""

    def __init__(self, chunks: Iterable[bytes], size: int) -> None:
        self._chunks = iter(chunks)
        self._size = size
        self.data = b""
        self.at = 0
        """Where what was not taken begins; it moves, since taking a little away would copy the rest each time."""
        self.line = 1
        self.final = False

    @property
    def left(self) -> int:
        """The number of bytes that were not taken."""
        return len(self.data) - self.at

    def fill(self, size: int) -> None:
        """Read on until the buffer holds `size` bytes that were not taken, or the stream ends."""
        if self.left >= size or self.final:
            return
        parts, length = [self.data[self.at :]], self.left
        while length < size and not self.final:
            chunk = next(self._chunks, None)
            if chunk is None:
                self.final = True
            else:
                parts.append(chunk)
                length += len(chunk)
        self.data, self.at = b"".join(parts), 0

    def take(self, end: int) -> bytes:
        """Take all up to an index, and fill up where little is left."""
        taken = self.data[self.at : end]
        self.line += taken.count(b"\n")
        self.at = end
        if self.left < max(self._size // 2, 1):
            self.fill(self._size)
        return taken


def blocks(chunks: Iterable[bytes], size: int = BLOCK_BYTES, formats: Sequence[Format] = FORMATS) -> Iterator[Block]:
    """The blocks of a stream, of about `size` bytes each."""
    buffer = _Buffer(chunks, size)
    buffer.fill(size)
    if buffer.final:
        yield Block(buffer.data)
    else:
        yield from _Cutter(buffer, size, PieceScanner(formats)).blocks()


class _Cutter:
    """Cuts a stream that is larger than a block."""

    def __init__(self, buffer: _Buffer, size: int, scanner: PieceScanner) -> None:
        self._buffer = buffer
        self._size = size
        self._scanner = scanner
        self._searched, self._last_line = b"", 0

    def blocks(self) -> Iterator[Block]:
        """The blocks."""
        buffer = self._buffer
        while buffer.left or self._scanner.lists:
            lists = self._scanner.lists
            context: tuple[Content, str, int, int] = (
                ("elements", lists[-1].path, lists[-1].index, len(lists) - 1) if lists else ("documents", "$", 0, 0)
            )
            line, start = buffer.line, buffer.at
            damaged: list[tuple[int, int, str]] = []
            try:
                end, piece = self._together(damaged)
            except IncompleteError:
                yield from self._more()
                continue
            if piece is not None and end == start:
                yield self._alone(piece)
            else:  # without any pieces, only separators are left
                data = buffer.take(end if end > start else len(buffer.data))
                known = tuple((begin - start, stop - start, problem) for begin, stop, problem in damaged)
                yield Block(data, line, *context, damaged=known)

    def _together(self, damaged: list[tuple[int, int, str]]) -> tuple[int, Piece | None]:
        """Where the pieces in the buffer end that make one block, and the piece behind them that does not.

        Args:
            damaged: The damaged ones among these pieces are added to it.

        Raises:
            IncompleteError: There are none, and the first piece may go on behind the buffer.
        """
        buffer, end = self._buffer, self._whole_lines()
        if end > buffer.at:
            return end, None
        end = buffer.at
        try:
            while (piece := self._scanner.next(buffer.data, end, final=buffer.final)) is not None:
                if piece.role == "damaged":
                    damaged.append((piece.start, piece.end, piece.problem or UNEXPLAINED))
                elif piece.role not in {"value", "text"} or _ends_amid_line(buffer.data, piece):
                    return end, piece
                self._scanner.advance(buffer.data, piece)
                end = piece.end
        except IncompleteError:
            if end == buffer.at:
                raise
        return end, None

    def _whole_lines(self) -> int:
        """Where the last document in the buffer begins on a line of its own; 0 where none does.

        A line that begins with a brace, behind one that ends with a brace, always begins a document.
        """
        if self._scanner.lists:
            return 0
        data, at = self._buffer.data, self._buffer.at
        if self._buffer.final:
            return len(data)
        if data is not self._searched:
            self._searched, self._last_line = data, max(data.rfind(b"}\n{", at), data.rfind(b"}\r\n{", at)) + 1
        return self._last_line

    def _alone(self, piece: Piece) -> Block:
        """The block of the frame of a list, or of a text that ends amid a line."""
        buffer, scanner = self._buffer, self._scanner
        block = Block(b"", buffer.line, "opening", scanner.path + (f".{piece.name}" if piece.name else ""))
        if piece.role == "text":
            block = replace(block, content="text", path="$", format=piece.name)
        elif piece.role == "closing":
            frame = scanner.lists[-1]
            block = Block(
                b"",
                buffer.line,
                "closing",
                frame.path,
                opening=frame.opening,
                opening_line=frame.line,
                problem=piece.problem,
            )
        line = buffer.line + buffer.data.count(b"\n", buffer.at, piece.start)
        scanner.advance(buffer.data, piece, line)
        start = piece.start - buffer.at
        return replace(block, data=buffer.take(piece.end), start=start)

    def _more(self) -> Iterator[Block]:
        """Read on, since a value does not end within the buffer; where it is a list, open it."""
        buffer = self._buffer
        is_huge = buffer.left >= MAX_VALUE_BYTES
        try:
            piece = self._scanner.next(buffer.data, buffer.at, final=buffer.final, is_large=True, is_huge=is_huge)
        except IncompleteError:
            piece = None
        if piece is not None:
            yield self._alone(piece)
        elif is_huge:
            yield from self._parts()
        else:
            buffer.fill(buffer.left + self._size)

    def _parts(self) -> Iterator[Block]:
        """A value that is too large, in parts of `BLOCK_BYTES`."""
        buffer, path = self._buffer, self._scanner.path
        start, line = skip_brackets(buffer.data, buffer.at), buffer.line
        if start > buffer.at:
            yield Block(buffer.take(start), line)
        end, part, found = ValueEnd(buffer.data[buffer.at : buffer.at + 1]), 0, None
        while buffer.left and found is None:
            part += 1
            at, stop = buffer.at, min(len(buffer.data), buffer.at + BLOCK_BYTES)
            found = end.feed(buffer.data[at:stop])
            problem = f"a single value of more than {MAX_VALUE_BYTES >> 20} MiB: its part {part}"
            line = buffer.line
            yield Block(buffer.take(stop if found is None else at + found), line, "part", path, problem=problem)
        self._scanner.advance(b"", Piece(0, 0, "damaged"))


def _ends_amid_line(buffer: bytes, piece: Piece) -> bool:
    """Whether a text is followed by something else on its line: alone, it would be read in another way."""
    at = piece.end
    return piece.role == "text" and at < len(buffer) and buffer[at] not in b"\r\n" and buffer[at - 1] not in b"\r\n"
