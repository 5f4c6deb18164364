"""Helpers of the tests of the loader: inputs, loads and queries."""

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from runmart.ingest.load.loader import Load
from runmart.ingest.pipeline import ingest
from runmart.ingest.warehouse.connection import open_for_writing
from runmart.models.tables.all import TABLES
from runmart.models.tables.tools import DIGEST
from runmart.queries import install

Tables = dict[str, list[tuple[Any, ...]]]


def run(run_id: str, status: str = "completed", **fields: Any) -> dict[str, Any]:
    """A run with few fields."""
    return {"id": run_id, "object": "thread.run", "status": status, **fields}


def page(*runs: Mapping[str, Any]) -> bytes:
    """A page of runs."""
    return json.dumps({"object": "list", "data": list(runs), "has_more": False}).encode()


def write(path: Path, data: bytes, modified_at: int = 1_700_000_000) -> Path:
    """Write a file with a modification time."""
    path.write_bytes(data)
    os.utime(path, (modified_at, modified_at))
    return path


@cache
def _template() -> Path:
    """An empty warehouse with the views, created once per process, since that takes longer than most tests."""
    folder = Path(tempfile.mkdtemp(prefix="runmart-template-"))
    atexit.register(shutil.rmtree, folder)
    with open_for_writing(folder / "empty.duckdb", 0) as writer:
        install(writer)
    return folder / "empty.duckdb"


def empty(path: Path) -> Path:
    """A new warehouse without rows, at `path`: a copy of one that the first command that writes would create."""
    return Path(shutil.copy(_template(), path))


def load(warehouse: Path, *sources: Path, source: str = "default", reload: bool = False) -> Load:
    """Load into a warehouse, which is created if needed."""
    if not warehouse.exists():
        empty(warehouse)
    with open_for_writing(warehouse, 0) as writer:
        return ingest(writer, [str(path) for path in sources], source=source, reload=reload)


def tables(warehouse: Path) -> Tables:
    """All rows of the four tables without `load_id`, sorted; instants in microseconds."""
    with duckdb.connect(warehouse, read_only=True) as connection:
        return {table.name: _rows(connection, table.name) for table in TABLES}


def _rows(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[Any, ...]]:
    columns = connection.sql(f"describe {table}").fetchall()
    values = [
        f"epoch_us({name})" if kind.startswith("TIMESTAMP") else name for name, kind, *_ in columns if name != "load_id"
    ]
    return connection.sql(f"select {', '.join(values)} from {table} order by all").fetchall()


def query(warehouse: Path, text: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with duckdb.connect(warehouse, read_only=True) as connection:
        return connection.sql(text).fetchall()


ORPHANS = " union all ".join(
    f"select '{name}' as child, run_id from {name} where run_id not in (select run_id from runs)"
    for name in ("usage", "tools", "errors")
)
"""Child rows without their run; there must be none."""

_KEYS = {"runs": "run_id", "usage": "run_id", "tools": "run_id || position", "errors": "run_id || kind"}
DOUBLES = " union all ".join(
    f"select '{name}' as relation, {key} from {name} group by all having count(*) > 1" for name, key in _KEYS.items()
)
"""Keys that are there twice; there must be none."""


WRONG_TOOL_SUMS = f"""
    select run_id, runs.tool_count, runs.tools_digest
    from runs left join (
        select run_id, count(*) as tool_count, {DIGEST} as tools_digest from main.tools group by run_id
    ) as found using (run_id)
    where runs.tool_count is distinct from coalesce(found.tool_count, 0)
        or runs.tools_digest is distinct from found.tools_digest"""
"""Runs that tell something else than their rows in `tools`; there must be none."""


def assert_sound(warehouse: Path) -> None:
    """Assert the invariants that hold after every transaction."""
    assert query(warehouse, ORPHANS) == []
    assert query(warehouse, DOUBLES) == []
    assert query(warehouse, WRONG_TOOL_SUMS) == []


def ids(rows: Iterable[tuple[Any, ...]]) -> list[str]:
    """The values of the first column."""
    return [row[0] for row in rows]
