"""Members of a record: which of its fields each fills, whatever it is called."""

from collections.abc import Sequence
from typing import TypeAlias, Union

import msgspec

from runmart.ingest.decode.normalised import is_empty, renamed
from runmart.ingest.decode.result import Extra
from runmart.ingest.parse.json_object import Members
from runmart.models.spellings import Column, FieldNames

_Tree: TypeAlias = dict[str, Union["_Tree", bytes]]
_Columns = list[tuple[str, Column, bytes]]
"""Columns of one field: name as sent, what it is, and value."""


def filled(members: Members, names: FieldNames) -> tuple[dict[str, bytes], Extra]:
    """The values of the fields, by their names, and the members that fill none.

    A field under its own name comes before other spellings, these before columns; what is empty comes last.
    """
    sent = renamed({name: bytes(value) for name, value in members.items()}, names)
    fields = {name: value for name, value in sent.items() if name in names}
    if len(fields) == len(sent):
        return fields, []
    rest, columns = Extra(), dict[str, _Columns]()
    for name in sorted(sent.keys() - fields.keys()):
        column = None if names.known(name) else names.column(name)
        if column is None or not is_empty(fields.get(column.field, b"null")):
            rest.append((name, sent[name]))
        else:
            columns.setdefault(column.field, []).append((name, column, sent[name]))
    for field, parts in columns.items():
        found, left = _regrouped(parts, may_be_lists=field != "metadata")
        if found != b"null" or field not in fields:
            fields[field] = found
        rest += left
    return fields, rest


def _regrouped(columns: _Columns, *, may_be_lists: bool) -> tuple[bytes, Extra]:
    """The object that columns were cut from, null where all are, and the columns that have no place in it."""
    tree, left = _Tree(), Extra()
    for name, column, value in columns:
        if value != b"null" and not _put(tree, column.path, value):
            left.append((name, value))
    return _json(tree, may_be_lists=may_be_lists) if tree else b"null", left


def _put(tree: _Tree, path: Sequence[str], value: bytes) -> bool:
    """Put a value into a tree; False where another one is in its way."""
    *outer, last = path
    for step in outer:
        inner = tree.setdefault(step, {})
        if isinstance(inner, bytes):
            return False
        tree = inner
    return tree.setdefault(last, value) is value


def _json(tree: _Tree | bytes, *, may_be_lists: bool) -> bytes:
    if isinstance(tree, bytes):
        return tree
    if may_be_lists and sorted(tree) == sorted(map(str, range(len(tree)))):
        elements = (tree[str(index)] for index in range(len(tree)))
        return b"[" + b",".join(_json(one, may_be_lists=True) for one in elements) + b"]"
    members = (msgspec.json.encode(name) + b":" + _json(one, may_be_lists=may_be_lists) for name, one in tree.items())
    return b"{" + b",".join(members) + b"}"
