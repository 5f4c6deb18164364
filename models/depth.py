"""Depth: how deep JSON is nested, and how deep it may be."""

import re
from itertools import accumulate

MAX_DEPTH = 128
"""How many levels a record may be nested, itself included: far more than any server sends, far less than fit into the
stack, so that what is accepted depends on the text alone."""

MAX_LEVELS = 2 * MAX_DEPTH
"""How many levels a value may be nested in which records are looked for."""

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_STEPS = bytes.maketrans(b"[{]}", b"\2\2\0\0")
_OTHERS = bytes(set(range(256)) - set(b"[{]}"))


def depth(text: bytes) -> int:
    """The number of levels of objects and lists in a JSON text; 0 for a number or a text in quotes."""
    steps = _STRING.sub(b"", text).translate(_STEPS, _OTHERS)
    return max(accumulate(step - 1 for step in steps), default=0)


def is_deeper(text: bytes, levels: int) -> bool:
    """Whether a JSON text has more than so many levels."""
    return text.count(b"[") + text.count(b"{") > levels and depth(text) > levels
