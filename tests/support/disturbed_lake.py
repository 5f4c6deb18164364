"""A lake of one batch, and a second one that is to be disturbed."""

from pathlib import Path
from typing import NamedTuple

from runmart.ingest.digest import file_digest
from runmart.lake.distributed.commit import Outcome
from runmart.lake.parquet.manifest import MANIFEST
from tests.support import batch_engine as engine
from tests.support.lake import Rows, named, shown, strays


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
        """Whether the manifest is the same, and each file that it names: a view file shows the same, too."""
        if (self.lake / MANIFEST).read_bytes() != self.text:
            return False
        return all(file_digest(self.lake / path) == file.sha256 for path, file in named(self.lake).items())

    def completes(self) -> None:
        """Another try gives what an undisturbed one gives, and nothing is left of those that failed."""
        self.load()
        assert shown(self.lake) == self.undisturbed
        assert strays(self.lake) == set()
