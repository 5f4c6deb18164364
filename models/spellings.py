"""Spellings: the names under which clients and data frames write the members of objects.

A name is known by its letters and digits alone: `createdAt`, `CreatedAt`, `CREATED_AT`, `created-at` and `Created At`
are `created_at`. A name that begins with another character (`_id`, `$id`, `@id`) is one of a database or a serialiser,
and no spelling of anything.
"""

import re
from collections.abc import Iterable

_SEPARATORS = re.compile(r"[\W_]+")
_LEAF = re.compile(r"([^.\[]+)[.\[](.+)\Z", re.DOTALL)


def squashed(name: str) -> str | None:
    """The letters and digits of a name, in lower case; None where the name is no spelling of anything."""
    name = name.strip()
    if not name.isascii() or not name[:1].isalpha():
        return None
    return _SEPARATORS.sub("", name).lower()


class Spellings:
    """The names of the members of one kind of object, and other spellings of them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {squashed(name): name for name in names}

    def known(self, name: str) -> str | None:
        """The name that `name` is a spelling of, be it that name itself; None where there is none."""
        return self._names.get(squashed(name) or "")


def leaf(name: str) -> tuple[str, str] | None:
    """Object and path in it of a column such as `usage.prompt_tokens` or `usage[prompt_tokens]`; None of others."""
    match = _LEAF.match(name)
    return (match[1], match[2].replace("][", ".").replace("[", ".").replace("]", "")) if match else None
