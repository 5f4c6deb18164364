"""A warehouse in a DuckDB file, which one process at a time opens for writing."""

import re
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Never

from runmart.ingest.errors import LockedError, WarehouseError
from runmart.ingest.sql_text import quoted
from runmart.ingest.warehouse import file_copy
from runmart.ingest.warehouse.backend import (
    NAME,
    Attachment,
    Backend,
    CopyMethod,
    Snapshot,
    has_bookkeeping,
)
from runmart.ingest.warehouse.file_lock import no_writers
from runmart.ingest.warehouse.writer import Result, Writer

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WRITER_MEMORY = "256MB"
"""DuckDB's memory limit while it loads; by default it keeps what it has written, up to most of the RAM."""

FREE_SHARE, FREE_BYTES = 0.25, 64 << 20
"""A file of which as much is free space is rewritten: the copy is as small as it can be, but takes longer."""

_NO_DATABASE = "it is not a valid DuckDB database file; name another one with --warehouse"
"""DuckDB opens a path such as `:memory:`, and files of JSON, CSV or Parquet, as a database that it keeps nowhere."""

_RETRY_SECONDS = 0.1
_VERSIONS = ".versions"
_HOLDER = re.compile(r"Conflicting lock is held in (?P<program>.*?) \(PID (?P<pid>\d+)\)")
_STORAGE_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


class _Lease(NamedTuple):
    """The number of a load; no other load can be running."""

    load_id: int

    def close(self) -> None:
        """Nothing is held."""


class FileWriter(Writer):
    """Writes to a file that this process alone has open, or to any other database that is its own."""

    is_shared = False
    has_column_comments = True

    def with_write_lock(self, write: Callable[[], Result], timeout_seconds: float | None = None) -> Result:
        """See `Writer.with_write_lock`; whoever has the file open holds its lock."""
        del timeout_seconds
        return write()

    write_exclusively = with_write_lock

    def lease(self, last_load_id: Callable[[], int]) -> _Lease:
        """See `Writer.lease`."""
        return _Lease(last_load_id() + 1)

    def has_ended(self, load_id: int) -> bool:
        """See `Writer.has_ended`."""
        del load_id
        return True


class FileVersion(NamedTuple):
    """Differs between two states of a file."""

    device: int
    inode: int
    size: int
    modified_ns: int


@dataclass(frozen=True, slots=True, repr=False)
class DuckDBFile(Backend):
    """A DuckDB file."""

    path: Path

    kind = "DuckDB file"
    _shows_causes = True

    def __str__(self) -> str:
        """The path as it was given."""
        return str(self.path)

    __repr__ = __str__

    @property
    def address(self) -> str:
        """See `Backend.address`."""
        return str(self.path.absolute())

    @property
    def file(self) -> Path:
        """See `Backend.file`."""
        return self.path

    def with_data(self, data: str) -> Never:
        """See `Backend.with_data`."""
        del data
        raise WarehouseError(f"{self}: a DuckDB file holds all that is in it; --data is for a DuckLake")

    @contextmanager
    def _writing(self, lock_timeout_seconds: float) -> Generator[FileWriter]:
        from runmart.ingest.warehouse.migrations import migrate

        if is_published_copy(self.path):
            raise WarehouseError("this is a published copy, which the next one replaces; write to the warehouse itself")
        if not self.path.parent.is_dir():
            raise WarehouseError(f"the folder {self.path.parent} does not exist; create it first")
        with self._connected(lock_timeout_seconds, read_only=False) as connection:
            if lake := viewed_lake(connection):
                raise WarehouseError(
                    f"it only shows the lake {lake}: load there with runmart lake load, then bring this up to date "
                    "with runmart lake open"
                )
            writer = FileWriter(connection)
            migrate(writer)
            yield writer

    @contextmanager
    def _reading(self, lock_timeout_seconds: float) -> Generator["DuckDBPyConnection"]:
        if not self.path.exists():
            raise WarehouseError(f"no such warehouse; create it with: runmart ingest PAGES --warehouse {self}")
        with self._connected(lock_timeout_seconds, read_only=True) as connection:
            yield connection

    @contextmanager
    def _connected(self, lock_timeout_seconds: float, *, read_only: bool) -> Generator["DuckDBPyConnection"]:
        connection = self._connect(lock_timeout_seconds, read_only=read_only)
        try:
            connection.execute("set timezone = 'UTC'")
            yield connection
        finally:
            connection.close()

    def _connect(self, lock_timeout_seconds: float, *, read_only: bool) -> "DuckDBPyConnection":
        import duckdb

        config: dict[str, str | bool | int | float | list[str]] = {}
        if not read_only:
            config |= {"storage_compatibility_version": file_copy.STORAGE_VERSION, "memory_limit": WRITER_MEMORY}
        deadline = time.monotonic() + lock_timeout_seconds
        while True:
            try:
                connection = duckdb.connect(self.path, read_only=read_only, config=config)
                break
            except duckdb.CatalogException as error:
                raise WarehouseError(_NO_DATABASE) from error
            except duckdb.IOException as error:
                if "Could not set lock" not in str(error):
                    raise
                if time.monotonic() >= deadline:
                    raise LockedError(_locked(str(error), lock_timeout_seconds)) from None
            time.sleep(_RETRY_SECONDS)
        opened = "select count(path) from duckdb_databases() where database_name = current_database()"
        if connection.execute(opened).fetchall() == [(0,)]:
            connection.close()
            raise WarehouseError(_NO_DATABASE)
        return connection

    def exists(self) -> bool:
        """See `Backend.exists`."""
        return self.path.exists()

    def size(self, connection: "DuckDBPyConnection") -> int:
        """See `Backend.size`."""
        del connection
        return self.path.stat().st_size

    def storage_version(self, connection: "DuckDBPyConnection") -> str:
        """See `Backend.storage_version`."""
        rows = connection.execute(
            "select tags['storage_version'] from duckdb_databases() where database_name = current_database()"
        ).fetchall()
        return rows[0][0] or "unknown"

    def readable_by(self, storage_version: str) -> str:
        """See `Backend.readable_by`."""
        match = _STORAGE_VERSION.match(storage_version)
        return f"every DuckDB shell from {match[1]}.{match[2]} on" if match else "the DuckDB version that made it"

    def attach(self) -> Attachment | None:
        """See `Backend.attach`.

        It is attached to a database in memory, since DuckDB gives a process that connects to a path again what it had
        opened there before, even when the file is another by now.
        """
        import duckdb

        version = self.version()
        if version is None:
            raise FileNotFoundError(f"{self}: no such warehouse")
        connection = duckdb.connect()
        try:
            connection.execute(f"attach {quoted(self.path.resolve())} as {NAME} (read_only)")
            is_warehouse = has_bookkeeping(connection)
        except duckdb.Error as error:
            connection.close()
            if self.version() != version:
                return None
            raise self._reading_error(error) from None
        if not is_warehouse:
            connection.close()
            raise ValueError(f"{self}: it is a DuckDB file, but no runmart warehouse")
        return Attachment(connection, version, is_certain=self.version() == version)

    def _reading_error(self, error: Exception) -> OSError | ValueError:
        reason = str(error).splitlines()[0].removeprefix("IO Error: ")
        if "Could not set lock" in reason:
            return BlockingIOError(f"{self}: another process writes to it; try again when that is done")
        if "Permission denied" in reason:
            return PermissionError(f"{self}: you may not read it")
        return ValueError(f"{self}: it is no DuckDB file, a damaged one, or too new for this DuckDB: {reason}")

    def version(self) -> FileVersion | None:
        """See `Backend.version`."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return FileVersion(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)

    @contextmanager
    def snapshot(self, lock_timeout_seconds: float) -> Generator["FileSnapshot"]:
        """See `Backend.snapshot`; no process can open the file for writing while this lasts."""
        path = self.path.resolve()
        log = path.with_name(f"{path.name}.wal")
        if log.exists():  # a killed process has left it; only the file is copied
            with DuckDBFile(path).open_for_writing(lock_timeout_seconds):
                pass
        with no_writers(path, lock_timeout_seconds):
            if log.exists():
                raise LockedError(f"{path}: another process has just written to it; publish it again")
            yield FileSnapshot(path)

    def maintain(self, keep_seconds: float, lock_timeout_seconds: float) -> Never:
        """See `Backend.maintain`."""
        del keep_seconds, lock_timeout_seconds
        raise WarehouseError(f"{self}: a DuckDB file needs no maintenance; this is for ducklake:postgres:...")

    def purge(self, lock_timeout_seconds: float) -> None:
        """See `Backend.purge`."""
        file_copy.compact(self.path, lock_timeout_seconds)

    def _sentence(self, message: str) -> str:
        """DuckDB's message without its kind, its advice for developers and its addresses."""
        text = message.splitlines()[0].partition(". See ")[0]
        return text.removeprefix("IO Error: ").removeprefix("Serialization Error: ")


