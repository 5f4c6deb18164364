"""Merges more and more runs into one shard of a lake: how long its task takes, and how much memory it needs."""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import generate
from measure import machine, table
from results import save

from lake import without_spark

CHILD = "--child"


def child(lake: str, pages: str) -> None:
    """One batch in this process, whose memory is then its own."""
    took = without_spark(Path(lake), Path(pages), shards=1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"merge": took["merge, write Parquet"], "peak": peak}))


def main() -> None:
    """The command."""
    if sys.argv[1:2] == [CHILD]:
        child(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[100_000, 400_000, 1_600_000])
    parser.add_argument("--save", action="store_true", help="put the table into RESULTS.md")
    given = parser.parse_args()
    rows: list[list[str]] = []
    for runs in given.runs:
        with tempfile.TemporaryDirectory() as name:
            generate.write_pages(Path(name) / "pages", generate.runs(runs))
            command = [sys.executable, __file__, CHILD, f"{name}/lake", f"{name}/pages"]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            size = sum(path.stat().st_size for path in Path(name, "lake").rglob("*.parquet"))
        numbers = (runs, runs / found["merge"], found["peak"], size)
        rows.append([f"{number:,.0f}" for number in numbers])
    columns = ("runs in the shard", "merged and written a second", "peak MB of the process", "bytes of its files")
    text = f"{machine()}\n\n{table(columns, rows)}"
    print(text)
    if given.save:
        save("shards", text)


if __name__ == "__main__":
    main()
