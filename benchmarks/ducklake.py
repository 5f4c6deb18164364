"""Compares a DuckLake with a DuckDB file: loads, incremental loads, four loads at once, maintenance, views and sizes.

Run it with the Python of `make test-ducklake`: it takes DuckDB 1.5, its extensions, and a PostgreSQL that is installed.
The catalog is in a PostgreSQL of its own, without fsync; files are in a folder of the same disk.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import generate
from measure import RUNMART, machine, table
from results import save

from runmart.ingest.warehouse.connection import open_for_reading
from runmart.ingest.warehouse.ducklake_backend import DuckLake
from runmart.ingest.warehouse.location import Location

sys.path.append(str(Path(__file__).parents[1]))
from tests.support.postgres import running

LOADERS = 4
VIEWS = ("latency_by_model", "failure_rates_by_model", "token_usage_by_model")


def seconds(act: Callable[[], object]) -> float:
    """The wall time of a call, in seconds."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def words(location: Location, *arguments: str | Path) -> list[str]:
    """The arguments of a command on a warehouse."""
    where = [location.address, "--data", str(location.data)] if isinstance(location, DuckLake) else [str(location)]
    return [RUNMART, *map(str, arguments), "--warehouse", *where]


def command(location: Location, *arguments: str | Path) -> float:
    """The wall time of a command, in seconds."""
    return seconds(lambda: subprocess.run(words(location, *arguments), check=True, stdout=subprocess.DEVNULL))


def at_once(location: Location, folders: list[Path]) -> float:
    """The wall time of several loads that start together, in seconds."""
    options = ("--workers", "0", "--lock-timeout", "600")

    def load() -> None:
        commands = [words(location, "ingest", one, *options) for one in folders]
        loads = [subprocess.Popen(one, stdout=subprocess.DEVNULL) for one in commands]
        assert {one.wait() for one in loads} == {0}

    return seconds(load)


def size(location: Location) -> int:
    """Bytes on disk."""
    if isinstance(location, Path):
        return location.stat().st_size
    return sum(path.stat().st_size for path in Path(str(location.data)).rglob("*") if path.is_file())


def measured(location: Location, folder: Path, runs: int) -> dict[str, str]:
    """The measurements, in the order in which they are taken."""
    found: dict[str, str] = {}
    found[f"{runs:,} runs in {runs // 100:,} pages, s"] = f"{command(location, 'ingest', folder / 'pages'):.1f}"
    found["20,000 new runs into them, s"] = f"{command(location, 'ingest', folder / 'new'):.1f}"
    found["20,000 known runs again (`--reload`), s"] = f"{command(location, 'ingest', folder / 'new', '--reload'):.1f}"
    folders = [folder / f"part-{number}" for number in range(LOADERS)]
    if isinstance(location, DuckLake):
        found[f"4 times {runs // 10:,} new runs at the same time, s"] = f"{at_once(location, folders):.1f}"
    else:  # one after another: a file has one writer
        took = sum(command(location, "ingest", one, "--workers", "0") for one in folders)
        found[f"4 times {runs // 10:,} new runs at the same time, s"] = f"({took:.1f} one after another)"
    found["bytes per run"] = f"{size(location) / (runs * (1 + LOADERS / 10) + 20_000):.0f}"
    found["`lake maintain`, s"] = ""
    if isinstance(location, DuckLake):
        found["`lake maintain`, s"] = f"{command(location, 'lake', 'maintain'):.1f}"
    with open_for_reading(location, 0) as connection:
        for view in VIEWS:
            found[f"`{view}`, s"] = f"{seconds(connection.sql(f'from {view}').fetchall):.2f}"
    found["`runmart status`, s"] = f"{command(location, 'status'):.1f}"
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--save", action="store_true", help="put the table into RESULTS.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running() as postgres:
        folder, part = Path(name), given.runs // 10
        generate.write_pages(folder / "pages", generate.runs(given.runs))
        generate.write_pages(folder / "new", generate.runs(20_000, first=given.runs))
        for number in range(LOADERS):
            pages = generate.runs(part, seed=2, first=given.runs + 20_000 + number * part)
            generate.write_pages(folder / f"part-{number}", pages)
        postgres.execute("create database runs")
        places: list[Location] = [folder / "w.duckdb", DuckLake(postgres.catalog("runs"), str(folder / "lake"))]
        file, lake = (measured(location, folder, given.runs) for location in places)
    rows = [[what, file[what], lake[what]] for what in file]
    text = f"{machine()}\n\n{table(('', 'DuckDB file', 'DuckLake'), rows)}"
    print(text)
    if given.save:
        save("ducklake", text)


if __name__ == "__main__":
    main()
