"""Compares a lake loaded by Spark with a warehouse loaded by one process: runs per core, overhead by stage, and sizes.

Everything runs on this machine, Spark as `local[N]` with N cores. Stages are timed once more without Spark, one after
another in one process, so that what is left is Spark's own.
"""

import argparse
import contextlib
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import generate
from measure import RUNMART, family, machine, table, timed
from results import save

SHARDS = 4
NEW_RUNS = 10_000
CHILD = "--child"


def child(cores: str, lake: str, *batches: str) -> None:
    """Load batches in one session; prints the time of each as JSON."""
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "127.0.0.1"}
    from pyspark.sql import SparkSession

    from runmart.lake.spark.load import load

    started = time.perf_counter()
    builder = SparkSession.builder.master(f"local[{cores}]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.driver.memory", "2g").config("spark.ui.showConsoleProgress", "false").getOrCreate()
    spark.range(10).count()
    took: list[dict[str, Any]] = [{"wall": time.perf_counter() - started}]
    for source in batches:
        started, before = time.perf_counter(), cpu_seconds()
        done = load(spark, lake, [source], shards=SHARDS)
        wall = time.perf_counter() - started
        peaks = {program: peak_megabytes(program) for program in ("python", "java")}
        took.append({"wall": wall, "cpu": cpu_seconds() - before, "files": done.files_written, **peaks, **done.load})
    print(json.dumps(took))


def cpu_seconds() -> float:
    """CPU seconds of this process and its descendants, including those that have ended."""
    used = 0.0
    for pid in family(os.getpid()):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            used += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return used


def peak_megabytes(program: str) -> float:
    """The peak memory of the largest descendant of this process, in MB."""
    found = [0.0]
    for pid in family(os.getpid())[1:]:
        with contextlib.suppress(OSError):
            status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            if status["Name"].strip().startswith(program):
                found.append(int(status["VmHWM"].split()[0]) / 1024)
    return max(found)


def on_spark(cores: int, lake: Path, *batches: Path) -> list[dict[str, Any]]:
    """The times of the start of a session and of the batches."""
    command = [sys.executable, __file__, CHILD, str(cores), lake, *batches]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def without_spark(lake: Path, pages: Path) -> dict[str, float]:
    """Seconds of each stage of a batch, in this process."""
    from runmart.lake.distributed import commit, convert, discover, merge, split
    from runmart.models import arrow
    from runmart.models.columns import BIGINT

    job = commit.begin(str(lake), [str(pages)], source="default", shards=SHARDS)
    took: dict[str, float] = {}

    def stage(name: str, run: Callable[..., Iterator[Any]], *partitions: Iterable[Any]) -> list[Any]:
        started = time.perf_counter()
        rows = [row for partition in partitions for row in run(job, iter(partition))]
        took[name] = time.perf_counter() - started
        return rows

    listed = stage("list", discover.listed, [arrow.rows([(0,)], {"id": BIGINT})])
    pieces = stage("cut", split.splits, listed)
    shuffled = stage("decode, flatten, split by shard", convert.observed, pieces)
    by_shard: list[list[Any]] = [[] for _ in range(SHARDS)]
    for row in shuffled:
        by_shard[row.column("shard")[0].as_py()].append(row)
    merged = stage("merge, write Parquet", merge.merged, *by_shard)
    started = time.perf_counter()
    commit.finish(job, [value for rows in merged for value in rows.column(0).to_pylist()], 0)
    took["commit"] = time.perf_counter() - started
    return took


