"""Manifest and layout of exports and lakes: `TABLE/source=SOURCE/month=MONTH/NAME.parquet`, listed in a JSON manifest.

Partition columns are in the paths only, as in Hive: `source` is the label of the runs, `month` (2025-01) their month of
creation in UTC. Steps are partitioned by their own source and month. A partition has one file per table in an export,
and one per table and shard in a lake. A file that the manifest does not name is not part of the export or lake.

Formats 1 (exports only) and 2 are read for ever: they do not record the schema of their files, since each was written
under one schema version only, `_SCHEMAS`. The next export or batch makes them format 3.
"""

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import msgspec

from runmart.ingest.errors import RunmartError
from runmart.ingest.warehouse.file_copy import sync
from runmart.lake.parquet import schema

MANIFEST = "runmart-export.json"
MANIFEST_ASIDE = f".{MANIFEST}.part"
"""The manifest while it is written; a full disk may leave it behind."""

FORMAT = 3
_SCHEMAS = {1: 7, 2: 8}
"""The schema version of files in manifests that do not record it, by format. Some files of format 1 have the columns of
schema version 8; these are not read, since their defaults give the same values."""

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""Null in a Hive path."""


class ExportError(RunmartError):
    """An export or a lake cannot be written or read."""


class Partition(msgspec.Struct, frozen=True):
    """The runs of one source and month of creation with their child rows, or the steps of one source and month."""

    source: str
    month: str | None
    """As 2025-01; None where it is not known."""

    def path(self, table: str, name: str = "data") -> str:
        """The path of a table's file, relative to the folder."""
        month = self.month or NO_VALUE
        return f"{table}/source={quote(self.source, safe='') or NO_VALUE}/month={month}/{name}.parquet"


class File(msgspec.Struct):
    """One Parquet file."""

    path: str
    """Relative to the folder."""
    rows: int
    bytes: int
    sha256: str
    schema: int = 0
    """The schema version by which it was written; see `schema`."""


class Written(msgspec.Struct):
    """The files of a partition, or of one shard of it."""

    partition: Partition
    digest: str
    """Of the rows it was written from, to detect changes; empty in a lake."""
    files: dict[str, File]
    """By table; a table without rows has no file."""
    shard: int = 0


class LakeMetadata(msgspec.Struct, omit_defaults=True):
    """What only a lake has: sharding, batches, bookkeeping files and the redaction policy."""

    shards: int
    """Number of shards over which run ids are hashed."""
    loads: list[dict[str, Any]]
    """One row of `runmart.loads` per batch; instants in microseconds since 1970."""
    bookkeeping: dict[str, dict[int, File]] = msgspec.field(name="books")
    """Files of `inputs` and `rejects`, by shard; a shard without rows has no file."""
    content: dict[str, str]
    """The redaction rule of each field that is not kept."""
    key_fingerprint: str | None = None
    """Fingerprint of the key of hashed fields."""
    replaced: list[str] = []
    """Files that the last batch replaced, kept for readers that began before it."""


class Manifest(msgspec.Struct, omit_defaults=True):
    """The content of an export or a lake."""

    format: int
    version: str
    """The version of runmart that wrote it."""
    warehouse: str
    """When the exported warehouse was created, which identifies it; empty in a lake."""
    is_complete: bool
    """False while an export is being written, or after it was interrupted."""
    partitions: list[Written]
    tables: dict[str, File]
    """Unpartitioned tables."""
    lake: LakeMetadata | None = None
    """None in an export."""
    schema: int = 0
    """The newest schema version of its files and loads."""

    def files(self) -> Iterator[tuple[str, File]]:
        """Each file with its table, without the bookkeeping files of a lake."""
        for one in self.partitions:
            yield from one.files.items()
        yield from self.tables.items()

    def all_files(self) -> Iterator[tuple[str, File]]:
        """Each file with its table."""
        yield from self.files()
        for table, shards in self.lake.bookkeeping.items() if self.lake else ():
            yield from ((table, file) for file in shards.values())

    def stamp(self, version: str) -> None:
        """Mark it as written by this version of runmart."""
        self.format, self.version, self.schema = FORMAT, version, schema.current()


