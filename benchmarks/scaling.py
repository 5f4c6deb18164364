"""Measures how the cost of a load grows with its runs, the size of the warehouse and the number of known files."""

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import generate
from measure import RUNMART, Timing, best_of, machine, table, timed
from results import save
from warehouses import BASE_RUNS, multiply

if TYPE_CHECKING:
    from collections.abc import Callable

TOP_UP_RUNS = 10_000
TINY = (
    '{{"id":"run_{0:024x}","object":"thread.run","created_at":{1},"assistant_id":"asst_1","thread_id":"thread_{0:x}",'
    '"status":"completed","started_at":{1},"completed_at":{1},"model":"gpt-4o-mini","metadata":{{}},"tools":[]}}'
)


def ingest(warehouse: Path, source: Path) -> list[str | Path]:
    """The command that loads `source`."""
    return [RUNMART, "ingest", "-w", warehouse, source]


def growth(folder: Path, sizes: list[int]) -> str:
    """Time and memory of loads of different sizes, each into a new warehouse."""
    rows: list[list[str]] = []
    for size in sizes:
        pages, warehouse = folder / "pages", folder / "w.duckdb"
        generate.write_pages(pages, generate.runs(size))
        timing = timed(ingest(warehouse, pages))
        megabytes = warehouse.stat().st_size / 1e6
        rows.append(
            [
                f"{size:,}",
                f"{timing.wall_seconds:.1f}",
                f"{size / timing.wall_seconds:,.0f}",
                f"{timing.peak_megabytes:.0f}",
                f"{megabytes:,.0f}",
            ]
        )
        shutil.rmtree(pages)
        warehouse.unlink()
    return table(("runs", "wall s", "runs/s", "peak MB of all processes", "file MB"), rows)


def top_ups(folder: Path, times: list[int], rounds: int) -> str:
    """Loads of 10,000 runs into warehouses of different sizes: all new, or a part of them updates of stored runs."""
    pages, base = folder / "base", folder / "base.duckdb"
    generate.write_pages(pages, generate.runs(BASE_RUNS))
    subprocess.run(ingest(base, pages), check=True, stdout=subprocess.DEVNULL)
    new, mixed, one = folder / "new", folder / "mixed", folder / "one"
    generate.write_pages(new, generate.runs(TOP_UP_RUNS, first=BASE_RUNS * max(times)))
    generate.write_pages(one, generate.runs(generate.PAGE_RUNS, first=BASE_RUNS * max(times)))
    updates = _updates(pages)
    fresh = generate.runs(TOP_UP_RUNS - len(updates), first=BASE_RUNS * max(times))
    generate.write_pages(mixed, [*updates, *fresh])
    rows: list[list[str]] = []
    first: list[Timing] = []
    for count in times:
        large = folder / "large.duckdb"
        shutil.copy(base, large)
        multiply(large, count)
        found = [_top_up(folder, large, source, rounds) for source in (new, mixed, one)]
        first = first or found
        ratios = [
            f"{of.wall_seconds:.2f} ({of.wall_seconds / to.wall_seconds:.2f})"
            for of, to in zip(found, first, strict=True)
        ]
        rows.append([f"{count * BASE_RUNS:,}", *ratios, f"{max(of.peak_megabytes for of in found):.0f}"])
        large.unlink()
    columns = (
        "runs in the warehouse",
        f"{TOP_UP_RUNS:,} new runs, s (ratio)",
        f"{TOP_UP_RUNS - len(updates):,} new and {len(updates):,} updated, s (ratio)",
        "one page of 100, s (ratio)",
        "peak MB",
    )
    return table(columns, rows)


def _updates(pages: Path) -> list[str]:
    """The open runs of some pages, as later observations in which they have ended."""
    import json

    found: list[str] = []
    for path in sorted(pages.iterdir()):
        for run in json.loads(path.read_bytes())["data"]:
            if run["status"] in generate.ADMIT_ALL:
                ended = {"status": "completed", "completed_at": run["created_at"] + 60, "required_action": None}
                found.append(json.dumps({**run, **ended}, separators=(",", ":"), ensure_ascii=False))
    return found


def _top_up(folder: Path, warehouse: Path, source: Path, rounds: int) -> Timing:
    copy = folder / "copy.duckdb"

    def once() -> Timing:
        shutil.copy(warehouse, copy)
        with copy.open("rb") as file:
            os.fsync(file.fileno())  # else the load would wait for the copy to be written
        return timed(ingest(copy, source))

    timing = best_of(once, rounds)
    copy.unlink()
    return timing


def tiny_files(folder: Path, count: int) -> str:
    """A folder of very many files of one run each: its first load, and a second one without changes."""
    tiny, warehouse = folder / "tiny", folder / "tiny.duckdb"
    for number in range(count):
        part = tiny / f"{number // 1000:05}"
        if number % 1000 == 0:
            part.mkdir(parents=True)
        (part / f"{number}.json").write_text(TINY.format(number, generate.FIRST_CREATED_AT + number))
    time.sleep(3)  # files that are read in the moment when they are written are read again
    rows: list[list[str]] = []
    for name in ("loaded", "walked again, nothing changed"):
        timing = timed(ingest(warehouse, tiny))
        rate = f"{count / timing.wall_seconds:,.0f}"
        rows.append([name, f"{timing.wall_seconds:.1f}", rate, f"{timing.peak_megabytes:.0f}"])
    shutil.rmtree(tiny)
    return table((f"{count:,} files", "wall s", "files/s", "peak MB"), rows)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[200_000, 1_000_000, 5_000_000], help="runs of a load")
    parser.add_argument("--times", type=int, nargs="*", default=[1, 10, 100], help="warehouses, in 100,000 runs")
    parser.add_argument("--files", type=int, default=1_000_000, help="tiny files")
    parser.add_argument("--rounds", type=int, default=5, help="top-ups of each kind")
    parser.add_argument("--save", action="store_true", help="put the tables into RESULTS.md")
    arguments = parser.parse_args()
    parts: dict[str, Callable[[Path], str]] = {}
    if arguments.times:
        parts["top-ups"] = lambda folder: top_ups(folder, arguments.times, arguments.rounds)
    if arguments.sizes:
        parts["growth"] = lambda folder: growth(folder, arguments.sizes)
    if arguments.files:
        parts["tiny files"] = lambda folder: tiny_files(folder, arguments.files)
    for section, part in parts.items():
        with tempfile.TemporaryDirectory() as name:
            text = f"{machine()}\n\n{part(Path(name))}"
        print(text, flush=True)
        if arguments.save:
            save(section, text)


if __name__ == "__main__":
    main()
