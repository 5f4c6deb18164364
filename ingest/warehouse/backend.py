"""Backend: the interface to where a warehouse is kept.

A new kind of storage is a subclass of `Backend`, of `Writer` and of `Snapshot`, and a prefix in `parse_location`.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator, Hashable
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Self

from runmart.ingest.errors import WarehouseError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from runmart.ingest.warehouse.writer import Writer

NAME = "warehouse"
"""What a warehouse is called in a connection that it is attached to."""

Version = Hashable
"""Differs between two states of a warehouse."""

CopyMethod = Literal["cloned", "copied", "rewritten"]


class Attachment(NamedTuple):
    """A connection in which a warehouse is attached, read-only, as `NAME`."""

    connection: "DuckDBPyConnection"
    version: Version
    is_certain: bool
    """Whether the connection surely sees this version, rather than one that has just replaced it."""


class Maintained(NamedTuple):
    """What maintenance did."""

    rewritten: int
    """Files that were rewritten, since many of their rows were deleted."""
    merged: int
    """Files that were merged."""
    created: int
    """Files that replaced them."""
    expired: int
    """Snapshots that can no longer be queried."""
    removed: int
    """Files that were removed."""
    seconds: float


class Snapshot(ABC):
    """One state of a warehouse, which does not change while it is copied."""

    has_column_comments: ClassVar[bool]
    """Whether a copy has the comments on columns of views."""

    name: str
    """Differs between two states; fit for the name of a file."""
    prunes: int
    """The number of prunes there were."""

    @abstractmethod
    def copy_to(self, path: Path) -> CopyMethod:
        """Write all of it to a new DuckDB file.

        Raises:
            OSError: The disk is full, or fails.
            WarehouseError: It could not be copied.
        """


class Backend(ABC):
    """Where a warehouse is kept, and how it is opened. `str` is its location as it may be shown: without passwords.

    Backends are values: equal ones are the same warehouse, and none holds anything open.
    """

    __slots__ = ()

    kind: ClassVar[str]
    """What people call it, such as "DuckDB file"."""
    _shows_causes: ClassVar[bool]
    """Whether DuckDB's own errors, which may quote the address, stay visible as the cause of ours."""

    @property
    @abstractmethod
    def address(self) -> str:
        """The location that `parse_location` makes this of in any folder, with passwords."""

    @property
    @abstractmethod
    def file(self) -> Path | None:
        """The DuckDB file that holds all of it; None when it is kept elsewhere."""

    @abstractmethod
    def with_data(self, data: str) -> Self:
        """The same warehouse, with its files in a folder or at an URL.

        Raises:
            WarehouseError: It has no files beside it.
        """

    @contextmanager
    def open_for_writing(self, lock_timeout_seconds: float) -> Generator["Writer"]:
        """A writer to the warehouse, created if need be; its schema is up to date.

        Raises:
            LockedError: Another process still uses it after `lock_timeout_seconds`.
            WarehouseError: It cannot be opened or brought up to date.
        """
        with self._explained(), self._writing(lock_timeout_seconds) as writer:
            yield writer

    @contextmanager
    def open_for_reading(self, lock_timeout_seconds: float) -> Generator["DuckDBPyConnection"]:
        """A read-only connection to an existing warehouse; its time zone is UTC.

        Raises:
            LockedError: Another process still writes to it after `lock_timeout_seconds`.
            WarehouseError: There is none, or it is not a warehouse.
        """
        from runmart.ingest.warehouse.migrations import schema_version

        with self._explained(), self._reading(lock_timeout_seconds) as connection:
            if schema_version(connection) == 0:
                raise WarehouseError(f"it is a {self.kind}, but no runmart warehouse; check --warehouse")
            yield connection

    @abstractmethod
    def _writing(self, lock_timeout_seconds: float) -> AbstractContextManager["Writer"]:
        """See `open_for_writing`; errors of DuckDB are explained there."""

    @abstractmethod
    def _reading(self, lock_timeout_seconds: float) -> AbstractContextManager["DuckDBPyConnection"]:
        """See `open_for_reading`, which checks that it is a warehouse."""

    @abstractmethod
    def exists(self) -> bool:
        """Whether there is a warehouse already.

        Raises:
            WarehouseError: It cannot be reached.
        """

    @abstractmethod
    def size(self, connection: "DuckDBPyConnection") -> int:
        """The bytes of what it holds now.

        Args:
            connection: A connection from `open_for_reading`.
        """

    @abstractmethod
    def storage_version(self, connection: "DuckDBPyConnection") -> str:
        """The version of its storage format, such as v1.4.0+, or what else is to be known of its storage."""

    @abstractmethod
    def readable_by(self, storage_version: str) -> str:
        """The versions of DuckDB's shell that can open it, in words."""

    @abstractmethod
    def attach(self) -> Attachment | None:
        """A connection for readers within this process; None when it was replaced meanwhile, so that one tries again.

        Raises:
            FileNotFoundError: There is no warehouse.
            PermissionError: It may not be read.
            BlockingIOError: Another process writes to it.
            ConnectionError: It cannot be reached.
            ValueError: It is no warehouse, or a damaged one.
        """

    @abstractmethod
    def version(self) -> Version | None:
        """The version that readers would see now; None when there is none, or it cannot be reached."""

    def known_version(self) -> Version | None:
        """The version that readers would see now, if it is known without a new connection."""
        return self.version()

    @abstractmethod
    def snapshot(self, lock_timeout_seconds: float) -> AbstractContextManager[Snapshot]:
        """The state of the warehouse as it is now, which nobody in this process has open for writing.

        Raises:
            LockedError: Another process writes to it for too long.
            WarehouseError: It cannot be opened.
        """

    @abstractmethod
    def maintain(self, keep_seconds: float, lock_timeout_seconds: float) -> Maintained:
        """Merge small files and remove what is no longer needed.

        Args:
            keep_seconds: How long old snapshots stay queryable.
            lock_timeout_seconds: How long to wait while another process writes.

        Raises:
            LockedError: Another process writes for too long.
            WarehouseError: It needs no maintenance, or cannot be written to.
        """

    @abstractmethod
    def purge(self, lock_timeout_seconds: float) -> None:
        """Remove deleted rows from storage, for good; nobody in this process may have the warehouse open.

        Raises:
            LockedError: Another process writes for too long.
            WarehouseError: It cannot be rewritten.
        """

    @abstractmethod
    def _sentence(self, message: str) -> str:
        """A message of DuckDB, as a sentence for people; without passwords."""

    @contextmanager
    def _explained(self) -> Generator[None]:
        """Turn errors into sentences that begin with the location."""
        import duckdb

        try:
            yield
        except duckdb.Error as error:
            cause = error if self._shows_causes else None
            raise WarehouseError(f"{self}: {self._sentence(str(error))}") from cause
        except WarehouseError as error:
            if str(error).startswith(str(self)):
                raise
            raise type(error)(f"{self}: {error}") from error.__cause__


def has_bookkeeping(connection: "DuckDBPyConnection") -> bool:
    """Whether what is attached as `NAME` is a warehouse, however old."""
    tables = connection.execute(
        f"select 1 from duckdb_tables() where database_name = '{NAME}' and schema_name = 'runmart'"
    ).fetchall()
    return bool(tables)
