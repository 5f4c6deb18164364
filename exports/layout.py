"""The layout of an export: `TABLE/source=SOURCE/month=MONTH/data.parquet`, and what was written, in a manifest.

Partition columns are in the paths only, as Hive has it: `source` is the label of the runs, `month` (2025-01) the one,
in UTC, in which they were created. Steps lie by their own source and month.
"""

import hashlib
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import msgspec

from runmart.ingest.errors import RunmartError
from runmart.models.prices import MODEL_ALIASES, PRICES
from runmart.models.tables import ALL_TABLES

MANIFEST = "runmart-export.json"
MANIFEST_ASIDE = f".{MANIFEST}.part"
"""What there may be of one that was never finished, when the disk is full."""

FORMAT = 1
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

    def path(self, table: str) -> str:
        """Where the rows of a table are, from the folder on."""
        month = self.month or NO_VALUE
        return f"{table}/source={quote(self.source, safe='') or NO_VALUE}/month={month}/data.parquet"


class File(msgspec.Struct):
    """What was written of a table into one file."""

    rows: int
    bytes: int
    sha256: str


class Written(msgspec.Struct):
    """What was written of a partition."""

    partition: Partition
    digest: str
    """Of what it was made of."""
    files: dict[str, File]
    """Of each table that has rows in it."""


class Manifest(msgspec.Struct):
    """What an export holds."""

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

    def files(self) -> Iterator[tuple[str, str, File]]:
        """Each file: where it is, from the folder on, and the table whose rows it holds."""
        for one in self.partitions:
            for table, file in one.files.items():
                yield one.partition.path(table), table, file
        for table, file in self.tables.items():
            yield whole(table), table, file


class _Format(msgspec.Struct):
    """The part of a manifest that every version has."""

    format: int


def whole(table: str) -> str:
    """Where a table is that is written whole, from the folder on."""
    return f"{table}/data.parquet"


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of an export; None where there is none.

    Raises:
        ExportError: It is damaged, or of a newer runmart.
    """
    path = folder / MANIFEST
    try:
        text = path.read_bytes()
        found = msgspec.json.decode(text, type=_Format).format
        if found != FORMAT:
            raise ExportError(f"{path}: it has format {found}, this runmart knows {FORMAT}: upgrade it")
        return msgspec.json.decode(text, type=Manifest)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ExportError(f"{path} cannot be read: {error}") from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put the manifest in its place, whole or not at all."""
    aside = folder / MANIFEST_ASIDE
    aside.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
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
