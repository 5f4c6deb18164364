"""Merges growing numbers of runs into one shard of a lake: time and memory of its task."""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from itertools import chain
from pathlib import Path

import generate
import pyarrow as pa
from measure import machine, table
from results import save

from runmart.lake.distributed import commit, convert, discover, merge, split
from runmart.models import arrow
from runmart.models.columns import BIGINT


def convert_all(lake: str, pages: str, shuffle_blocks: str) -> None:
    """Convert the inputs into a file of shuffle blocks."""
    job = commit.begin(lake, [pages], source="default", shards=1)
    found = discover.listed(job, [arrow.rows([(0,)], {"id": BIGINT})])
    rows = convert.observed(job, split.splits(job, found))
    first = next(rows)
    with pa.ipc.new_stream(shuffle_blocks, first.schema) as file:
        for row in chain([first], rows):
            file.write_batch(row)


def merge_all(lake: str, pages: str, shuffle_blocks: str) -> None:
    """Merge that file as the task of a shard does; prints its time and its peak memory."""
    job = commit.begin(lake, [pages], source="default", shards=1)
    started = time.perf_counter()
    with (
        Path(shuffle_blocks).open("rb") as stored,
        pa.ipc.open_stream(stored) as file,
    ):  # a path would be mapped into memory
        list(merge.merged(job, file))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"merge": time.perf_counter() - started, "peak": peak}))


STAGES = {"--convert": convert_all, "--merge": merge_all}


def in_processes(folder: str) -> dict[str, float]:
    """Convert and merge, each in a process of its own."""
    words = [f"{folder}/lake", f"{folder}/pages", f"{folder}/shuffled"]
    done = [
        subprocess.run([sys.executable, __file__, stage, *words], check=True, capture_output=True, text=True)
        for stage in STAGES
    ]
    return json.loads(done[-1].stdout)


def main() -> None:
    """The command."""
    if stage := STAGES.get("".join(sys.argv[1:2])):
        stage(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[100_000, 400_000, 1_600_000])
    parser.add_argument("--save", action="store_true", help="put the table into RESULTS.md")
    given = parser.parse_args()
    rows: list[list[str]] = []
    for runs in given.runs:
        with tempfile.TemporaryDirectory() as name:
            generate.write_pages(Path(name) / "pages", generate.runs(runs))
            found = in_processes(name)
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
