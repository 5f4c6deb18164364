"""Blocks: a stream of bytes of any length is cut into texts that are inputs in their own right.

A small input is one block. A larger one is cut between documents, between events, or between the elements of an array
or a page too large for one block; so memory does not grow with the input.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from msgspec import DecodeError

from runmart.ingest import events, scan
from runmart.ingest.errors import InputError
from runmart.ingest.scan import NEXT_RUN, IncompleteError

BLOCK_BYTES = 8 << 20
MAX_VALUE_BYTES = 256 << 20
"""A single run, or a single event, larger than this is not read."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Block:
    """A text to decode, and where in its input it stands."""

    data: bytes
    line: int = 1
    """The line of the input on which it begins, from 1."""
    path: str = "$"
    """JSON path of the array whose elements the block holds; `$` for documents."""
    index: int = 0
    """The index of the first element."""
    is_events: bool = False
    """Whether it is a transcript of server-sent events."""

    @property
    def holds_elements(self) -> bool:
        """Whether the block is a part of a large array."""
        return self.index > 0 or self.path != "$"

    @property
    def opens_page(self) -> bool:
        """Whether the block is the first part of a large page."""
        return self.index == 0 and self.path != "$"


class _Buffer:
    """The part of the stream that is in memory."""

    def __init__(self, chunks: Iterable[bytes], size: int) -> None:
        self._chunks = iter(chunks)
        self._size = size
        self.data = b""
        self.line = 1
        self.final = False

    def fill(self, size: int) -> None:
        """Read on until `size` bytes are there, or the end."""
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
            InputError: It is larger than anything that a run can be.
        """
        if len(self.data) >= MAX_VALUE_BYTES:
            raise InputError(
                f"line {self.line} begins a single value of more than {MAX_VALUE_BYTES >> 20} MiB"
            )
        self.fill(len(self.data) + self._size)

    def drop(self, count: int) -> None:
        """Forget the first `count` bytes and fill up."""
        self.line += self.data.count(b"\n", 0, count)
        self.data = self.data[count:]
        self.fill(self._size)


def blocks(chunks: Iterable[bytes], size: int = BLOCK_BYTES) -> Iterator[Block]:
    """Cut a stream into blocks of about `size` bytes.

    Raises:
        InputError: One value is larger than `MAX_VALUE_BYTES`.
    """
    buffer = _Buffer(chunks, size)
    buffer.fill(size)
    if buffer.data.startswith(_BYTE_ORDER_MARK):
        buffer.drop(len(_BYTE_ORDER_MARK))
    is_events = events.is_event_stream(buffer.data[:100])
    if buffer.final:
        yield Block(buffer.data, is_events=is_events)
    elif is_events:
        yield from _event_blocks(buffer)
    else:
        yield from _document_blocks(buffer)


def _event_blocks(buffer: _Buffer) -> Iterator[Block]:
    while not buffer.final:
        end = events.last_end(buffer.data)
        if end:
            yield Block(buffer.data[:end], buffer.line, is_events=True)
            buffer.drop(end)
        else:
            buffer.more()
    if buffer.data:
        yield Block(buffer.data, buffer.line, is_events=True)


def _document_blocks(buffer: _Buffer) -> Iterator[Block]:
    while buffer.data:
        end = 0
        try:
            for piece in scan.documents(buffer.data, final=buffer.final):
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
    start = scan.skip_space(buffer.data, 0)
    opening = buffer.data[start : start + 1]
    if opening == b"[":
        yield from _element_blocks(buffer, start, "$")
    elif opening == b"{" and (runs := _runs_of_page(buffer.data, start)) is not None:
        yield from _element_blocks(buffer, runs, "$.data")
        _skip_members(buffer)
    else:
        buffer.more()


def _runs_of_page(data: bytes, start: int) -> int | None:
    try:
        for name, at, found in scan.members(data, start, final=False):
            if name == "data" and found is None and data[at : at + 1] == b"[":
                return at
    except (IncompleteError, DecodeError):
        pass
    return None


def _element_blocks(buffer: _Buffer, start: int, path: str) -> Iterator[Block]:
    """The elements of the array whose `[` is at `start`; the buffer then begins behind its `]`."""
    buffer.drop(start + 1)
    index, closed = 0, False
    while not closed:
        first = _behind_comma(buffer.data)
        end, count = first, 0
        try:
            while (piece := scan.next_element(buffer.data, end, final=buffer.final)) is not None:
                end, count = piece.end, count + 1
            closed = True
        except IncompleteError:
            pass
        if count:
            line = buffer.line + buffer.data.count(b"\n", 0, first)
            yield Block(b"[" + buffer.data[first:end] + b"]", line, path, index)
            index += count
        if end:
            buffer.drop(end)
        elif not closed:
            buffer.more()
    buffer.drop(buffer.data.find(b"]") + 1)


def _behind_comma(data: bytes) -> int:
    start = scan.skip_space(data, 0)
    return scan.skip_space(data, start + 1) if data[start : start + 1] == b"," else 0


def _skip_members(buffer: _Buffer) -> None:
    """Go behind the `}` of a page whose runs have been read; what is no member is left to be read as a document."""
    while True:
        try:
            at = scan.skip_space(buffer.data, 0)
            if buffer.data[at : at + 1] == b",":
                at = scan.skip_space(buffer.data, at + 1)
            opening = buffer.data[at : at + 1]
            if opening == b"}":
                buffer.drop(at + 1)
                return
            if opening not in {b'"', b":"}:
                return
            at += opening == b":"
            piece = scan.value(buffer.data, scan.skip_space(buffer.data, at), NEXT_RUN, final=buffer.final)
        except IncompleteError:
            buffer.more()
        else:
            buffer.drop(piece.end)
