"""Spellings: the names under which clients and data frames write the members of objects.

A name is known by its letters and digits alone: `createdAt`, `CreatedAt`, `CREATED_AT`, `created-at` and `Created At`
are `created_at`. A name that begins with another character (`_id`, `$id`, `@id`) is one of a database or a serialiser,
and no spelling of anything.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from runmart.models.shapes import SHAPES, leaves

_SEPARATORS = re.compile(r"[\W_]+")
_COLUMN = re.compile(r"([^.\[]+)([.\[].+)\Z", re.DOTALL)
_STEP = re.compile(r"[^.\[\]]+")
_LONGEST = 200
"""Names are remembered, and longer ones are data."""
_MAX_STEPS = 16
"""Paths of columns are as deep as objects of servers; what has more is a name of something else."""


def squashed(name: str) -> str | None:
    """The letters and digits of a name, in lower case; None where the name is no spelling of anything."""
    return _squashed(name) if len(name) <= _LONGEST else None


@lru_cache(4096)
def _squashed(name: str) -> str | None:
    name = name.strip()
    if not name.isascii() or not name[:1].isalpha():
        return None
    return _SEPARATORS.sub("", name).lower()


class Spellings:
    """The names of the members of one kind of object, and other spellings of them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name: name for name in names}
        self._squashed = {squashed(name): name for name in self._names}

    def __contains__(self, name: str) -> bool:
        """Whether it is one of the names itself."""
        return name in self._names

    def known(self, name: str) -> str | None:
        """The name that `name` is a spelling of, be it that name itself; None where there is none."""
        return self._names.get(name) or self._squashed.get(squashed(name) or "")


class Column(NamedTuple):
    """A column of a flattened object: the name of the field that it is cut from, and the path in that."""

    field: str
    path: tuple[str, ...]


class FieldNames(Spellings):
    """The names of the fields of a record, their spellings, and those of columns into which objects are flattened."""

    def __init__(self, sent_names: Mapping[str, str]) -> None:
        """The names of fields as sent, by the name of the attribute."""
        super().__init__(sent_names.values())
        self._attributes = {sent: attribute for attribute, sent in sent_names.items()}
        self._leaves = {
            squashed(f"{sent}.{path}"): Column(sent, tuple(path.split(".")))
            for attribute, sent in sent_names.items()
            for path in leaves(attribute)
        }

    def attribute(self, field: str) -> str:
        """The attribute that a field fills."""
        return self._attributes[field]

    def column(self, name: str) -> Column | None:
        """The column that a name is; None where it is none.

        `usage.prompt_tokens` and `usage[prompt_tokens]` are columns whatever the path says, others such as
        `usage_prompt_tokens` only where the member is known.
        """
        match = _COLUMN.match(name)
        field = self.known(match[1]) if match else None
        if not match or not field:
            return self._leaves.get(squashed(name) or "")
        if field == "metadata":
            path = [match[2][1:].removesuffix("]") if match[2][0] == "[" else match[2][1:]]
        else:
            path = _STEP.findall(match[2])
        is_whole = self._attributes[field] not in SHAPES and not (path and path[0].startswith("$"))
        return None if is_whole or not 0 < len(path) <= _MAX_STEPS else Column(field, tuple(path))

    def field_of(self, name: str) -> str | None:
        """The field that a name stands for, be it a spelling of it or a column."""
        if known := self.known(name):
            return known
        column = self.column(name)
        return column.field if column else None
