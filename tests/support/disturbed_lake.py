"""A lake of one batch, and a second batch whose load the tests disturb."""

from pathlib import Path
from typing import NamedTuple

from runmart.ingest.digest import file_digest
from runmart.lake.distributed.commit import Outcome
from runmart.lake.parquet.manifest import MANIFEST
from tests.support import batch_engine as engine
from tests.support.lake import Rows, lake_rows, named, unreferenced_files


class Before(NamedTuple):
    """A lake of one batch, and the sources of a second one."""

    lake: Path
    second: Path
    rows: Rows
    text: bytes
    """The text of its manifest."""
    undisturbed: Rows
    """Its rows after an undisturbed load of the second batch."""

    def load(self) -> Outcome:
        """Load the second batch."""
        return engine.load(self.lake, [self.second], tasks=2)

    def is_as_it_was(self) -> bool:
        """Whether the manifest and all files that it names are unchanged, and so a view file returns the same."""
        if (self.lake / MANIFEST).read_bytes() != self.text:
            return False
        return all(file_digest(self.lake / path) == file.sha256 for path, file in named(self.lake).items())

    def completes(self) -> None:
        """Assert that a retry gives the same lake as an undisturbed load, without files left over."""
        self.load()
        assert lake_rows(self.lake) == self.undisturbed
        assert unreferenced_files(self.lake) == set()
