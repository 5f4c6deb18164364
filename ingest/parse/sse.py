"""Server-sent events: transcripts of assistant streams.

Source: the HTML standard, "Server-sent events", section "Interpreting an event stream". Deviations, for transcripts as
people save them: a line that begins with a brace is data without its prefix, and so is one that continues an unfinished
value (the API's own documentation has both); an `event:` line after another begins a new event, and so does one after
data unless an empty line follows it, and so do data after a whole value (tools that drop empty lines).
"""

import re
from collections.abc import Iterator

from runmart.ingest.parse.json_scanner import SPACE, IncompleteError

_FIELD = re.compile(rb"(data):[ \t]?|(event|id|retry):[^{\r\n]*(?=[\r\n]|\Z)")
_COMMENT = re.compile(rb':[^"{\[\r\n]*(?=[\r\n]|\Z)')
"""A comment that looks like a piece of JSON is none."""

_LINE_END = re.compile(rb"\r\n|\n|\r")
_EMPTY_LINE = re.compile(rb"[ \t]*[\r\n]")
_TOKEN = re.compile(rb'"(?:[^"\\\n]|\\.)*+"?|[\[\]{}]')
_MAX_TEXT_BYTES = 1 << 20
"""Data that are no JSON go on for at most so many bytes."""

COMMENT = "comment"


def is_event(buffer: bytes, at: int) -> bool:
    """Whether an event, or a comment beside events, begins at an index."""
    return _FIELD.match(buffer, at) is not None or _COMMENT.match(buffer, at) is not None


class _Lines:
    """The lines of one event, from the first on: what they have said so far."""

    def __init__(self) -> None:
        self.event: bytes | None = None
        self.data: list[bytes] = []
        self.depth = 0
        """Brackets that the data have opened and not closed."""
        self._last = b""
        self._has_prefixes = False

    def is_comment(self, line: bytes) -> bool:
        """Whether a line is a comment: a colon may also begin what continues data that have no prefixes."""
        return (self.depth <= 0 or self._has_prefixes) and _COMMENT.match(line) is not None

    def take(self, line: bytes, *, is_last: bool) -> bool:
        """Add a line, maybe the last one before an empty one; False when it belongs to no event, or to the next one."""
        if line[:1] == b"{" and self._last[-1:] == b"}":
            return False  # a document of its own: see `blocks`
        self._last = line
        field = _FIELD.match(line)
        if self.is_comment(line):
            return True
        if field is None:
            is_data = self.depth > 0 or (line[:1] == b"{" and self.event is not None and not self.data)
            return is_data and self._add(line)
        if field[1]:
            self._has_prefixes = True
            return self._add(line[field.end() :])
        if field[2] == b"event":
            if self.event is not None or (self.data and not is_last):
                return False
            self.event = line.partition(b":")[2].strip(SPACE)
        return True

    def _add(self, data: bytes) -> bool:
        if self.depth <= 0 and self.data and self.data[0].lstrip(SPACE)[:1] in {b"{", b"["}:
            return False  # a whole value was there
        self.data.append(data)
        self.depth += sum((token[0] in b"{[") - (token[0] in b"}]") for token in _TOKEN.finditer(data))
        return True


def event_end(buffer: bytes, at: int, final: bool) -> int:  # noqa: FBT001 - see `Format.end`
    """The index behind the event that begins at an index, and behind the empty line that closes it.

    Raises:
        IncompleteError: The event may go on behind the buffer; never when `final`.
    """
    lines, start = _Lines(), at
    while at < len(buffer):
        found = _LINE_END.search(buffer, at)
        if not final and (found is None or found.end() == len(buffer)):
            raise IncompleteError
        end, following = (found.start(), found.end()) if found else (len(buffer), len(buffer))
        line = buffer[at:end]
        if not line.strip(SPACE):
            return following
        is_last = _EMPTY_LINE.match(buffer, following) is not None
        if not lines.take(line, is_last=is_last) or (lines.depth <= 0 and at - start > _MAX_TEXT_BYTES):
            return at
        at = following
    return at


def items(text: bytes) -> Iterator[tuple[bytes, int, str, str]]:
    """The data of an event, with its name, and the comments beside it; see `Format.items`."""
    lines, first = _Lines(), 0
    found = _LINE_END.split(text)
    for number, line in enumerate(found):
        is_last = len(found) > number + 2 and not found[number + 1].strip(SPACE)
        had_data = bool(lines.data)
        if lines.is_comment(line):
            yield b"", number, "", COMMENT
        elif line.strip(SPACE) and not lines.take(line, is_last=is_last):
            yield line, number, "", ""
        first = first if had_data or not line.strip(SPACE) else number
    if lines.event is not None or lines.data:
        yield b"\n".join(lines.data), first, (lines.event or b"").decode("utf-8", "replace"), ""
