"""The layout of an export: `TABLE/source=SOURCE/month=MONTH/data.parquet`, and what was written, in a manifest.

Partition columns are in the paths only, as Hive has it: `source` is the label of the runs, `month` (2025-01) the one,
in UTC, in which they were created. Steps lie by their own source and month.
"""

import os
from pathlib import Path
from urllib.parse import quote

import msgspec

from runmart.ingest.errors import RunmartError
from runmart.models.tables import ALL_TABLES

MANIFEST = "runmart-export.json"
FORMAT = 1
PLAIN = ("prices", "model_aliases")
"""Tables that are written whole, into one file each."""

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


class Written(msgspec.Struct):
    """What was written of a partition."""

    partition: Partition
    digest: str
    """Of what it was made of."""
    rows: dict[str, int]
    """Of each table that has rows in it."""


class Manifest(msgspec.Struct):
    """What an export holds."""

    format: int
    version: str
    """Of runmart."""
    warehouse: str
    """Which warehouse it is of: when that was made."""
    partitions: list[Written]
    tables: dict[str, int]
    """Rows of each table that is written whole."""


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of an export; None where there is none.

    Raises:
        ExportError: It is damaged, or of a newer runmart.
    """
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ExportError(f"{path} cannot be read: {error}") from None
    if manifest.format != FORMAT:
        raise ExportError(f"{path}: it has format {manifest.format}, this runmart knows {FORMAT}: upgrade it")
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put the manifest in its place, whole or not at all."""
    path = folder / MANIFEST
    aside = path.with_name(f".{MANIFEST}.part")
    aside.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    put_in_place(aside, path)


def put_in_place(aside: Path, path: Path) -> None:
    """Rename a file that was written aside, once it is on the disk."""
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    aside.replace(path)


COLUMNS: dict[str, tuple[str, ...]] = {
    table.name: tuple(column.name for column in table.columns if column.name not in {"source", "load_id"})
    for table in ALL_TABLES
}
"""What is in the files. Which load brought a row is the warehouse's own matter."""
