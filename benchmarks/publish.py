"""Times publishing a large warehouse: as a copy, rewritten without free space, and again without changes."""

import argparse
import subprocess
import tempfile
from pathlib import Path
from statistics import median

import duckdb
import generate
from measure import RUNMART, machine, table
from results import save
from warehouses import BASE_RUNS, multiply

from runmart.ingest.maintenance.publish import Published, publish


def fragment(warehouse: Path) -> None:
    """Delete rows until more than a quarter of the file is free space."""
    with duckdb.connect(warehouse) as connection:
        connection.execute("create table copied as from runs; create table last as from usage; checkpoint")
        connection.execute("drop table copied; checkpoint")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="size of the warehouse, in 100,000 runs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", action="store_true", help="put the table into RESULTS.md")
    arguments = parser.parse_args()
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as name:
        pages, warehouse, published = (Path(name) / one for one in ("pages", "w.duckdb", "published.duckdb"))
        generate.write_pages(pages, generate.runs(BASE_RUNS))
        subprocess.run([RUNMART, "ingest", "-w", warehouse, pages], check=True, stdout=subprocess.DEVNULL)
        multiply(warehouse, arguments.times)
        for prepare in (None, fragment):
            if prepare is not None:
                prepare(warehouse)
            found: list[Published] = []
            for _ in range(arguments.rounds):
                warehouse.touch()  # another state
                found.append(publish(warehouse, published, 0))
            rows.append(_row(warehouse, found))
            rows.append(_row(warehouse, [publish(warehouse, published, 0) for _ in range(arguments.rounds)]))
    headings = ("how", "warehouse, GB", "published, GB", "seconds", "seconds per GB")
    text = f"{arguments.times * BASE_RUNS:,} runs; {machine()}\n\n{table(headings, rows)}"
    print(text)
    if arguments.save:
        save("publish", text)


def _row(warehouse: Path, found: list[Published]) -> list[str]:
    size, seconds = warehouse.stat().st_size / 1e9, median(one.seconds for one in found)
    return [found[0].how, f"{size:.2f}", f"{found[0].bytes / 1e9:.2f}", f"{seconds:.2f}", f"{seconds / size:.2f}"]


if __name__ == "__main__":
    main()
