"""Loading and looking: what the tests of the loader have in common."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb

from runmart.ingest.load.loader import Load
from runmart.ingest.pipeline import ingest
from runmart.ingest.warehouse.connection import open_for_writing
from runmart.models.tables.all import TABLES
from runmart.models.tables.tools import DIGEST

RUNMART = Path(sys.executable).parent / "runmart"

Tables = dict[str, list[tuple[Any, ...]]]


def run(run_id: str, status: str = "completed", **fields: Any) -> dict[str, Any]:
    """A run, small."""
    return {"id": run_id, "object": "thread.run", "status": status, **fields}


def page(*runs: Mapping[str, Any]) -> bytes:
    """A page of runs."""
    return json.dumps({"object": "list", "data": list(runs), "has_more": False}).encode()


def write(path: Path, data: bytes, modified_at: int = 1_700_000_000) -> Path:
    """A file with a modification time."""
    path.write_bytes(data)
    os.utime(path, (modified_at, modified_at))
    return path


def load(warehouse: Path, *sources: Path, source: str = "default", reload: bool = False) -> Load:
    """One load."""
    with open_for_writing(warehouse, 0) as writer:
        return ingest(writer, [str(path) for path in sources], source=source, reload=reload)


def tables(warehouse: Path) -> Tables:
    """All rows of the four tables but for the load, in a fixed order; instants in microseconds."""
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


def command(
    *arguments: str | Path, stdin: bytes | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `runmart` as a user does; never may a traceback be seen."""
    done = subprocess.run(
        [RUNMART, *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=300,
        env={**os.environ, **(environment or {})},
    )
    answer = subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in answer.stderr
    assert "Traceback" not in answer.stdout
    return answer


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
    """What holds after every transaction."""
    assert query(warehouse, ORPHANS) == []
    assert query(warehouse, DOUBLES) == []
    assert query(warehouse, WRONG_TOOL_SUMS) == []


def ids(rows: Iterable[tuple[Any, ...]]) -> list[str]:
    """The first column."""
    return [row[0] for row in rows]
