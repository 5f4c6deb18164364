"""A warehouse in a DuckLake with its catalog in PostgreSQL, to which many processes and machines write."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Self

from runmart.ingest.errors import WarehouseError
from runmart.ingest.warehouse import ducklake, ducklake_maintenance, file_copy
from runmart.ingest.warehouse.backend import (
    NAME,
    Attachment,
    Backend,
    CopyMethod,
    Maintained,
    Snapshot,
    has_bookkeeping,
)
from runmart.ingest.warehouse.ducklake_address import DuckLakeAddress, absolute
from runmart.ingest.warehouse.write_lock import DuckLakeWriter, WriteLock

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WRITER_MEMORY = "1GB"
"""DuckDB's memory limit while it loads: it writes and reads whole row groups of Parquet files."""

_watchers: "dict[DuckLake, DuckDBPyConnection]" = {}
"""Connections that see the newest snapshot, kept since a new one takes a quarter of a second."""
_watching = Lock()


class DuckLakeVersion(NamedTuple):
    """Differs between two states of a DuckLake."""

    lake: "DuckLake"
    snapshot: int


@dataclass(frozen=True, slots=True, repr=False)
class DuckLake(DuckLakeAddress, Backend):
    """A DuckLake."""

    kind = "DuckLake"
    _shows_causes = False

    @property
    def file(self) -> None:
        """See `Backend.file`."""

    def with_data(self, data: str) -> Self:
        """See `Backend.with_data`."""
        return replace(self, data=absolute(data))

    @contextmanager
    def _writing(self, lock_timeout_seconds: float) -> Generator[DuckLakeWriter]:
        from runmart.ingest.warehouse.migrations import is_current, migrate

        lock = WriteLock(self.catalog, lock_timeout_seconds)
        try:
            connection = ducklake.attach(self, read_only=False, memory=WRITER_MEMORY)
            if connection is None:
                with lock.held():  # two that create it at once would fail
                    connection = ducklake.attach(self, read_only=False, memory=WRITER_MEMORY)
                    connection = connection or ducklake.create(self, WRITER_MEMORY)
            try:
                writer = DuckLakeWriter(connection, self.catalog, lock)
                if not is_current(connection):
                    writer.with_write_lock(partial(migrate, writer))
                yield writer
            finally:
                connection.close()
        finally:
            lock.close()

    @contextmanager
    def _reading(self, lock_timeout_seconds: float) -> Generator["DuckDBPyConnection"]:
        del lock_timeout_seconds  # readers never wait
        connection = ducklake.attach(self, read_only=True)
        if connection is None:
            raise WarehouseError(
                f"no such warehouse; create it with: runmart ingest PAGES --warehouse '{self}' "
                "--data s3://BUCKET/FOLDER"
            )
        try:
            yield connection
        finally:
            connection.close()

    def exists(self) -> bool:
        """See `Backend.exists`."""
        from runmart.ingest.warehouse.migrations import schema_version

        with self._explained():
            connection = ducklake.attach(self, read_only=True)
            try:
                return connection is not None and schema_version(connection) > 0  # else another process is creating it
            finally:
                if connection is not None:
                    connection.close()

    def size(self, connection: "DuckDBPyConnection") -> int:
        """See `Backend.size`: the bytes of the files of the newest snapshot."""
        query = f"select sum(file_size_bytes + delete_file_size_bytes) from ducklake_table_info('{NAME}')"
        return int(connection.execute(query).fetchall()[0][0] or 0)

    def storage_version(self, connection: "DuckDBPyConnection") -> str:
        """See `Backend.storage_version`: where its files are."""
        return f"DuckLake, files in {ducklake.data_path(connection)}"

    def readable_by(self, storage_version: str) -> str:
        """See `Backend.readable_by`."""
        del storage_version
        return "DuckDB from 1.5 on"

    def attach(self) -> Attachment:
        """See `Backend.attach`; it sees the snapshot that is the newest one now."""
        import duckdb

        try:
            connection = ducklake.attach(self, read_only=True)
        except (duckdb.Error, WarehouseError) as error:
            raise ConnectionError(f"{self}: {self._sentence(str(error))}") from None
        if connection is None:
            raise FileNotFoundError(f"{self}: no such warehouse")
        version = DuckLakeVersion(self, ducklake.snapshot(connection))
        if not has_bookkeeping(connection):
            connection.close()
            raise ValueError(f"{self}: it is a DuckLake, but no runmart warehouse")
        return Attachment(connection, version, is_certain=True)

    def version(self) -> DuckLakeVersion | None:
        """See `Backend.version`."""
        import duckdb

        with _watching:
            try:
                watcher = _watchers.get(self) or ducklake.attach(self, read_only=True, is_pinned=False)
                if watcher is None:
                    return None
                _watchers[self] = watcher
                return DuckLakeVersion(self, ducklake.snapshot(watcher))
            except (duckdb.Error, WarehouseError):
                if watcher := _watchers.pop(self, None):
                    watcher.close()
                return None

    def known_version(self) -> DuckLakeVersion | None:
        """See `Backend.known_version`."""
        return self.version() if self in _watchers else None

    @contextmanager
    def snapshot(self, lock_timeout_seconds: float) -> Generator["DuckLakeSnapshot"]:
        """See `Backend.snapshot`; writers need not wait."""
        with self.open_for_reading(lock_timeout_seconds) as connection:
            yield DuckLakeSnapshot(self, connection)

    def maintain(self, keep_seconds: float, lock_timeout_seconds: float) -> Maintained:
        """See `Backend.maintain`."""
        with self._explained(), self._writing(lock_timeout_seconds) as writer:
            return ducklake_maintenance.maintain(writer, keep_seconds)

    def purge(self, lock_timeout_seconds: float) -> None:
        """See `Backend.purge`; a running query may fail."""
        with self._explained(), self._writing(lock_timeout_seconds) as writer:
            ducklake_maintenance.purge(writer)

    def _sentence(self, message: str) -> str:
        return ducklake.explained(message, self)


class DuckLakeSnapshot(Snapshot):
    """The snapshot that a connection sees."""

    has_column_comments = DuckLakeWriter.has_column_comments

    def __init__(self, lake: DuckLake, connection: "DuckDBPyConnection") -> None:
        [(created, prunes)] = connection.execute("""
            select (select epoch_us(min(applied_at)) from runmart.schema_version), (select count(*) from runmart.prunes)
            """).fetchall()
        self.name = f"{created:x}-{ducklake.snapshot(connection):x}"
        self.prunes = prunes
        self._connection = connection
        self._lake = lake

    def copy_to(self, path: Path) -> CopyMethod:
        """See `Snapshot.copy_to`."""
        file_copy.require_space(path.parent, self._lake.size(self._connection))
        file_copy.copy_database(self._connection, NAME, path)
        return "rewritten"
