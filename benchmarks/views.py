"""Times every view over a large warehouse, read completely as Arrow batches, on two threads."""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

import duckdb
import generate
from measure import RUNMART, machine, table
from results import save
from warehouses import BASE_RUNS, multiply

from runmart.queries import views

BATCH_ROWS = 100_000


def timings(warehouse: Path, rounds: int) -> list[list[str]]:
    """The median time of each view, and its number of rows."""
    rows: list[list[str]] = []
    with duckdb.connect(warehouse, config={"threads": 2}) as connection:
        connection.execute("set timezone = 'UTC'")
        for view in views():
            seconds: list[float] = []
            count = 0
            for _ in range(rounds):
                started = time.perf_counter()
                batches = connection.sql(f"select * from {view.name}").to_arrow_reader(BATCH_ROWS)
                count = sum(batch.num_rows for batch in batches)
                seconds.append(time.perf_counter() - started)
            rows.append([f"`{view.name}`", f"{median(seconds):.2f}", f"{count:,}"])
    return rows


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100, help="size of the warehouse, in 100,000 runs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", action="store_true", help="put the table into RESULTS.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        pages, warehouse = Path(name) / "pages", Path(name) / "w.duckdb"
        generate.write_pages(pages, generate.runs(BASE_RUNS))
        subprocess.run([RUNMART, "ingest", "-w", warehouse, pages], check=True, stdout=subprocess.DEVNULL)
        multiply(warehouse, arguments.times)
        rows = timings(warehouse, arguments.rounds)
    text = f"{arguments.times * BASE_RUNS:,} runs; {machine()}\n\n{table(('view', 'seconds', 'rows'), rows)}"
    print(text)
    if arguments.save:
        save("views", text)


if __name__ == "__main__":
    main()
