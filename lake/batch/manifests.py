"""Manifests of lakes: to replace one is to commit a batch."""

import pyarrow as pa

from runmart.ingest.version import VERSION
from runmart.lake.batch.storage import Storage
from runmart.lake.parquet.manifest import FORMAT, MANIFEST, ExportError, Lake, Manifest, decoded, encoded
from runmart.models import arrow
from runmart.models.tables.bookkeeping import LOADS


def read(storage: Storage) -> Manifest | None:
    """The manifest of a lake; None where there is none yet.

    Raises:
        ExportError: It is damaged, or that of an export; or the folder holds something else.
    """
    text = storage.read(MANIFEST)
    if text is None:
        return None
    manifest = decoded(text, f"{storage.address}/{MANIFEST}")
    if manifest.lake is None:
        raise ExportError(f"{storage.address}: it is an export of a warehouse; load it into a lake in another folder")
    return manifest


def lake_of(manifest: Manifest) -> Lake:
    """What only a lake has."""
    if manifest.lake is None:
        raise ExportError("it is the manifest of an export, not of a lake")
    return manifest.lake


def batch_of(manifest: Manifest | None) -> int:
    """The number of the last batch; 0 before the first."""
    return len(lake_of(manifest).loads) if manifest else 0


def new(shards: int) -> Manifest:
    """The manifest of a lake in which nothing is yet."""
    return Manifest(FORMAT, VERSION, "", is_complete=True, partitions=[], tables={}, lake=Lake(shards, [], {}, {}))


def commit(storage: Storage, manifest: Manifest) -> None:
    """Make a batch part of the lake.

    Raises:
        ExportError: Another batch was loaded meanwhile, or the manifest cannot be written.
    """
    with storage.held():
        if batch_of(read(storage)) != batch_of(manifest) - 1:
            raise ExportError(f"{storage.address}: another batch was loaded meanwhile; run this one again")
        storage.replace(MANIFEST, encoded(manifest))


def loads(lake: Lake) -> pa.Table:
    """The loads of a lake, as `runmart.loads` has them."""
    columns = [arrow.array([load[note.name] for load in lake.loads], note.type) for note in LOADS.columns]
    return pa.Table.from_batches([arrow.record_batch(columns, LOADS.schema.names)])
