"""How warehouses are opened, wherever they are kept."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from runmart.ingest.warehouse.location import Location, parse_location

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from runmart.ingest.warehouse.writer import Writer

DEFAULT_LOCK_TIMEOUT_SECONDS = 30.0


def open_for_writing(location: Location, lock_timeout_seconds: float) -> AbstractContextManager["Writer"]:
    """See `Backend.open_for_writing`."""
    return parse_location(location).open_for_writing(lock_timeout_seconds)


def open_for_reading(location: Location, lock_timeout_seconds: float) -> AbstractContextManager["DuckDBPyConnection"]:
    """See `Backend.open_for_reading`."""
    return parse_location(location).open_for_reading(lock_timeout_seconds)


def exists(location: Location) -> bool:
    """See `Backend.exists`."""
    return parse_location(location).exists()


def is_interrupt(error: BaseException) -> bool:
    """Whether `error` is Ctrl-C: DuckDB turns it into an error of its own when it arrives in the middle of a query."""
    words = ("Query interrupted", "INTERRUPT Error", "KeyboardInterrupt")
    return isinstance(error, KeyboardInterrupt) or any(word in str(error) for word in words)
