"""Manifests of lakes: replacing the manifest commits a batch."""

from itertools import chain

import duckdb
import pyarrow as pa

from runmart.ingest.version import VERSION
from runmart.lake.distributed.lake_storage import Storage
from runmart.lake.parquet import schema
from runmart.lake.parquet.manifest import FORMAT, MANIFEST, ExportError, LakeMetadata, Manifest, decoded, encoded
from runmart.models import arrow
from runmart.models.tables.bookkeeping import LOADS


def read(storage: Storage) -> Manifest | None:
    """The manifest of a lake; None when the folder has none.

    Raises:
        ExportError: It is damaged, of a newer runmart, or that of an export.
    """
    text = storage.read(MANIFEST)
    if text is None:
        return None
    manifest = decoded(text, f"{storage.address}/{MANIFEST}")
    if manifest.lake is None:
        raise ExportError(f"{storage.address}: it is an export of a warehouse; load it into a lake in another folder")
    return manifest


def metadata_of(manifest: Manifest) -> LakeMetadata:
    """What only a lake has.

    Raises:
        ExportError: It is the manifest of an export.
    """
    if manifest.lake is None:
        raise ExportError("it is the manifest of an export, not of a lake")
    return manifest.lake


def batch_of(manifest: Manifest | None) -> int:
    """The number of the last batch; 0 before the first."""
    return len(metadata_of(manifest).loads) if manifest else 0


def new(shards: int) -> Manifest:
    """The manifest of an empty lake."""
    return Manifest(
        FORMAT, VERSION, "", is_complete=True, partitions=[], tables={}, lake=LakeMetadata(shards, [], {}, {})
    )


def commit(storage: Storage, manifest: Manifest) -> None:
    """Make a batch part of the lake.

    Raises:
        ExportError: Another batch was loaded meanwhile, or the manifest cannot be written.
    """
    with storage.held():
        if batch_of(read(storage)) != batch_of(manifest) - 1:
            raise ExportError(f"{storage.address}: another batch was loaded meanwhile; run this one again")
        storage.replace(MANIFEST, encoded(manifest))


def loads(lake: LakeMetadata) -> pa.Table:
    """The batches of a lake as rows of `runmart.loads`; columns that a batch did not record hold their defaults."""
    names = LOADS.schema.names
    columns = [arrow.array([load.get(note.name) for load in lake.loads], note.type) for note in LOADS.columns]
    recorded = pa.Table.from_batches([arrow.record_batch(columns, names)])
    if all(load.keys() >= set(names) for load in lake.loads):
        return recorded
    defaults = {column.name: column.default for column in chain.from_iterable(schema.added_since(LOADS.name, 0))}
    values = ", ".join(f"coalesce({name}, {defaults[name]})" if name in defaults else name for name in names)
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register(LOADS.name, recorded)
        return (
            connection.sql(f"select {values} from {LOADS.name}")
            .to_arrow_table()
            .rename_columns(names)
            .cast(LOADS.schema)
        )
