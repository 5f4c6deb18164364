"""The layout of an export, and of a lake: `TABLE/source=SOURCE/month=MONTH/NAME.parquet`, and a manifest of all of it.

Partition columns are in the paths only, as Hive has it: `source` is the label of the runs, `month` (2025-01) the one,
in UTC, in which they were created. Steps lie by their own source and month. In an export, a partition has one file of
each table; in a lake one for each shard, with the runs whose ids fall to it. What the manifest does not name is not
part of it.
"""

import hashlib
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from runmart.ingest.errors import RunmartError
from runmart.models.tables.all import ALL_TABLES
from runmart.models.tables.prices import MODEL_ALIASES, PRICES

MANIFEST = "runmart-export.json"
MANIFEST_ASIDE = f".{MANIFEST}.part"
"""What there may be of one that was never finished, when the disk is full."""

FORMAT = 2
PLAIN = {book.name: tuple(note.name for note in book.columns) for book in (PRICES, MODEL_ALIASES)}
"""Tables that are written whole, into one file each, and their columns."""

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""Hive's word for null."""


class ExportError(RunmartError):
    """An export cannot be written, or read."""


class Partition(msgspec.Struct, frozen=True):
    """The runs of a source that were created in a month, with all that belongs to them; and steps."""

    source: str
    month: str | None
    """As 2025-01; None where it is not known."""

    def path(self, table: str, name: str = "data") -> str:
        """Where the rows of a table are, from the folder on."""
        month = self.month or NO_VALUE
        return f"{table}/source={quote(self.source, safe='') or NO_VALUE}/month={month}/{name}.parquet"


class File(msgspec.Struct):
    """What was written of a table into one file."""

    path: str
    """From the folder on."""
    rows: int
    bytes: int
    sha256: str


class Written(msgspec.Struct):
    """What was written of a partition, or of a shard of it."""

    partition: Partition
    digest: str
    """Of what it was made of; a lake has none."""
    files: dict[str, File]
    """Of each table that has rows in it."""
    shard: int = 0


class Lake(msgspec.Struct, omit_defaults=True):
    """What a lake has beside the tables of an export: how runs are spread, and what its batches did."""

    shards: int
    """The ids of runs are spread over so many."""
    loads: list[dict[str, Any]]
    """A row of `runmart.loads` for each batch; instants in microseconds since 1970."""
    books: dict[str, dict[int, File]]
    """`inputs` and `rejects`: a file for each shard that has rows."""
    content: dict[str, str]
    """What becomes of the content of runs; of each field that is not kept."""
    key_fingerprint: str | None = None
    """Which key hashes are made with."""
    replaced: list[str] = []
    """Files that the last batch replaced; readers that had begun may still be at them."""


class Manifest(msgspec.Struct, omit_defaults=True):
    """What an export, or a lake, holds."""

    format: int
    version: str
    """Of runmart."""
    warehouse: str
    """Which warehouse it is of: when that was made."""
    is_complete: bool
    """Whether the last export came to its end."""
    partitions: list[Written]
    tables: dict[str, File]
    """Tables that are written whole."""
    lake: Lake | None = None
    """What only a lake has; None in an export."""

    def files(self) -> Iterator[tuple[str, File]]:
        """Each file, and the table whose rows it holds; but the bookkeeping of a lake."""
        for one in self.partitions:
            yield from one.files.items()
        yield from self.tables.items()


class _Format(msgspec.Struct):
    """The part of a manifest that every version has."""

    format: int


def whole(table: str) -> str:
    """Where a table is that is written whole, from the folder on."""
    return f"{table}/data.parquet"


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of an export, or of a lake; None where there is none.

    Raises:
        ExportError: It is damaged, or of another format.
    """
    path = folder / MANIFEST
    try:
        return decoded(path.read_bytes(), str(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error}") from None


def decoded(text: bytes, path: str) -> Manifest:
    """A manifest from its text.

    Raises:
        ExportError: It is damaged, or of another format.
    """
    try:
        found = msgspec.json.decode(text, type=_Format).format
        if found < FORMAT:
            raise ExportError(f"{path}: an older runmart wrote it (format {found}); export again, into an empty folder")
        if found > FORMAT:
            raise ExportError(f"{path}: it has format {found}, this runmart knows {FORMAT}: upgrade it")
        return msgspec.json.decode(text, type=Manifest)
    except msgspec.DecodeError as error:
        raise ExportError(f"{path} cannot be read: {error}") from None


def encoded(manifest: Manifest) -> bytes:
    """A manifest as it is written."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put the manifest in its place, whole or not at all."""
    aside = folder / MANIFEST_ASIDE
    aside.write_bytes(encoded(manifest))
    put_in_place(aside, folder / MANIFEST)


def put_in_place(aside: Path, path: Path) -> None:
    """Rename a file that was written aside, once it is on the disk."""
    _sync(aside)
    aside.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """The digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def held(folder: Path, *, for_writing: bool) -> Generator[None]:
    """While this lasts, nobody else writes to the export; nor reads it, when it is for writing.

    Raises:
        ExportError: Somebody does.
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
                raise ExportError(f"{folder}: another export or import is at work there; try again later") from None
        yield
    finally:
        os.close(descriptor)


COLUMNS: dict[str, tuple[str, ...]] = {
    table.name: tuple(column.name for column in table.columns if column.name not in {"source", "load_id"})
    for table in ALL_TABLES
}
"""What is in the files. Which load brought a row is the warehouse's own matter."""
