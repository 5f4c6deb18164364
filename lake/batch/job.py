"""A job: what one batch of a lake is to do. Every machine that takes part in it has this, and nothing else."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from runmart.ingest.sources.input import Input
from runmart.ingest.transform.admission import AdmissionFilter
from runmart.lake.batch import manifests
from runmart.lake.batch.storage import Storage
from runmart.lake.parquet.manifest import ExportError, Manifest
from runmart.models import arrow
from runmart.models.columns import BIGINT, BINARY, BOOLEAN, INTEGER, VARCHAR


class Job(NamedTuple):
    """What a batch is to do."""

    lake: str
    """Where the lake is: a path that all machines see, or a URL, which may hold secrets."""
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
        """The lake as it was when the batch began.

        Raises:
            ExportError: Another batch was written meanwhile.
        """
        manifest = manifests.read(self.storage())
        if manifests.batch_of(manifest) != self.batch - 1:
            raise ExportError(f"{self.storage().address}: another batch was loaded meanwhile; run this one again")
        return manifest or manifests.new(self.shards)


class Found(NamedTuple):
    """An input, or a piece of one, as a row that is carried."""

    owner: int
    """The shard that keeps what is known of the input."""
    source: int
    """Which of the job's sources it is of."""
    address: str
    size: int | None
    modified_at: int
    changed_at: int
    path: str | None
    part: int = -1
    """Which partition of an export it is; -1 for any other input."""
    is_known: bool = False
    piece: int = -1
    """Which piece of the input `data` is; -1 when there is none."""
    data: bytes | None = None
    is_end: bool = False
    """Whether `data` says how the input ended."""
    problem: str | None = None
    """Why a source cannot be listed."""

    @property
    def input(self) -> Input:
        """The input, which cannot be opened."""
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
    "piece": INTEGER,
    "data": BINARY,
    "is_end": BOOLEAN,
    "problem": VARCHAR,
}
"""Of the columns of inputs that are carried."""


def rows(found: Iterable[Found]) -> pa.RecordBatch:
    """Inputs as the rows that are carried."""
    return arrow.rows(list(found), TYPES)


def found(batches: Iterable[Any]) -> Iterator[Found]:
    """The inputs that rows are."""
    for batch in batches:
        yield from map(Found._make, zip(*(column.to_pylist() for column in batch.columns), strict=True))


def _unopened() -> Any:
    raise ExportError("this input is only a name here")
