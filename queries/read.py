"""A view as a frame, for notebooks."""

from pathlib import Path
from typing import TYPE_CHECKING

from runmart.queries.catalog import find

if TYPE_CHECKING:
    import polars


def read(warehouse: str | Path, view: str) -> "polars.DataFrame":
    """The rows of `view` as a polars frame; the warehouse is open, read-only, for as long as that takes.

    Raises:
        ValueError: There is no such view.
        FileNotFoundError: There is no such warehouse.
        duckdb.IOException: Another process writes to it.
    """
    import duckdb

    name = find(view).name
    if not Path(warehouse).exists():
        raise FileNotFoundError(f"{warehouse}: no such warehouse")
    with duckdb.connect(warehouse, read_only=True) as connection:
        return connection.sql(f"select * from {name}").pl()
