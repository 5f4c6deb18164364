"""The storage version of a DuckDB file, and which shells can open it."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


def storage_version(connection: "DuckDBPyConnection") -> str:
    """The storage version of the file that is open, such as v1.4.0+."""
    rows = connection.execute(
        "select tags['storage_version'] from duckdb_databases() where database_name = current_database()"
    ).fetchall()
    return rows[0][0] or "unknown"


def readable_by(version: str) -> str:
    """Which DuckDB shells open a file of this storage version, in words."""
    match = _VERSION.match(version)
    if match is None:
        return "the DuckDB version that made it"
    return f"every DuckDB shell from {match[1]}.{match[2]} on"
