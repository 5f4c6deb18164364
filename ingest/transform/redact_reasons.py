"""Reasons and places of rejects without content: what they quote, and names that no server has."""

import re
from collections.abc import Iterator, Mapping

from runmart.models.record_specs import SPECS
from runmart.models.records import RunRecord, RunStepRecord
from runmart.models.shapes import SHAPES, Shape
from runmart.models.spellings import squashed

_QUOTED = re.compile(r"got `(?!(?:int|float|str|bool|null|array|object)`).*`", re.DOTALL)
_NAMED = re.compile(r"`([^`]*)`")
_COMMAND = re.compile(r"; cut them out, perhaps by: .*", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[([^\]]*)\]")
_OURS = re.compile(
    r"(?:(?:int|float|str|bool|null|array|object)(?: \| )?)+|[-\d]+|\w+(?:\.\w+)*\(\)|ConvertTo-Json [ -~]*"
)
"""What reasons of our own have in backticks: types, numbers, and commands to write data by."""

_WRAPPINGS = ("data", "items", "results", "runs", "value", "body", "response", "log", "entries", "content", "text")


def _names(shape: Shape) -> Iterator[str]:
    """The names of all members of a shape."""
    if isinstance(shape, Mapping):
        for name, of in shape.items():
            yield name
            yield from _names(of)
    elif not isinstance(shape, str):
        for of in shape:
            yield from _names(of)


_WITHIN = ("finish_reason", "usage_object", "error_information", "updated_at")
"""Members of further kinds of records that reasons speak of."""

_KNOWN = frozenset(
    squashed(name)
    for names in (
        *(spec.sent_names().values() for spec in SPECS),
        (*RunRecord.__struct_fields__, *RunStepRecord.__struct_fields__, *_names(SHAPES), *_WRAPPINGS, *_WITHIN),
    )
    for name in names
)


def reason_without_content(reason: str) -> str:
    """The reason of a reject, without the piece of the text that it quotes, and without names that nobody knows."""
    found = _QUOTED.sub("got something else", _COMMAND.sub("", reason))
    return _NAMED.sub(lambda named: f"`{_shown(named[1])}`", found)


def path_without_names(path: str) -> str:
    """A JSON path, with `*` in place of names that nobody knows, which may be keys of people's data."""
    return _STEP.sub(_step, path)


def _shown(named: str) -> str:
    if named.startswith("$"):
        return path_without_names(named)
    return named if _OURS.fullmatch(named) or _is_known(named) else "…"


def _step(step: re.Match[str]) -> str:
    name, index = step.groups()
    if name is None:
        return step[0] if not index or index.isdigit() else "[*]"
    return step[0] if _is_known(name) else ".*"


def _is_known(name: str) -> bool:
    return all(squashed(part) in _KNOWN for part in name.split("."))
