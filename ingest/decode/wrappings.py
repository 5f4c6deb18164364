"""Wrappings: whether there is a run in a value that is none, such as a saved response or an index's hits."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, cast

import msgspec
from msgspec import Raw

from runmart.ingest.decode.context import Context
from runmart.ingest.parse import reasons
from runmart.ingest.parse.classify import MAY_HOLD_RUN, MENTION
from runmart.ingest.parse.json_object import Members, UnfitError
from runmart.ingest.parse.quoting import quoted
from runmart.models.depth import MAX_DEPTH
from runmart.models.wrappings import spoilt_by

_MEMBERS: msgspec.json.Decoder[Members] = msgspec.json.Decoder(Members)
_LIST: msgspec.json.Decoder[list[Raw]] = msgspec.json.Decoder(list[Raw])


_LISTS = re.compile("data|items|results|runs|value", re.IGNORECASE)
"""Members that hold the runs of a page, or of something like it."""

_DATA = re.compile(f"{_LISTS.pattern}|body|response|run", re.IGNORECASE)
"""Members whose text is data, in objects of any kind; texts in others may be what people write."""

_NAME = re.compile(rb"\s*:")


def where_mentioned(raw: bytes, within: str = "$") -> str | None:
    """Why a value in which no run can be read is rejected: it speaks of runs; None when it does not.

    Args:
        raw: The value.
        within: Its JSON path.
    """
    if all(_NAME.match(raw, one.end()) for one in MENTION.finditer(raw)):
        return None
    found = Counter(_paths(msgspec.json.decode(raw), within))
    if not found:
        return "it speaks of a run behind a key that is there twice, and only one of its values could be read"
    path, count = found.most_common(1)[0]
    cut = path[1:] if "[]" not in path else path[1 : path.rindex("[]") + 2]
    runs = "a run" if count == 1 else f"{count:,} runs"
    return (
        f"it speaks of {runs} at `{path}`, and none could be read; cut them out, perhaps by: jq -c '{cut or '.'}' FILE"
    )


def is_data(name: str) -> bool:
    """Whether a text in a member of this name is looked into even in an object that is skipped."""
    return _DATA.fullmatch(name) is not None


def spoilt_list(members: Members, *, is_page: bool) -> str | None:
    """Why an object is rejected that has a text in the place of a list of runs; None where it has none.

    Args:
        members: Its members.
        is_page: Whether it says that it is a page, so that any text in the place of its list is one too many.
    """
    for name, value in members.items():
        raw = bytes(value)
        if not _LISTS.fullmatch(name) or raw[:1] != b'"':
            continue
        if reason := spoilt_by(raw):
            return f"{reason}; got {quoted(raw)} for `{name}`"
        if is_page:
            return f"expected a list for `{name}`, got {quoted(raw)}"
    return None


def _paths(value: Any, path: str) -> Iterator[str]:
    """JSON paths of texts that say `thread.run`; the indices of lists are left out."""
    if isinstance(value, str):
        if MENTION.search(msgspec.json.encode(value)) or (path.endswith(".id.S") and value.startswith("run_")):
            yield path
    elif isinstance(value, list):
        for one in cast("list[Any]", value):
            yield from _paths(one, f"{path}[]")
    elif isinstance(value, dict):
        for name, one in cast("dict[str, Any]", value).items():
            yield from _paths(one, f"{path}.{name}" if name.isidentifier() else f"{path}[{name!r}]")


class RunFinder:
    """Looks for runs within values."""

    def __init__(self, context: Context, level: int, holds_run: Callable[[bytes], bool]) -> None:
        """Nothing is looked for yet.

        Args:
            context: What is known of values.
            level: The number of texts around those that are looked into.
            holds_run: Whether there is a run in the JSON that a text holds.
        """
        self._classifier = context.classifier
        self._known = context.known
        self._level = level
        self._text_holds_run = holds_run

    def is_run(self, raw: bytes) -> bool:
        """Whether an object is a run, or another record: it says so, or has an id and a status."""
        return self._classifier.is_record(_MEMBERS.decode(raw))

    def holds_run(self, raw: bytes, *, reads_texts: bool, depth: int = 0) -> bool:
        """Whether there is a run in a value, at any depth.

        Args:
            raw: The value.
            reads_texts: Whether texts are looked into, which may hold JSON.
            depth: The levels around it.

        Raises:
            UnfitError: It is nested too deep.
        """
        first = raw[:1]
        if first not in {b"{", b"[", b'"'} or not MAY_HOLD_RUN.search(raw):
            return False
        if depth > MAX_DEPTH:
            raise UnfitError(reasons.TOO_DEEP)
        key = len(raw), hash(raw), reads_texts, self._level
        if key not in self._known:  # each value is asked for again on each level around it
            self._known[key] = self._looks_into(raw, reads_texts=reads_texts, depth=depth)
        return self._known[key]

    def _looks_into(self, raw: bytes, *, reads_texts: bool, depth: int) -> bool:
        if raw[:1] == b'"':
            return reads_texts and self._text_holds_run(raw)
        inner = _LIST.decode(raw) if raw[:1] == b"[" else self._inner(raw)
        return inner is None or any(
            self.holds_run(bytes(one), reads_texts=reads_texts, depth=depth + 1) for one in inner
        )

    def _inner(self, raw: bytes) -> list[Raw] | None:
        """The values in an object; None when it is a run."""
        names = _MEMBERS.decode(raw)
        return None if self._classifier.is_record(names) else list(names.values())
