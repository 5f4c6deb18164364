"""Options that commands share, and how they open the warehouse."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from runmart.ingest.errors import RunmartError
from runmart.ingest.warehouse.connection import DEFAULT_LOCK_TIMEOUT_SECONDS, open_for_reading, open_for_writing
from runmart.ingest.warehouse.location import DuckLake, Location, absolute, parse_location

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import Token
    from duckdb import DuckDBPyConnection


def location_of(_: object, tokens: "Sequence[Token]") -> Location:
    """The location that --warehouse names."""
    return parse_location(tokens[0].value)


WAREHOUSE = Parameter(
    name=["--warehouse", "-w"], env_var="RUNMART_WAREHOUSE", converter=location_of, accepts_keys=False, n_tokens=1
)
"""The option --warehouse of all commands."""


@Parameter(name="*")
@dataclass(frozen=True)
class Options:
    """Options of every command that uses a warehouse."""

    warehouse: Annotated[Location, WAREHOUSE] = Path("runs.duckdb")
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
            RunmartError: The warehouse is a file.
        """
        if self.data is None:
            return
        if not isinstance(self.warehouse, DuckLake):
            raise RunmartError(f"{self.warehouse}: --data is for a DuckLake, not for a DuckDB file")
        object.__setattr__(self, "warehouse", replace(self.warehouse, data=absolute(self.data)))

    @contextmanager
    def writing(self) -> Generator["DuckDBPyConnection"]:
        """A connection for writing; the schema and the views are up to date."""
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
