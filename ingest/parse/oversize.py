"""Values too large to be held in memory: where one ends, found a part at a time."""

import re

_IN_TEXT = re.compile(rb'["\\]')
_OUTSIDE = re.compile(rb'["\[\]{}]')


class ValueEnd:
    """Finds the end of one value, or of a line of other text."""

    def __init__(self, first: bytes) -> None:
        """Begin; `first` is the value's first byte."""
        self._is_json = first in {b"{", b"[", b'"'}
        self._depth = 0
        self._in_text = self._is_escaped = False

    def feed(self, part: bytes) -> int | None:
        """The index behind the value in the next part of it; None when it goes on behind the part."""
        if not self._is_json:
            end = part.find(b"\n")
            return None if end < 0 else end
        at = 0
        while at < len(part):
            if self._is_escaped:
                self._is_escaped = False
                at += 1
                continue
            found = (_IN_TEXT if self._in_text else _OUTSIDE).search(part, at)
            if found is None:
                return None
            at = found.end()
            if self._takes(found[0]):
                return at
        return None

    def _takes(self, token: bytes) -> bool:
        """Whether a token closes the value."""
        if self._in_text:
            self._is_escaped = token == b"\\"
            self._in_text = self._is_escaped
            return not self._in_text and not self._depth
        if token == b'"':
            self._in_text = True
            return False
        self._depth += 1 if token in {b"{", b"["} else -1
        return self._depth <= 0
