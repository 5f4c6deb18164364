"""Options that commands share, and how they open the warehouse."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from runmart.ingest.warehouse import DEFAULT_LOCK_TIMEOUT_SECONDS, open_for_reading, open_for_writing

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@Parameter(name="*")
@dataclass(frozen=True)
class Options:
    """Options of every command that uses a warehouse."""

    warehouse: Annotated[Path, Parameter(name=["--warehouse", "-w"], env_var="RUNMART_WAREHOUSE")] = Path("runs.duckdb")
    "The DuckDB file."

    lock_timeout: float = DEFAULT_LOCK_TIMEOUT_SECONDS
    "Seconds to wait while another process uses the warehouse."

    json: Annotated[bool, Parameter(negative="")] = False
    "Print one JSON document instead of text."

    @contextmanager
    def writing(self) -> Generator["DuckDBPyConnection"]:
        """A connection that writes; schema and views are up to date."""
        from runmart.queries import install

        with open_for_writing(self.warehouse, self.lock_timeout) as connection:
            install(connection)
            yield connection

    @contextmanager
    def reading(self) -> Generator["DuckDBPyConnection"]:
        """A read-only connection."""
        with open_for_reading(self.warehouse, self.lock_timeout) as connection:
            yield connection


DEFAULT = Options()
