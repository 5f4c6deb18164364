"""Turns: who writes to a DuckLake does so alone, and a load that goes on can be told from one that was killed.

DuckLake lets two transactions commit that insert the same new key, and two that delete from the same file, so that rows
are there twice. So what writes first takes a lock in PostgreSQL, before it looks at the lake, and holds it for one
transaction. PostgreSQL lets a lock go when the process that has it ends, however it ends.

A DuckDB file has no turns: the process that has it open for writing is the only one.
"""

import os
import platform
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from runmart.ingest.errors import LockedError, WarehouseError
from runmart.ingest.warehouse.location import DuckLake, refusal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Given = TypeVar("Given")

ATTEMPTS = 8
LONGEST_WAIT_SECONDS = 5.0
"""What was written without the lock, by a shell perhaps, may make a turn fail; it is tried again so often."""

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
    """A connection to a lake's catalog that holds locks; they end with it."""

    def __init__(self, lake: DuckLake) -> None:
        """Connect.

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
        self.lake = lake
        with _explained():
            settings = {**_SETTINGS, **conninfo_to_dict(lake.catalog), "application_name": _application_name()}
            self._connection: psycopg.Connection[tuple[Any, ...]] = psycopg.connect(
                make_conninfo("", **settings), autocommit=True
            )
            self._connection.execute(_NO_TIMEOUT)

    def take(self, name: str, timeout_seconds: float) -> None:
        """Wait for a lock, and hold it.

        Raises:
            LockedError: Somebody else has it all the time.
            WarehouseError: PostgreSQL is not there any more.
        """
        from psycopg.errors import LockNotAvailable

        if self.take_free(name):
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

    def take_free(self, name: str) -> bool:
        """Take a lock if nobody has it."""
        return self._ask("select pg_try_advisory_lock(%s)", _key(name))

    def let_go(self, name: str) -> None:
        """Let others have a lock; when PostgreSQL has gone, so has the lock."""
        with suppress(WarehouseError):
            self._ask("select pg_advisory_unlock(%s)", _key(name))

    def has(self, name: str) -> bool:
        """Whether a lock is still this connection's."""
        return self._ask(f"select exists ({_HOLDER} and pid = pg_backend_pid())", _key(name))

    def execute(self, statement: str) -> None:
        """Execute a statement of PostgreSQL's."""
        with _explained():
            self._connection.execute(statement.encode())

    def close(self) -> None:
        """Let everything go."""
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
    """The number of a load, which no other has, and the sign that it goes on."""

    def __init__(self, lake: DuckLake, last: Callable[[], int]) -> None:
        """Find a number.

        Args:
            lake: The lake.
            last: Tells the highest number that is recorded by now.
        """
        self._locks = AdvisoryLocks(lake)
        self.load_id = last() + 1
        while not self._is_mine(last):
            self.load_id += 1  # that of a load which goes on, or has ended meanwhile

    def _is_mine(self, last: Callable[[], int]) -> bool:
        if not self._locks.take_free(_load(self.load_id)):
            return False
        if last() < self.load_id:
            return True
        self._locks.let_go(_load(self.load_id))
        return False

    def close(self) -> None:
        """The load has ended."""
        self._locks.close()


class WriteLock:
    """The turns of one connection to a lake."""

    def __init__(self, lake: DuckLake, timeout_seconds: float) -> None:
        """See `AdvisoryLocks`."""
        self.lake = lake
        self.locks = AdvisoryLocks(lake)
        self._timeout_seconds = timeout_seconds

    @contextmanager
    def taken(self, timeout_seconds: float | None = None) -> Generator[None]:
        """Nobody else writes while this lasts."""
        self.locks.take(_WRITING, self._timeout_seconds if timeout_seconds is None else timeout_seconds)
        try:
            yield
        finally:
            self.locks.let_go(_WRITING)

    def check(self) -> None:
        """See that the turn is still ours.

        Raises:
            WarehouseError: It is not: somebody else may be writing.
        """
        if not self.locks.has(_WRITING):
            raise WarehouseError(
                "the lock in PostgreSQL was lost while it was needed (a connection pooler must not share sessions "
                "between transactions); nothing of this batch was written: run it again"
            )


_WRITING = "write"
_turns: "WeakKeyDictionary[DuckDBPyConnection, WriteLock]" = WeakKeyDictionary()


