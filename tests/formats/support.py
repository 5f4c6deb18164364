"""Kept files, and what they are to be read as."""

import gzip
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runmart.lake import view_file
from tests.formats.keep import Rows, rows
from tests.support.warehouse import page, run, write

HERE = Path(__file__).parent
KEPT = HERE / "kept"
EXPORTS = sorted(path.name for path in KEPT.glob("export-*"))
LAKES = sorted(path.name for path in KEPT.glob("lake-*"))
WAREHOUSES = sorted(path.name for path in KEPT.glob("warehouse-*"))

_COMPLETE = "warehouse-schema11"
"""What has all tables and columns that older files lack."""
_KEYS = {"runs": ("run_id",), "usage": ("run_id",), "tools": ("run_id", "position"), "errors": ("run_id", "kind")}
_OPEN_ENDED = {"prices"}
"""Tables that a newer runmart may have more rows of."""


def kept(name: str, folder: Path) -> Path:
    """A copy of kept files to work with: the folder of an export or a lake, or a warehouse."""
    if name.startswith("warehouse-"):
        path = folder / f"{name}.duckdb"
        path.write_bytes(gzip.decompress((KEPT / name / "runs.duckdb.gz").read_bytes()))
        return path
    return Path(shutil.copytree(KEPT / name / name.partition("-")[0], folder / name))


def kept_rows(name: str) -> Rows:
    """What they held, as it was when they were made."""
    return json.loads((KEPT / name / "rows.json").read_text())


def differences(found: Rows, name: str, but: Sequence[str] = ()) -> list[str]:
    """Where rows differ from those of kept files, whose missing columns are those of a complete one.

    Args:
        found: What was read.
        name: The kept files.
        but: Tables that are not compared: a lake has no prices and aliases of its own.
    """
    expected, complete = kept_rows(name), kept_rows(_COMPLETE)
    messages: list[str] = []
    for table, of_table in expected.items():
        if table in but:
            continue
        old = of_table
        columns = (complete[table] if table in _KEYS else of_table)[0].keys()
        if table in _KEYS:
            full = {_key(table, row): row for row in complete[table]}
            old = [{**{column: full[_key(table, row)][column] for column in columns}, **row} for row in old]
        new = [{column: row[column] for column in columns} for row in found[table]]
        missing = [row for row in old if row not in new]
        surplus = [row for row in new if row not in old] if table not in _OPEN_ENDED else []
        messages += [f"{table}: {row} is missing" for row in missing] + [
            f"{table}: {row} is too much" for row in surplus
        ]
        if len(new) != len(old) and table not in _OPEN_ENDED:
            messages.append(f"{table}: {len(new)} rows instead of {len(old)}")
    return messages


def _key(table: str, row: dict[str, Any]) -> tuple[str | None, ...]:
    return tuple(row[name] for name in _KEYS[table])


def opened(lake: Path) -> Path:
    """A view file of a lake, beside it."""
    path = lake.with_name(f"{lake.name}.view.duckdb")
    view_file.write_view_file(str(lake), path)
    return path


def lake_rows(lake: Path) -> Rows:
    """What the view file of a lake shows."""
    return rows(opened(lake))


def later_page(folder: Path) -> Path:
    """A newer observation of a kept run, in the month of others, and a run that is new there."""
    changed = run("run_1", created_at=1_735_700_001, model="o3", tools=[{"type": "mcp"}], completed_at=1_735_800_000)
    new = run("run_new", created_at=1_735_700_003, last_error={"code": "x", "message": "y"}, tools=[{"type": "mcp"}])
    return write(folder / "later.json", page(changed, new), 1_800_000_000)
