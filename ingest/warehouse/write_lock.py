"""Write lock of a DuckLake: serialises writers with PostgreSQL's advisory locks, and detects loads that were killed.

DuckLake lets two transactions commit that insert the same new key, and two that delete from the same file, which
duplicates rows. So a writer takes a lock in PostgreSQL before it looks at the lake, and holds it for one transaction.
PostgreSQL releases a lock when the process that holds it ends, however it ends.
"""

import os
import platform
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runmart.ingest.errors import LockedError, WarehouseError
from runmart.ingest.warehouse.ducklake_address import connection_error
from runmart.ingest.warehouse.writer import Result, Writer

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ATTEMPTS = 8
LONGEST_WAIT_SECONDS = 5.0
"""How often a transaction is tried that conflicts with one of a writer without the lock, such as a shell."""

_SETTINGS = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
_NO_TIMEOUT = "select set_config(name, '0', false) from pg_settings where name = 'idle_session_timeout'"
_HOLDER = """
    select application_name, coalesce(host(client_addr), 'this machine'), pid,
        to_char(query_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')
    from pg_locks join pg_stat_activity using (pid)
    where locktype = 'advisory' and granted and pg_locks.database = (
        select oid from pg_database where datname = current_database())
    and objsubid = 1 and ((classid::bigint << 32) | objid::bigint) = %s"""
_LAST_APPLICATION_NAME = 63


class AdvisoryLocks:
    """A connection to a PostgreSQL database that holds locks; they are released when it ends."""

    def __init__(self, catalog: str) -> None:
        """Connect.

        Args:
            catalog: A connection string for libpq.

        Raises:
            WarehouseError: PostgreSQL refuses, or psycopg is not installed.
        """
        try:
            import psycopg
            from psycopg.conninfo import conninfo_to_dict, make_conninfo
        except ImportError:
            raise WarehouseError(
                "a shared warehouse is written to with psycopg, which is not installed: pip install 'runmart[ducklake]'"
            ) from None
        with _explained():
            settings = {**_SETTINGS, **conninfo_to_dict(catalog), "application_name": _application_name()}
            self._connection: psycopg.Connection[tuple[Any, ...]] = psycopg.connect(
                make_conninfo("", **settings), autocommit=True
            )
            self._connection.execute(_NO_TIMEOUT)

    def acquire(self, name: str, timeout_seconds: float) -> None:
        """Wait for a lock, and hold it.

        Raises:
            LockedError: Another process holds it for longer than that.
            WarehouseError: PostgreSQL cannot be reached any more.
        """
        from psycopg.errors import LockNotAvailable

        if self.try_acquire(name):
            return
        with _explained():
            try:
                milliseconds = max(round(timeout_seconds * 1000), 1)
                self._connection.execute("select set_config('lock_timeout', %s, false)", [str(milliseconds)])
                self._connection.execute("select pg_advisory_lock(%s)", [_key(name)])
            except LockNotAvailable:
                raise LockedError(
                    f"locked by {self._holder(name)}; waited {timeout_seconds:g} s. Try again when that is done, or "
                    "wait longer with --lock-timeout"
                ) from None

    def try_acquire(self, name: str) -> bool:
        """Hold a lock from now on if nobody does; returns whether that is so."""
        return self._ask("select pg_try_advisory_lock(%s)", _key(name))

    def release(self, name: str) -> None:
        """Release a lock; when PostgreSQL cannot be reached, it has ended already."""
        with suppress(WarehouseError):
            self._ask("select pg_advisory_unlock(%s)", _key(name))

    def holds(self, name: str) -> bool:
        """Whether this connection still holds a lock."""
        return self._ask(f"select exists ({_HOLDER} and pid = pg_backend_pid())", _key(name))

    def execute(self, statement: str) -> None:
        """Execute a statement in PostgreSQL."""
        with _explained():
            self._connection.execute(statement.encode())

    def close(self) -> None:
        """Release all locks."""
        self._connection.close()

    def _ask(self, query: str, key: int) -> bool:
        with _explained():
            row = self._connection.execute(query.encode(), [key]).fetchone()
        return bool(row and row[0])

    def _holder(self, name: str) -> str:
        row = self._connection.execute(_HOLDER, [_key(name)]).fetchone()
        if row is None:
            return "another process"
        program, host, pid, since = row
        return f"{program or 'another program'} (PostgreSQL process {pid}, from {host}, since {since} UTC)"


class LoadLease:
    """The number of a load, and a lock that shows that the load is running."""

    def __init__(self, catalog: str, last_load_id: Callable[[], int]) -> None:
        """Find a number that no other load has.

        Args:
            catalog: See `AdvisoryLocks`.
            last_load_id: Returns the highest number of the loads that are recorded by now.
        """
        self._locks = AdvisoryLocks(catalog)
        self.load_id = last_load_id() + 1
        while not self._is_mine(last_load_id):
            self.load_id += 1  # that of a load which is running, or has ended meanwhile

    def _is_mine(self, last_load_id: Callable[[], int]) -> bool:
        if not self._locks.try_acquire(_load(self.load_id)):
            return False
        if last_load_id() < self.load_id:
            return True
        self._locks.release(_load(self.load_id))
        return False

    def close(self) -> None:
        """The load has ended."""
        self._locks.close()


