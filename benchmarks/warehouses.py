"""Makes large warehouses quickly: multiplies loaded runs in SQL, under new ids and at later times."""

from pathlib import Path

import duckdb
import generate

BASE_RUNS = 100_000
COPIES_OF_VERSION = 25
"""Number of copies after which a quarter of the assistants get other instructions."""

INSTANTS = ("created_at", "started_at", "expires_at", "completed_at", "failed_at", "cancelled_at")


def multiply(warehouse: Path, times: int) -> None:
    """Make a warehouse of `BASE_RUNS` runs `times` times as large; the last copy holds the latest runs."""
    with duckdb.connect(warehouse, config={"memory_limit": "4GB"}) as connection:
        connection.execute("set timezone = 'UTC'")
        for table in ("runs", "usage", "tools", "errors"):
            connection.execute(f"create temp table base_{table} as select * from main.{table}")
        for copy in range(1, times):
            shift = f"interval ({copy * BASE_RUNS * generate.SECONDS_BETWEEN}) second"
            connection.execute("begin")
            for table in ("runs", "usage", "tools", "errors"):
                moved = INSTANTS if table == "runs" else ("run_created_at",)
                columns = [f"substr(run_id, 1, 4) || md5(run_id || '{copy}') as run_id"]
                columns += [f"{name} + {shift} as {name}" for name in moved]
                if table == "runs":
                    version = f"instructions || ' Version {copy // COPIES_OF_VERSION}.'"
                    columns.append(f"if(assistant_id < 'asst_4', {version}, instructions) as instructions")
                connection.execute(
                    f"insert into main.{table} select * replace ({', '.join(columns)}) from base_{table}"
                )
            connection.execute("commit")