def begin(connection: "DuckDBPyConnection", turn: WriteLock) -> None:
    """From now on, what is written with a connection takes turns."""
    _turns[connection] = turn


def is_shared(connection: "DuckDBPyConnection") -> bool:
    """Whether others may write at the same time."""
    return connection in _turns


def in_turn(
    connection: "DuckDBPyConnection", write: Callable[[], Given], timeout_seconds: float | None = None
) -> Given:
    """Write in a turn; again when others have written without one.

    Args:
        connection: A connection from `open_for_writing`, without an open transaction.
        write: Writes in one transaction that `commit` ends; it must leave things as they were when it fails.
        timeout_seconds: How long to wait for the turn; by default as long as `open_for_writing` was told.

    Raises:
        LockedError: Somebody else writes for too long.
        WarehouseError: Others write without taking turns, again and again; or the lock is lost.
    """
    turn = _turns.get(connection)
    if turn is None:
        return write()
    import tenacity

    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_is_conflict),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_random_exponential(0.1, LONGEST_WAIT_SECONDS),
    )
    try:
        for attempt in attempts:
            with attempt, turn.taken(timeout_seconds):
                return write()
    except tenacity.RetryError as error:
        raise WarehouseError(
            f"others wrote to it at the same time, without taking turns, {ATTEMPTS} times in a row: "
            f"{str(error.last_attempt.exception()).splitlines()[-1]}; let only runmart write to it, and run this again"
        ) from None
    raise AssertionError  # `attempts` ends in one of these ways


def write_alone(
    connection: "DuckDBPyConnection", write: Callable[[], Given], timeout_seconds: float | None = None
) -> Given:
    """Write in a turn and a transaction of its own; to a file in the transaction that is open, if one is."""
    if not is_shared(connection):
        return write()

    def whole() -> Given:
        with transaction(connection):
            return write()

    return in_turn(connection, whole, timeout_seconds)


def commit(connection: "DuckDBPyConnection") -> None:
    """End a transaction, if the turn in which it was begun is not lost."""
    if turn := _turns.get(connection):
        turn.check()
    connection.execute("commit")


def catalog(connection: "DuckDBPyConnection", statement: str) -> None:
    """Change the catalog itself, in a turn."""
    if turn := _turns.get(connection):
        turn.check()
        turn.locks.execute(statement)


@contextmanager
def transaction(connection: "DuckDBPyConnection") -> Generator[None]:
    """A transaction, within `in_turn`; rolled back when something goes wrong."""
    import duckdb

    connection.execute("begin")
    try:
        yield
        commit(connection)
    except BaseException:
        with suppress(duckdb.Error):  # a commit that fails has ended it
            connection.execute("rollback")
        raise


def mark(connection: "DuckDBPyConnection", last: Callable[[], int]) -> LoadLease | None:
    """The mark of a new load; None where no other can be going on."""
    turn = _turns.get(connection)
    return None if turn is None else LoadLease(turn.lake, last)


def has_ended(connection: "DuckDBPyConnection", load_id: int) -> bool:
    """Whether a load of which it is written that it runs does not: it was killed."""
    turn = _turns.get(connection)
    if turn is None:
        return True  # nobody else can be writing now
    if not turn.locks.take_free(_load(load_id)):
        return False
    turn.locks.let_go(_load(load_id))
    return True


def _load(load_id: int) -> str:
    return f"load {load_id}"


def _key(name: str) -> int:
    """A lock's number: PostgreSQL keeps those of each database apart, and a lake has a database of its own."""
    return int.from_bytes(blake2b(f"runmart {name}".encode(), digest_size=8).digest(), "big", signed=True)


def _is_conflict(error: BaseException) -> bool:
    """Whether a transaction failed because of another, and may succeed when it is done again."""
    import duckdb

    return isinstance(error, duckdb.TransactionException) and "Transaction conflict" in str(error)


def _application_name() -> str:
    """What PostgreSQL calls this process: the command, the machine and the process."""
    words = [Path(sys.argv[0]).stem, *(word for word in sys.argv[1:2] if word.isalpha())]
    name = " ".join(words) if words[0] == "runmart" else "runmart in Python"
    return f"{name} on {platform.node()}, process {os.getpid()}"[:_LAST_APPLICATION_NAME]


@contextmanager
def _explained() -> Generator[None]:
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise WarehouseError(refusal(str(error) or type(error).__name__)) from None
