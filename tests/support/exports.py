"""Warehouses to export, exports, and what comes back of them."""

import json
from pathlib import Path
from typing import Any

import duckdb

from runmart.ingest.pipeline import ingest
from runmart.ingest.warehouse.connection import open_for_reading, open_for_writing
from runmart.lake.parquet.export import Outcome, export
from runmart.lake.parquet.restore import restore
from runmart.queries import install

TABLES = ("runs", "usage", "tools", "errors", "steps", "prices", "model_aliases")
MONTHS = (1_700_000_000, 1_703_000_000, 1_735_689_599, 1_735_689_600, None)
"""November and December 2023; the last second of 2024 and the first of 2025 (UTC); not known."""
SOURCES = ("default", "a/b=ü %", "..")


def a_run(number: int, created_at: int | None, **fields: Any) -> dict[str, Any]:
    """A run with child rows in each table."""
    return {
        "id": f"run_{number}",
        "object": "thread.run",
        "status": "failed",
        "created_at": created_at,
        "model": "gpt-4o",
        "metadata": {"n": number},
        "usage": {"prompt_tokens": number, "completion_tokens": 1, "total_tokens": number + 1},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": 1}}}, {"type": "file_search"}],
        "last_error": {"code": "server_error", "message": "é"},
        "unheard_of": [1.50],
        **fields,
    }


def a_step(number: int, created_at: int | None) -> dict[str, Any]:
    """A step of a run."""
    step = {"id": f"step_{number}", "object": "thread.run.step", "status": "completed", "type": "tool_calls"}
    return {**step, "run_id": f"run_{number}", "created_at": created_at}


def load(warehouse: Path, folder: Path, *objects: dict[str, Any], source: str = "default", at: int = 10**15) -> None:
    """One load of one page."""
    path = folder / "page.json"
    path.write_text(json.dumps({"object": "list", "data": objects}))
    with open_for_writing(warehouse, 0) as writer:
        install(writer)
        ingest(writer, [str(path)], source=source, observed_at=at, reload=True, workers=0)


def contents(warehouse: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows without `load_id`."""
    with duckdb.connect(warehouse, read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        found: dict[str, list[tuple[Any, ...]]] = {}
        for table in TABLES:
            names = [name for name, *_ in connection.sql(f"describe {table}").fetchall() if name != "load_id"]
            columns = ", ".join(f"cast({name} as varchar)" for name in names)
            found[table] = connection.sql(f"select {columns} from {table} order by all").fetchall()
        return found


def exported(warehouse: Path, folder: Path, *, full: bool = False) -> Outcome:
    """Export, and return the outcome."""
    with open_for_reading(warehouse, 0) as connection:
        return export(connection, folder, full=full)


def restored(warehouse: Path, folder: Path) -> Any:
    """Import, and return the load."""
    with open_for_writing(warehouse, 0) as writer:
        install(writer)
        return restore(writer, folder).totals


def contents_of_export(out: Path, folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of an export, read through a new warehouse."""
    warehouse = folder / "from_export.duckdb"
    restored(warehouse, out)
    return contents(warehouse)
