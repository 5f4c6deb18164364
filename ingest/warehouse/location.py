"""Locations of warehouses, as given on the command line."""

from pathlib import Path

from runmart.ingest.errors import WarehouseError
from runmart.ingest.warehouse.backend import Backend
from runmart.ingest.warehouse.ducklake_address import PREFIX as POSTGRES
from runmart.ingest.warehouse.ducklake_address import without_password
from runmart.ingest.warehouse.ducklake_backend import DuckLake
from runmart.ingest.warehouse.file_backend import DuckDBFile

Location = Path | Backend
"""A DuckDB file, or any backend."""

_DUCKLAKE = "ducklake:"


def parse_location(location: str | Location) -> Backend:
    """The backend that a location names.

    Raises:
        WarehouseError: It is a DuckLake whose catalog is kept elsewhere than in PostgreSQL.
    """
    if isinstance(location, Backend):
        return location
    if isinstance(location, Path):
        return DuckDBFile(location)
    if location.startswith(POSTGRES):
        return DuckLake(location.removeprefix(POSTGRES))
    if location.startswith(_DUCKLAKE):
        raise WarehouseError(
            f"{without_password(location)}: the catalog of a shared warehouse is kept by PostgreSQL; "
            f"name it so: {POSTGRES}dbname=NAME host=HOST user=USER"
        )
    return DuckDBFile(Path(location))