def compared(folder: Path, pages: Path, runs: int) -> str:
    """The same pages, loaded in four ways."""
    rows: list[list[str]] = []

    def add(name: str, wall: float, cpu: float, cores: int, memory: str) -> None:
        each = runs / wall / cores
        rows.append([name, f"{wall:.1f}", f"{cpu:.1f}", f"{each:,.0f}", f"{runs / cpu:,.0f}", memory])

    for workers in ("0", "1"):
        warehouse = folder / "w.duckdb"
        timing = timed([RUNMART, "ingest", "-w", warehouse, pages, "--workers", workers])
        memory = f"{timing.peak_megabytes:,.0f} MB in all"
        add(f"`runmart ingest --workers {workers}`", timing.wall_seconds, timing.cpu_seconds, int(workers) + 1, memory)
        warehouse.unlink()
    started = time.process_time()
    took = without_spark(folder / "lake", pages)
    add("the stages of a batch, without Spark", sum(took.values()), time.process_time() - started, 1, "")
    for name, seconds in took.items():
        rows.append([f"- {name}", f"{seconds:.1f}", "", "", "", ""])
    shutil.rmtree(folder / "lake")
    for cores in (1, 2):
        session, done = on_spark(cores, folder / "lake", pages)
        memory = f"{done['python']:,.0f} MB a Python, {done['java']:,.0f} MB Java"
        add(f"`runmart lake load`, `local[{cores}]`", done["wall"], done["cpu"], cores, memory)
        shutil.rmtree(folder / "lake")
    rows.append(["- a session's start", f"{session['wall']:.1f}", "", "", "", ""])
    return table(("how", "wall s", "CPU s", "runs/s and core", "runs per CPU second", "peak memory"), rows)


def sizes(folder: Path, pages: Path, runs: int) -> str:
    """Bytes per run in each storage format, and times of later batches."""
    rows: list[list[str]] = []

    def add(name: str, size: int, files: int) -> None:
        rows.append([name, f"{size / runs:,.0f}", f"{files:,}"])

    found = sorted(pages.iterdir())
    add("JSON pages", sum(path.stat().st_size for path in found), len(found))
    some = found[:: max(len(found) // 50, 1)]
    ratio = sum(len(gzip.compress(path.read_bytes())) for path in some) / sum(path.stat().st_size for path in some)
    add("JSON pages, gzip", int(sum(path.stat().st_size for path in found) * ratio), len(found))
    warehouse, lake = folder / "w.duckdb", folder / "lake"
    timed([RUNMART, "ingest", "-w", warehouse, pages])
    add("DuckDB file", warehouse.stat().st_size, 1)
    without_spark(lake, pages)
    parquet = list(lake.rglob("*.parquet"))
    add(f"lake, {SHARDS} shards, by month", sum(path.stat().st_size for path in parquet), len(parquet))
    return table(("form", "bytes per run", "files"), rows)


def later(folder: Path, lake: Path, runs: int) -> str:
    """Later batches into an existing lake."""
    new, known = folder / "new", folder / "known"
    generate.write_pages(new, generate.runs(NEW_RUNS, first=runs))
    generate.write_pages(known, generate.runs(NEW_RUNS, first=runs // 2))
    rows: list[list[str]] = []
    _, *done = on_spark(2, lake, new, known, new)
    for name, one in zip(
        (f"{NEW_RUNS:,} new runs, of all months", f"{NEW_RUNS:,} known runs", "the first again, nothing read"),
        done,
        strict=True,
    ):
        rows.append([name, f"{one['wall']:.1f}", f"{one['files']:,}"])
    return table((f"into a lake of {runs:,} runs, `local[2]`", "wall s", "files written"), rows)


def main() -> None:
    """The command."""
    if sys.argv[1:2] == [CHILD]:
        child(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--save", action="store_true", help="put the tables into RESULTS.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pages = folder / "pages"
        generate.write_pages(pages, generate.runs(given.runs))
        parts = [compared(folder, pages, given.runs), sizes(folder, pages, given.runs)]
        parts.append(later(folder, folder / "lake", given.runs))
    text = "\n\n".join([f"{given.runs:,} runs; {machine()}", *parts])
    print(text)
    if given.save:
        save("lake", text)


if __name__ == "__main__":
    main()
