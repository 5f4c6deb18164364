"""Which of several columns, or members of an object, names a thread."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from runmart.ingest.pull.ids import shown
from runmart.ingest.pull.thread_addresses import PREFIX, is_address, plain_name

_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_HEADING = re.compile(
    rf"{PREFIX}(?:key|name|title|status|state|ref|reference|url|uri|link|address|uuid|guid|no|nr|num|number|\w+_at)",
    re.IGNORECASE,
)
"""What begins as an id of a thread does, and is the name of a column."""
_WEAK_NAMES = frozenset({"thread", "id"})
"""Names of columns that may also hold something else: the title of a thread, the id of a message."""


class Named(NamedTuple):
    """A thread that a list names."""

    place: str
    """Where: `line 7`."""
    text: str
    """How: an id or an address, not yet checked."""


def is_thread_name(name: str) -> bool:
    """Whether a column of this name may hold ids of threads: thread_id, thread or id, in any spelling."""
    return plain_name(name) in _WEAK_NAMES | {"threadid"}


def is_likely(text: str) -> bool:
    """Whether a text looks like the id of a thread and nothing else, or is an address."""
    return is_address(text) or (text.startswith(PREFIX) and not is_thread_name(text) and not _HEADING.fullmatch(text))


def is_generated(text: str) -> bool:
    """Whether a program has made a text, so that it is no heading."""
    return is_likely(text) or _UUID.fullmatch(text) is not None


def column(names: Sequence[str], likely: Iterable[int]) -> int | None:
    """The place of the column that names the threads, or None if none does.

    It is called `thread_id`; else it is the one whose values look like ids of threads; else it is called `thread` or
    `id`.

    Args:
        names: The names of the columns.
        likely: The places of the columns whose values look like ids of threads.

    Raises:
        ValueError: There are several such columns; the message names them.
    """
    certain = [place for place, name in enumerate(names) if plain_name(name) == "threadid"]
    weak = [place for place, name in enumerate(names) if plain_name(name) in _WEAK_NAMES]
    likely = list(likely)
    found = certain or ([place for place in likely if place in weak] if len(likely) > 1 else likely) or likely or weak
    if len(found) > 1:
        several = " and ".join(shown(names[place]) for place in found)
        raise ValueError(f"{several} may both name the threads; call one of them thread_id")
    return found[0] if found else None
