"""Order of a list: whether it comes newest first or oldest first, by the creation times of its items."""

from collections.abc import Sequence

from runmart.ingest.pull.ground import OVERLAP_SECONDS
from runmart.ingest.pull.responses import Item


class Order:
    """Whether items come newest first, as requested."""

    def __init__(self) -> None:
        """Of a list of which nothing is known yet."""
        self._first: float | None = None
        self._last: float | None = None
        self.is_descending = True
        self.shown = 0.0
        """By how many seconds the first item is newer than a later one."""
        self._highest = 0.0
        self.rises = True
        """Whether items come oldest first."""
        self.is_long = False
        """Whether the last is newer than the first by more than clocks may differ."""

    def add(self, items: Sequence[Item]) -> None:
        """Add the items of the next page."""
        created = [item.created for item in items if item.created is not None]
        if created and created[-1] > created[0]:
            self.is_descending = False
        for item in items:
            if item.created is None or (self._last is not None and item.created > self._last + OVERLAP_SECONDS):
                self.is_descending = False
            self.rises &= item.created is not None and item.created >= self._highest - OVERLAP_SECONDS
            self._highest = max(self._highest, item.created or 0.0)
            self._last = item.created
        if self._first is None and created:
            self._first = created[0]
        if created and self._first is not None:
            self.shown = max(self.shown, self._first - created[-1])
            self.is_long = created[-1] - self._first >= OVERLAP_SECONDS