class WriteLock:
    """The lock that a writer holds for each of its transactions."""

    def __init__(self, catalog: str, timeout_seconds: float) -> None:
        """Connect.

        Args:
            catalog: See `AdvisoryLocks`.
            timeout_seconds: How long to wait for the lock by default.
        """
        self.locks = AdvisoryLocks(catalog)
        self._timeout_seconds = timeout_seconds

    @contextmanager
    def held(self, timeout_seconds: float | None = None) -> Generator[None]:
        """The lock is held while this lasts.

        Raises:
            LockedError: Another process holds it for too long.
        """
        self.locks.acquire(_WRITE, self._timeout_seconds if timeout_seconds is None else timeout_seconds)
        try:
            yield
        finally:
            self.locks.release(_WRITE)

    def check(self) -> None:
        """Check that the lock is still held.

        Raises:
            WarehouseError: It is not: another process may be writing.
        """
        if not self.locks.holds(_WRITE):
            raise WarehouseError(
                "the lock in PostgreSQL was lost while it was needed (a connection pooler must not share sessions "
                "between transactions); nothing of this batch was written: run it again"
            )

    def close(self) -> None:
        """Release it for good."""
        self.locks.close()


class DuckLakeWriter(Writer):
    """Writes to a DuckLake, in one transaction at a time."""

    is_shared = True
    has_column_comments = False  # DuckLake has comments on columns of tables only

    def __init__(self, connection: "DuckDBPyConnection", catalog: str, lock: WriteLock) -> None:
        super().__init__(connection)
        self.lock = lock
        self._catalog = catalog

    def with_write_lock(self, write: Callable[[], Result], timeout_seconds: float | None = None) -> Result:
        """See `Writer.with_write_lock`."""
        import tenacity

        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_conflict),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_random_exponential(0.1, LONGEST_WAIT_SECONDS),
        )
        try:
            for attempt in attempts:
                with attempt, self.lock.held(timeout_seconds):
                    return write()
        except tenacity.RetryError as error:
            raise WarehouseError(
                f"others wrote to it at the same time, without the write lock, {ATTEMPTS} times in a row: "
                f"{str(error.last_attempt.exception()).splitlines()[-1]}; let only runmart write to it, and run this "
                "again"
            ) from None
        raise AssertionError  # `attempts` ends in one of these ways

    def write_exclusively(self, write: Callable[[], Result], timeout_seconds: float | None = None) -> Result:
        """See `Writer.write_exclusively`."""

        def in_transaction() -> Result:
            with self.transaction():
                return write()

        return self.with_write_lock(in_transaction, timeout_seconds)

    def commit(self) -> None:
        """See `Writer.commit`."""
        self.lock.check()
        super().commit()

    def execute_in_catalog(self, statement: str) -> None:
        """Execute a statement in PostgreSQL itself, within `with_write_lock`."""
        self.lock.check()
        self.lock.locks.execute(statement)

    def lease(self, last_load_id: Callable[[], int]) -> LoadLease:
        """See `Writer.lease`."""
        return LoadLease(self._catalog, last_load_id)

    def has_ended(self, load_id: int) -> bool:
        """See `Writer.has_ended`."""
        if not self.lock.locks.try_acquire(_load(load_id)):
            return False
        self.lock.locks.release(_load(load_id))
        return True


_WRITE = "write"


def _load(load_id: int) -> str:
    return f"load {load_id}"


def _key(name: str) -> int:
    """The number of a lock; unique within a database of PostgreSQL, of which a lake has one of its own."""
    return int.from_bytes(blake2b(f"runmart {name}".encode(), digest_size=8).digest(), "big", signed=True)


def _is_conflict(error: BaseException) -> bool:
    """Whether a transaction failed because of another one, so that it may succeed when it is tried again."""
    import duckdb

    return isinstance(error, duckdb.TransactionException) and "Transaction conflict" in str(error)


def _application_name() -> str:
    """The name of this process in PostgreSQL: the command, the machine and the process number."""
    words = [Path(sys.argv[0]).stem, *(word for word in sys.argv[1:2] if word.isalpha())]
    name = " ".join(words) if words[0] == "runmart" else "runmart in Python"
    return f"{name} on {platform.node()}, process {os.getpid()}"[:_LAST_APPLICATION_NAME]


@contextmanager
def _explained() -> Generator[None]:
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise WarehouseError(connection_error(str(error) or type(error).__name__)) from None