class FileSnapshot(Snapshot):
    """A file to which nobody can write."""

    has_column_comments = True

    def __init__(self, path: Path) -> None:
        """Look at the file.

        Raises:
            WarehouseError: It cannot be read.
        """
        import duckdb

        state = path.stat()
        try:
            with duckdb.connect(path, read_only=True) as connection:
                [(free, total, size, prunes)] = connection.execute("""
                    select free_blocks, total_blocks, block_size, (select count(*) from runmart.prunes)
                    from pragma_database_size()""").fetchall()
        except duckdb.Error as error:
            raise WarehouseError(f"{path}: {str(error).splitlines()[0]}") from None
        self.name = f"{state.st_mtime_ns:x}-{state.st_size:x}"
        self.prunes = prunes
        self._path = path
        self._is_fragmented = free >= total * FREE_SHARE and free * size >= FREE_BYTES
        self._used_bytes = (total - free) * size

    def copy_to(self, path: Path) -> CopyMethod:
        """See `Snapshot.copy_to`."""
        if self._is_fragmented:
            file_copy.require_space(path.parent, self._used_bytes)
            file_copy.rewrite(self._path, path)
            return "rewritten"
        return file_copy.clone_or_copy(self._path, path)


def viewed_lake(connection: "DuckDBPyConnection") -> str | None:
    """The lake whose files are shown by the views of a file; None when it is a warehouse of its own, or none."""
    found = connection.execute(
        "select 1 from duckdb_tables() where schema_name = 'runmart' and table_name = 'window'"
    ).fetchall()
    return connection.execute("select lake from runmart.window").fetchall()[0][0] if found else None


def versions_folder(path: Path) -> Path:
    """The folder of the published versions of a name; see `publish`."""
    return path.with_name(f".{path.name}{_VERSIONS}")


def is_published_copy(path: Path) -> bool:
    """Whether a path leads to a published version, over any number of links, even if that was removed."""
    folder = path.resolve().parent.name
    return folder.startswith(".") and folder.endswith(_VERSIONS)


def _locked(message: str, waited_seconds: float) -> str:
    holder = _HOLDER.search(message)
    who = f"{Path(holder['program']).name} (process {holder['pid']})" if holder else "another process"
    return (
        f"locked by {who}; waited {waited_seconds:g} s. Close it there, open it with -readonly in a shell, "
        "or wait longer with --lock-timeout"
    )
