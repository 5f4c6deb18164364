"""Times runmart beside DuckDB's own `read_json`, in turns, each as a process of its own, on the same generated runs.

Both end with the same four tables, committed and checkpointed. The peer validates nothing, keeps no rejects and no
unknown fields, and merges nothing. Machines differ: the ratio counts, not the seconds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import generate

BIN = Path(sys.executable).parent
READ_JSON = Path(__file__).parent / "read_json.py"


class Timing(NamedTuple):
    """One run of one loader."""

    wall_seconds: float
    cpu_seconds: float
    peak_megabytes: float


def timed(command: list[str]) -> Timing:
    """Run `command` and measure it from outside."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} ended with status {os.waitstatus_to_exitcode(status)}")
    return Timing(time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def loaders(pages: Path, lines: Path, warehouse: Path) -> dict[str, list[str]]:
    """The commands, by what they are called in the table."""
    runmart = [str(BIN / "runmart"), "ingest", "--warehouse", str(warehouse)]
    read_json = [sys.executable, str(READ_JSON), str(warehouse)]
    return {
        "runmart, page files": [*runmart, str(pages)],
        "runmart, JSON Lines": [*runmart, str(lines)],
        "DuckDB read_json, JSON Lines, schema given": [*read_json, "lines", str(lines)],
        "DuckDB read_json, page files, auto-detected": [*read_json, "pages", str(pages / "*.json")],
    }


def measure(count: int, rounds: int) -> dict[str, list[Timing]]:
    """Generate `count` runs and time each loader `rounds` times, in turns, after one round that does not count."""
    with tempfile.TemporaryDirectory() as folder:
        pages, lines, warehouse = Path(folder) / "pages", Path(folder) / "runs.jsonl", Path(folder) / "w.duckdb"
        generate.write_pages(pages, count)
        with lines.open("w") as file:
            file.writelines(json.dumps(run, separators=(",", ":")) + "\n" for run in generate.runs(count))
        timings: dict[str, list[Timing]] = {}
        for number in range(rounds + 1):
            for name, command in loaders(pages, lines, warehouse).items():
                timing = timed(command)
                warehouse.unlink()
                if number:
                    timings.setdefault(name, []).append(timing)
        return timings


def table(timings: dict[str, list[Timing]], count: int) -> str:
    """The medians as Markdown; the ratio is each loader's wall time over that of runmart on page files."""
    medians = {name: Timing(*map(statistics.median, zip(*runs, strict=True))) for name, runs in timings.items()}
    base = next(iter(medians.values()))
    lines = ["| loader | wall s | CPU s | peak MB | runs/s | wall / runmart |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {name} | {t.wall_seconds:.1f} | {t.cpu_seconds:.1f} | {t.peak_megabytes:.0f} "
        f"| {count / t.wall_seconds:,.0f} | {t.wall_seconds / base.wall_seconds:.2f} |"
        for name, t in medians.items()
    ]
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(table(measure(arguments.runs, arguments.rounds), arguments.runs))


if __name__ == "__main__":
    main()
