"""Ledger: which bytes of a text are accounted for.

The bytes of a text are those of values that were stored, of values that were skipped and counted, of rejects, of the
frames of known wrappings, and separators. What decodes a text claims each part but the separators; what nobody has
claimed and is no separator is unexplained, and is rejected.
"""

from collections.abc import Iterator

from runmart.ingest.parse.json_scanner import SEPARATORS, skip_separator


class Ledger:
    """The claimed parts of one text."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._claims: list[tuple[int, int]] = []

    def claim(self, start: int, end: int) -> None:
        """Account for the bytes from `start` to `end`."""
        self._claims.append((start, end))

    def unexplained(self) -> Iterator[tuple[int, int]]:
        """The parts that are neither claimed nor separators, in order."""
        at = 0
        for start, end in [*sorted(self._claims), (len(self._data), len(self._data))]:
            if start > at:
                yield from self._rest(at, start)
            at = max(at, end)

    def _rest(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        if not SEPARATORS.fullmatch(self._data, start, end):
            yield skip_separator(self._data, start), end
