"""Kinds of rejects: where an input has very many, those of one kind are kept as one."""

import re

MAX_REJECTS = 1000
"""Rejects of an input that are kept one by one; later ones are packed, by kind."""

_LONGEST = 200
"""Characters of a kind: a reason that quotes without marks would make a kind of its own of each item."""
_TYPES = "int|float|str|bool|null|array|object"
_VALUE = re.compile(rf"got `(?!(?:{_TYPES})`).*`", re.DOTALL)
_NAME = re.compile(rf"""`(?!(?:{_TYPES})`)[^`]*`|"[^"]*"|(?<!\w)'[^']*'(?!\w)""")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def kind(reason: str) -> str:
    """The kind of a reject: its reason without what it quotes of the text, and without numbers."""
    return _NUMBER.sub("0", _NAME.sub("`…`", _VALUE.sub("got `…`", reason)))[:_LONGEST]