class _Format(msgspec.Struct):
    """The part of a manifest that every format has."""

    format: Annotated[int, msgspec.Meta(ge=1)]
    schema: int = 0


class _FileOfFormat1(msgspec.Struct):
    rows: int
    bytes: int
    sha256: str


class _WrittenOfFormat1(msgspec.Struct):
    partition: Partition
    digest: str
    files: dict[str, _FileOfFormat1]


class _ManifestOfFormat1(msgspec.Struct):
    format: int
    version: str
    warehouse: str
    is_complete: bool
    partitions: list[_WrittenOfFormat1]
    tables: dict[str, _FileOfFormat1]


def whole(table: str) -> str:
    """The path of an unpartitioned table's file, relative to the folder."""
    return f"{table}/data.parquet"


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of an export or a lake; None when the folder has none.

    Raises:
        ExportError: It is damaged, or a newer runmart wrote it.
    """
    path = folder / MANIFEST
    try:
        return decoded(path.read_bytes(), str(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error}") from None


def decoded(text: bytes, path: str) -> Manifest:
    """A manifest from its text, whatever its format; files of formats before 3 get their schema version.

    Raises:
        ExportError: It is damaged, or a newer runmart wrote it.
    """
    try:
        found = msgspec.json.decode(text, type=_Format)
        if found.format > FORMAT:
            raise ExportError(f"{path}: it has format {found.format}, this runmart knows {FORMAT}: upgrade it")
        if found.schema > schema.current():
            raise ExportError(
                f"{path}: a newer runmart wrote files of it (schema version {found.schema}, this one knows "
                f"{schema.current()}): upgrade runmart"
            )
        if found.format == 1:
            manifest = _of_format_1(msgspec.json.decode(text, type=_ManifestOfFormat1))
        else:
            manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.DecodeError as error:
        raise ExportError(f"{path} cannot be read: {error}") from None
    if found.format in _SCHEMAS:
        manifest.schema = _SCHEMAS[found.format]
        for _, file in manifest.all_files():
            file.schema = manifest.schema
    if unknown := {table for table, _ in manifest.all_files()} - set(schema.STORED):
        raise ExportError(f"{path}: it has tables that this runmart does not know ({', '.join(unknown)}): upgrade it")
    return manifest


def _of_format_1(old: _ManifestOfFormat1) -> Manifest:
    """The same manifest with the paths of files, which format 1 leaves to its layout."""

    def file(path: str, found: _FileOfFormat1) -> File:
        return File(path, found.rows, found.bytes, found.sha256)

    partitions = [
        Written(one.partition, one.digest, {name: file(one.partition.path(name), of) for name, of in one.files.items()})
        for one in old.partitions
    ]
    tables = {name: file(whole(name), of) for name, of in old.tables.items()}
    return Manifest(old.format, old.version, old.warehouse, old.is_complete, partitions, tables)


def encoded(manifest: Manifest) -> bytes:
    """The JSON text of a manifest."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest atomically."""
    aside = folder / MANIFEST_ASIDE
    aside.write_bytes(encoded(manifest))
    put_in_place(aside, folder / MANIFEST)


def put_in_place(aside: Path, path: Path) -> None:
    """Replace a file atomically by another one, which is synced to the disk first."""
    sync(aside)
    aside.replace(path)
    sync(path.parent)


@contextmanager
def held(folder: Path, *, for_writing: bool) -> Generator[None]:
    """Hold a lock on the folder: shared for reading, exclusive for writing.

    Raises:
        ExportError: Another process holds a lock that conflicts.
    """
    try:
        import fcntl
    except ImportError:  # on Windows there is no such lock
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems have no locks
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_EX if for_writing else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ExportError(f"{folder}: another export or import uses it; try again later") from None
        yield
    finally:
        os.close(descriptor)
