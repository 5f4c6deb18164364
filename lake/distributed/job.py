"""Job: the parameters of one batch of a lake, sent to every machine that takes part in it."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from runmart.ingest.sources.input import Input
from runmart.ingest.transform.admission import AdmissionFilter
from runmart.lake.distributed import manifests
from runmart.lake.distributed.lake_storage import Storage
from runmart.lake.parquet.manifest import ExportError, Manifest
from runmart.models import arrow
from runmart.models.columns import BIGINT, BINARY, BOOLEAN, INTEGER, VARCHAR


class Job(NamedTuple):
    """The parameters of a batch."""

    lake: str
    """The lake: a path that all machines see, or a URL, which may hold secrets."""
    sources: tuple[str, ...]
    source: str
    """The label of these runs."""
    batch: int
    """The number of the batch, which is that of its load."""
    shards: int
    started_at: int
    """Microseconds since 1970."""
    admission: AdmissionFilter
    observed_at: int | None = None
    """When the runs were observed, in microseconds since 1970; each input's own time when None."""
    reload: bool = False

    def storage(self) -> Storage:
        """The lake's files."""
        return Storage(self.lake)

    def before(self) -> Manifest:
        """The manifest of the snapshot on which the batch is based.

        Raises:
            ExportError: Another batch was committed meanwhile.
        """
        manifest = manifests.read(self.storage())
        if manifests.batch_of(manifest) != self.batch - 1:
            raise ExportError(f"{self.storage().address}: another batch was loaded meanwhile; run this one again")
        return manifest or manifests.new(self.shards)


class Found(NamedTuple):
    """An input, or a split of one, as a row between stages."""

    owner: int
    """The shard that holds the bookkeeping of the input."""
    source: int
    """The index of its source in the job."""
    address: str
    size: int | None
    modified_at: int
    changed_at: int
    path: str | None
    part: int = -1
    """The index of the partition, when it is one of an export; else -1."""
    is_known: bool = False
    split: int = -1
    """The number of the split that `data` holds; -1 without a split."""
    data: bytes | None = None
    is_end: bool = False
    """Whether `data` is the end of the input instead of a split."""
    problem: str | None = None
    """Why a source cannot be listed."""

    @property
    def input(self) -> Input:
        """The input, without a way to open it."""
        return Input(self.address, self.size, self.modified_at, _unopened, self.changed_at, self.path)


TYPES = {
    "owner": INTEGER,
    "source": INTEGER,
    "address": VARCHAR,
    "size": BIGINT,
    "modified_at": BIGINT,
    "changed_at": BIGINT,
    "path": VARCHAR,
    "part": INTEGER,
    "is_known": BOOLEAN,
    "split": INTEGER,
    "data": BINARY,
    "is_end": BOOLEAN,
    "problem": VARCHAR,
}
"""The columns of rows between stages."""


def rows(found: Iterable[Found]) -> pa.RecordBatch:
    """Inputs as rows."""
    return arrow.rows(list(found), TYPES)


def found(batches: Iterable[Any]) -> Iterator[Found]:
    """Inputs from rows."""
    for batch in batches:
        yield from map(Found._make, zip(*(column.to_pylist() for column in batch.columns), strict=True))


def _unopened() -> Any:
    raise ExportError("this input cannot be opened on this machine")
