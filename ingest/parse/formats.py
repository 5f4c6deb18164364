"""Input formats other than JSON itself: inputs that hold JSON values, one per item, in a frame of their own.

A new format needs a module with its three functions, and its place in `FORMATS`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from runmart.ingest.parse import sse

JSON = "json"
"""The name of what has none of the formats: JSON documents, one after another."""


@dataclass(frozen=True, slots=True)
class Format:
    """How inputs of one format are recognised, cut into blocks, and read."""

    name: str
    matches: Callable[[bytes], bool]
    """Whether an input that begins so (100 bytes, or all of it) has the format."""
    last_end: Callable[[bytes], int]
    """The index behind the last item that is whole in a text; 0 when none is. There the input may be cut."""
    items: Callable[[bytes], Iterable[tuple[str, bytes, int]]]
    """The items of a text: the name of the event that tells what an item carries (empty when it has none), its JSON,
    and the line of the text on which that begins, from 0. The last item counts even if it is cut short."""


FORMATS: tuple[Format, ...] = (Format("events", sse.is_event_stream, sse.last_end, sse.events),)
"""All formats; the first that matches counts."""


def format_of(start: bytes, formats: Sequence[Format] = FORMATS) -> Format | None:
    """The format of an input that begins with `start`; None for JSON."""
    return next((one for one in formats if one.matches(start)), None)
