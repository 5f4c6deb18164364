"""Formats of text around JSON: events of a stream, and lines of a log.

Where a document is expected and the text is not JSON, the first format that matches says how far its text goes and
which JSON values are in it. A new format needs a module with its three functions, and its place in `FORMATS`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from runmart.ingest.parse import log_line, sse


class Item(NamedTuple):
    """A JSON value in a text of some format."""

    data: bytes
    """Its JSON."""
    line: int
    """The line of the text on which it begins, from 0."""
    event: str = ""
    """The name of the event that it belongs to; empty when it has none."""
    skipped: str = ""
    """What the item is, when it is no value: it is skipped and counted under this name."""


@dataclass(frozen=True, slots=True)
class Format:
    """How a text of one format is recognised, how far it goes, and how it is read."""

    name: str
    matches: Callable[[bytes, int], bool]
    """Whether a text of this format begins at an index of a buffer."""
    end: Callable[[bytes, int, bool], int]
    """The index behind the text that begins at an index, at most 1 MiB behind its values. The last argument says
    whether the input ends with the buffer; when not, raises IncompleteError where the text may go on behind it."""
    items: Callable[[bytes], Iterable[tuple[bytes, int, str, str]]]
    """The `Item`s of a text, in order; what is in none of them means nothing. None at all: the text is not of this
    format, and is rejected."""


FORMATS: tuple[Format, ...] = (
    Format("events", sse.is_event, sse.event_end, sse.items),
    Format("log line", log_line.is_log_line, log_line.line_end, log_line.items),
)
"""All formats; the first that matches counts, and the last matches every text."""


def format_at(buffer: bytes, at: int, formats: Sequence[Format] = FORMATS) -> Format:
    """The format of the text that begins at an index and is not JSON."""
    return next(one for one in formats if one.matches(buffer, at))


def format_named(name: str, formats: Sequence[Format] = FORMATS) -> Format:
    """The format of a name."""
    return next(one for one in formats if one.name == name)
