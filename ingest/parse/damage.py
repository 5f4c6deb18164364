"""Damage: where a value that is not JSON ends, and the next one may begin.

Each search is bounded by what it skips, or by a fixed number of values behind it, so that the time for a text grows
with its bytes, however often it is damaged.
"""

import re
from itertools import islice

from runmart.ingest.parse.json_scanner import IncompleteError, skip_space

_TOKEN = re.compile(rb'"(?:[^"\\\n]|\\.)*+"|[\[\]{}"]')
_CLOSING = {b"{": b"}", b"[": b"]"}
_OPENING = re.compile(rb'\{\s*"(?:object"\s*:\s*"[^"\n]*"|[^"\n]*"\s*:)')

_RUN = rb'\{\s*"(?:id"\s*:\s*"(?:run_|resp_|chatcmpl-)|object"\s*:\s*"(?:thread\.run|response|chat\.completion)")'
_NEXT_RUN = rb"(?<=[}\]])\s*(?:,\s*)?(?=" + _RUN + rb")|,(?=\s*" + _RUN + rb")"
"""An object that begins as a run, a response or a completion does, behind a comma or a bracket."""

_RUN_BEGINS = re.compile(_NEXT_RUN)

_NEXT_DOCUMENT = rb"(?<=[^\s,:\[])\s*\n(?=[{\[])"
"""A line that begins with a bracket and does not continue a list."""

_LINE = re.compile(rb"(?<=\})\r?\n(?=\{)")
"""A line that begins with a brace, behind one that ends with a brace: it never continues a value (see `blocks`)."""

_WINDOWS = (1 << 9, 1 << 12, 16 << 20)
"""How far the closing bracket of a damaged value is searched for, in bytes: at first, then, and at most."""

_VALUES = 8
"""Places where the next value may begin, beyond which the closing bracket of a damaged one is not searched for."""


def damaged_end(buffer: bytes, start: int, *, in_list: bool, final: bool, opened: bytes = b"") -> int:
    """The index behind the damaged object that begins at `start`.

    It ends at the bracket that closes it, or where the next run or document begins.

    Args:
        buffer: The bytes at hand.
        start: Index of its `{` or `[`, or of a place within it.
        in_list: Whether it is an element of a list; else it is a document.
        final: Whether the input ends with the buffer.
        opened: The brackets of it that are open at `start`.

    Raises:
        IncompleteError: It may go on behind the buffer; never when `final`.
    """
    opening = _OPENING.match(buffer, start)
    same = re.escape(opening[0]) if opening else None
    following = _following(same, in_list=in_list)
    end = _closing(buffer, start, following, opened, final=final)
    if end is not None and not _LINE.search(buffer, start + 1, end):
        at = skip_space(buffer, end)
        if at == len(buffer) and not final:
            raise IncompleteError
        if buffer[at : at + 1] in ({b",", b"]", b"}", b""} if in_list else {b",", b"]", b"}", b"", b"{", b"["}):
            begun = _RUN_BEGINS.search(buffer, start + 1, end)
            return begun.start() if begun else end
    found = following.search(buffer, start + 1)
    if found is None and not final:
        raise IncompleteError
    return found.start() if found else len(buffer)


def _following(same: bytes | None, *, in_list: bool) -> re.Pattern[bytes]:
    """Where a run, a document, or a value that begins as the damaged one does, may begin behind it."""
    places = [_NEXT_DOCUMENT, _NEXT_RUN]
    if same:
        places.append((rb",(?=\s*" if in_list else rb"(?<=\S)\s*\n(?=") + same + rb"(?!\s*\"call_))")
    return re.compile(b"|".join(places))


def _closing(buffer: bytes, start: int, following: re.Pattern[bytes], opened: bytes, *, final: bool) -> int | None:
    """Index behind the bracket that closes the first one; None where it cannot be told.

    Raises:
        IncompleteError: It may be behind the buffer; never when `final`.
    """
    for window in _WINDOWS:
        stop = start + window
        begun = [] if window == _WINDOWS[0] else list(islice(following.finditer(buffer, start + 1, stop), _VALUES))
        is_last = len(begun) == _VALUES
        if window == _WINDOWS[-1] and not is_last and stop > len(buffer) and not final:
            raise IncompleteError
        end, is_open = _balanced_end(buffer, start, begun[-1].start() if is_last else stop, opened)
        if is_last or not is_open:
            return end
    return None


def _balanced_end(buffer: bytes, start: int, stop: int, opened: bytes) -> tuple[int | None, bool]:
    """Index behind the bracket that closes the first one; None where brackets or quotes do not match.

    And whether that may still come behind `stop`.
    """
    open_brackets = [_CLOSING[bytes([bracket])] for bracket in opened]
    for token in _TOKEN.finditer(buffer, start, stop):
        text = token[0]
        if text in _CLOSING:
            open_brackets.append(_CLOSING[text])
        elif text in {b"}", b"]"}:
            if open_brackets.pop() != text:
                return None, False
            if not open_brackets:
                return token.end(), False
        elif text == b'"':  # no other closes it on its line
            return None, buffer.find(b"\n", token.end(), stop) < 0
    return None, True
