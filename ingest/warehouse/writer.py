"""Writer: a connection that writes to a warehouse, and what keeps its writes apart from those of others."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Result = TypeVar("Result")


class Lease(Protocol):
    """The number of a load, held by no other load, until it is closed."""

    @property
    def load_id(self) -> int:
        """The number."""
        ...

    def close(self) -> None:
        """End the lease: the load has ended."""
        ...


class Writer(ABC):
    """A connection to a warehouse that is open for writing; each backend has a class of its own.

    Transactions are begun within `with_write_lock`, and ended with `commit` or by `transaction`.
    """

    is_shared: ClassVar[bool]
    """Whether other processes may write at the same time."""
    has_column_comments: ClassVar[bool]
    """Whether columns of views can have comments."""

    def __init__(self, connection: "DuckDBPyConnection") -> None:
        self.connection = connection

    @abstractmethod
    def with_write_lock(self, write: Callable[[], Result], timeout_seconds: float | None = None) -> Result:
        """The result of `write`, called while no other process writes; called again after a conflict.

        Args:
            write: Writes in one transaction of its own; when it fails, it must leave things as they were.
            timeout_seconds: How long to wait for the lock; by default as long as `open_for_writing` does.

        Raises:
            LockedError: Another process holds the lock for too long.
            WarehouseError: The lock was lost, or there were too many conflicts.
        """

    @abstractmethod
    def write_exclusively(self, write: Callable[[], Result], timeout_seconds: float | None = None) -> Result:
        """The result of `write`, as from `with_write_lock`, where `write` begins no transaction.

        It gets one of its own where the warehouse is shared; elsewhere it joins the open one, if there is one.
        """

    @abstractmethod
    def lease(self, last_load_id: Callable[[], int]) -> Lease:
        """A lease for a new load.

        Args:
            last_load_id: Returns the highest number of the loads that are recorded by now.
        """

    @abstractmethod
    def has_ended(self, load_id: int) -> bool:
        """Whether a load that is recorded as running runs no longer: it was killed."""

    def commit(self) -> None:
        """Commit the open transaction.

        Raises:
            WarehouseError: The write lock was lost; nothing is committed.
        """
        self.connection.execute("commit")

    @contextmanager
    def transaction(self) -> Generator[None]:
        """A transaction, committed at the end and rolled back after an error."""
        import duckdb

        self.connection.execute("begin")
        try:
            yield
            self.commit()
        except BaseException:
            with suppress(duckdb.Error):  # a commit that fails has ended it
                self.connection.execute("rollback")
            raise
