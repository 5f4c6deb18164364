"""Server-sent events: transcripts of assistant streams.

Source: the HTML standard, "Server-sent events", section "Interpreting an event stream". Two deviations, for the API's
own documentation: a line that begins with a brace is data without its prefix, and so is a line after data that names no
field.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_FIRST_LINE = re.compile(rb"\s*(?:event|data|id|retry)?:")
_FIELD = re.compile(rb"(?:event|data|id|retry)?:")
_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")


class Event(NamedTuple):
    """One event: its name (empty when it has none), its data, and the line on which these begin, from 0."""

    name: str
    data: bytes
    line: int


def is_event_stream(start: bytes) -> bool:
    """Whether a text that begins with `start` is a transcript of events."""
    return _FIRST_LINE.match(start) is not None


def last_end(buffer: bytes) -> int:
    """Index behind the last event that is whole in `buffer`; 0 when none is."""
    end = 0
    for match in _END.finditer(buffer):
        end = match.end()
    return end


def events(buffer: bytes) -> Iterator[Event]:
    """The events in `buffer`; the last one counts even if no blank line closes it."""
    name, data, first = "", list[bytes](), 0
    for number, line in enumerate([*buffer.splitlines(), b""]):
        if not line.strip():
            if name or data:
                yield Event(name, b"\n".join(data), first)
            name, data = "", []
        elif line.startswith(b"event:"):
            name = line[6:].strip().decode("utf-8", "replace")
        elif line.startswith((b"data:", b"{")):
            if not data:
                first = number
            data.append(line[5:].strip() if line.startswith(b"data:") else line)
        elif data and not _FIELD.match(line):
            data.append(line)
