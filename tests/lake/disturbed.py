"""A lake of one batch, and a second one that is to be disturbed."""

from pathlib import Path
from typing import NamedTuple

import engine
from shown import Rows, shown, strays

from runmart.exports.layout import MANIFEST
from runmart.lake.batch import Outcome


class Before(NamedTuple):
    """A lake of one batch, and what is to be loaded into it."""

    lake: Path
    second: Path
    shown: Rows
    text: bytes
    """Of its manifest."""
    undisturbed: Rows
    """What it shows once the second batch is in it."""

    def load(self) -> Outcome:
        """Load the second batch."""
        return engine.load(self.lake, [self.second], tasks=2)

    def is_as_it_was(self) -> bool:
        """Whether nothing of the second batch is part of it, and a window opens on it."""
        return (self.lake / MANIFEST).read_bytes() == self.text and shown(self.lake) == self.shown

    def completes(self) -> None:
        """Another try gives what an undisturbed one gives, and nothing is left of those that failed."""
        self.load()
        assert shown(self.lake) == self.undisturbed
        assert strays(self.lake) == set()
