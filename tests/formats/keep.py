"""Keep what the installed runmart writes: `python tests/formats/keep.py warehouse|export|lake NAME`; see README.md.

It uses runmart by its command only, so that it works with any version.
"""

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb

HERE = Path(__file__).parent
RUNMART = Path(sys.executable).parent / "runmart"
WORK = Path("/tmp/kept")  # noqa: S108 - addresses of inputs are stored: they must not be those of a person's machine
PAGES = (("acme", "1.json"), ("a/b", "2.json"), ("acme", "3.json"), ("acme", "4.json"))
"""The label and the file of each load, in order."""

Rows = dict[str, list[dict[str, str | None]]]
"""By table; each row by column."""

TABLES = (
    *("runs", "usage", "tools", "errors", "steps", "prices", "model_aliases", "deployments"),
    *("request_failures", "webhook_events", "organization_usage"),
)
UNCOUNTED = {"load_id"}
"""A column that exports do not hold."""


def command(*arguments: str | Path) -> None:
    """Run `runmart`; rejects are part of what is kept."""
    done = subprocess.run([RUNMART, *arguments], check=False, env={**os.environ, "SPARK_LOCAL_IP": "127.0.0.1"})
    assert done.returncode in {0, 3}


def ingested(warehouse: Path) -> None:
    """Load the pages into a warehouse, and fill the tables that pages do not fill, where the version has them."""
    for number, (source, page) in enumerate(PAGES):
        at = f"2025-03-0{number + 1}T00:00:00"
        command("ingest", WORK / page, "--warehouse", warehouse, "--source", source, "--observed-at", at)
    with duckdb.connect(warehouse) as connection:
        if "model_aliases" in {name for (name,) in connection.sql("select table_name from duckdb_tables()").fetchall()}:
            connection.execute("insert into model_aliases values ('acme', 'deployed', null, 'gpt-4o')")
            connection.execute(
                "insert into deployments values ('d', 'after', 'agent_name', 'helper', null, null, null)"
            )


def rows(warehouse: Path) -> Rows:
    """What the tables hold, as texts, without any code of runmart's."""
    with duckdb.connect(warehouse, read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        found: Rows = {}
        there = {name for (name,) in connection.sql("select table_name from duckdb_columns()").fetchall()}
        for table in TABLES:
            if table in there:
                names = [row[0] for row in connection.sql(f"describe {table}").fetchall() if row[0] not in UNCOUNTED]
                texts = ", ".join(f"cast({name} as varchar)" for name in names)
                values = connection.sql(f"select {texts} from {table} order by all").fetchall()
                found[table] = [dict(zip(names, row, strict=True)) for row in values]
        return found


def keep(kind: str, name: str) -> None:
    """Make it, and what it holds, beside the others."""
    shutil.rmtree(WORK, ignore_errors=True)
    shutil.copytree(HERE / "pages", WORK)
    folder, warehouse = HERE / "kept" / name, WORK / "runs.duckdb"
    folder.mkdir()
    if kind == "lake":
        for number, (source, page) in enumerate(PAGES):
            at = f"2025-03-0{number + 1}T00:00:00"
            given = ["--source", source, "--observed-at", at, "--shards", "2"]
            command("lake", "load", folder / "lake", WORK / page, *given)
    ingested(warehouse)
    if kind == "warehouse":
        (folder / "runs.duckdb.gz").write_bytes(gzip.compress(warehouse.read_bytes(), mtime=0))
    elif kind == "export":
        command("export", "--to", folder / "export", "--warehouse", warehouse)
    (folder / "rows.json").write_text(json.dumps(rows(warehouse), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    keep(*sys.argv[1:])
