"""The storage version of a DuckDB file, and which shells can open it."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from runmart.ingest.warehouse.ducklake import NAME, data_path, is_lake

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


def size(connection: "DuckDBPyConnection") -> int:
    """The bytes of the file that is open; of a DuckLake, of the files that make up what it holds now."""
    if is_lake(connection):
        query = f"select sum(file_size_bytes + delete_file_size_bytes) from ducklake_table_info('{NAME}')"
    else:
        query = "select path from duckdb_databases() where database_name = current_database()"
    [(found,)] = connection.execute(query).fetchall()
    return int(found or 0) if is_lake(connection) else Path(found).stat().st_size


def storage_version(connection: "DuckDBPyConnection") -> str:
    """The storage version of the file that is open, such as v1.4.0+; of a DuckLake, where its files are."""
    if is_lake(connection):
        return f"DuckLake, files in {data_path(connection)}"
    rows = connection.execute(
        "select tags['storage_version'] from duckdb_databases() where database_name = current_database()"
    ).fetchall()
    return rows[0][0] or "unknown"


def readable_by(version: str) -> str:
    """Which DuckDB shells open a file of this storage version, in words."""
    match = _VERSION.match(version)
    if match is None:
        return "DuckDB from 1.5 on" if version.startswith("DuckLake") else "the DuckDB version that made it"
    return f"every DuckDB shell from {match[1]}.{match[2]} on"
