"""JSON with threads: JSON Lines, documents one after another, or an array, of ids, objects or pages of a list."""

import json
import re
from collections.abc import Iterator
from typing import Any, cast

from runmart.ingest.pull.ids import shown
from runmart.ingest.pull.thread_columns import Named, column, is_likely

_BETWEEN = re.compile(r"(?:\s++|#[^\r\n]*+)*+")
_LINE_END = re.compile(r"\r\n?|\n")
_DECODER = json.JSONDecoder(parse_int=str)  # an id may be a number


def documents(text: str) -> Iterator[Named]:
    """The threads that JSON names.

    Raises:
        ValueError: It is damaged, or an object names no thread.
    """
    place, line = 0, 1
    while True:
        start = _end(_BETWEEN, text, place)
        line += len(_LINE_END.findall(text, place, start))
        if start == len(text):
            return
        try:
            value, place = _DECODER.raw_decode(text, start)
        except json.JSONDecodeError as error:
            found = line + len(_LINE_END.findall(text, start, error.pos))
            raise ValueError(f"line {found:,} is no valid JSON: {error.msg}") from None
        except RecursionError:
            raise ValueError(f"line {line:,} is no list of threads: it is nested too deeply") from None
        yield from _named(value, f"line {line:,}")
        line += len(_LINE_END.findall(text, start, place))


def _end(pattern: re.Pattern[str], text: str, place: int) -> int:
    found = pattern.match(text, place)
    return found.end() if found else place


def _named(value: Any, place: str) -> Iterator[Named]:
    """The threads in one value."""
    match value:
        case str():
            yield Named(place, value)
        case list():
            for number, item in enumerate(cast("list[Any]", value), 1):
                yield from _named(item, f"{place}, item {number:,}")
        case dict():
            yield from _of_object(cast("dict[str, Any]", value), place)
        case _:
            raise ValueError(f"{place} is no thread id: {json.dumps(value)}; correct it or take it out")


def _of_object(members: dict[str, Any], place: str) -> Iterator[Named]:
    """The threads in an object: the one that it is or refers to, or those of a page."""
    names = list(members)
    likely = [number for number, value in enumerate(members.values()) if isinstance(value, str) and is_likely(value)]
    try:
        found = column(names, likely)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    if found is not None:
        yield from _named(members[names[found]], place)
    elif isinstance(members.get("data"), list):
        yield from _named(members["data"], place)
    else:
        known = ", ".join(map(shown, names)) or "nothing"
        raise ValueError(f"{place} is no thread: expected a member thread_id or id, found {known}")
