"""Options that commands share, and how they open the warehouse."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from runmart.ingest.warehouse.backend import Backend
from runmart.ingest.warehouse.connection import DEFAULT_LOCK_TIMEOUT_SECONDS
from runmart.ingest.warehouse.file_backend import DuckDBFile
from runmart.ingest.warehouse.location import parse_location

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import Token
    from duckdb import DuckDBPyConnection

    from runmart.ingest.warehouse.writer import Writer


def location_of(_: object, tokens: "Sequence[Token]") -> Backend:
    """The backend that --warehouse names."""
    return parse_location(tokens[0].value)


DEFAULT_WAREHOUSE = DuckDBFile(Path("runs.duckdb"))
WAREHOUSE = Parameter(
    name=["--warehouse", "-w"],
    env_var="RUNMART_WAREHOUSE",
    converter=location_of,
    accepts_keys=False,
    n_tokens=1,
    metavar="PATH|DUCKLAKE",
)
"""The option --warehouse of all commands."""


@Parameter(name="*")
@dataclass(frozen=True)
class Options:
    """Options of every command that uses a warehouse."""

    warehouse: Annotated[Backend, WAREHOUSE] = DEFAULT_WAREHOUSE
    "DuckDB file, or ducklake:postgres:dbname=… host=… for a DuckLake with several writers."

    data: Annotated[str | None, Parameter(env_var="RUNMART_DATA")] = None
    "Where a new DuckLake stores its files: s3://BUCKET/FOLDER or a folder. Its catalog remembers it."

    lock_timeout: float = DEFAULT_LOCK_TIMEOUT_SECONDS
    "Seconds to wait while another process has the warehouse locked."

    json: Annotated[bool, Parameter(negative="")] = False
    "Print one JSON document instead of text."

    def __post_init__(self) -> None:
        """Add --data to the location of a DuckLake.

        Raises:
            WarehouseError: It has none.
        """
        if self.data is not None:
            object.__setattr__(self, "warehouse", self.warehouse.with_data(self.data))

    @contextmanager
    def writing(self) -> Generator["Writer"]:
        """A writer to the warehouse; schema and views are up to date."""
        from runmart.models import arrow
        from runmart.queries import install

        arrow.leave_pandas_out()
        with self.warehouse.open_for_writing(self.lock_timeout) as writer:
            install(writer)
            yield writer

    @contextmanager
    def reading(self) -> Generator["DuckDBPyConnection"]:
        """A read-only connection."""
        with self.warehouse.open_for_reading(self.lock_timeout) as connection:
            yield connection


DEFAULT = Options()
