"""Capacity model: time, memory and disk to load and store many runs, and requests to poll many threads.

Its tables stand in docs/scale.md. The constants are those of RESULTS.md, of one core of the machine named there; put in
your own: the shapes of runs differ, and so do machines.
"""

import math
from typing import NamedTuple

from measure import table

HOUR, DAY, WEEK = 3600, 86_400, 604_800
GB = 10**9

SIZES = (100_000_000, 1_000_000_000, 100_000_000_000)
MONTHS = 24
"""The period that the runs cover."""

CORES_A_JVM = 4
SHARD_RUNS = 1_000_000
LAKE_RUNS = 1_000_000_000
"""More are divided among lakes: the manifest of one names each file, and each task reads it."""

PULLS_A_DAY = 24
FADING = math.log(70) / math.log(1.1)
"""Requests for a thread that has fallen quiet, each after a tenth of that time more, until that is a week."""

TABLES = 4
"""Files of each shard and month: runs, usage, tools and errors."""


class Measured(NamedTuple):
    """The measured constants."""

    json_bytes: float
    """A run, as servers send it."""
    gzip_bytes: float
    parquet_bytes: float
    duckdb_bytes: float
    ingest_runs_per_second: float
    """`runmart ingest`, two cores."""
    lake_cpu_seconds: float
    """`runmart lake load`, all stages and Spark, a run."""
    id_bytes: float
    """A run's id in Parquet; a later batch reads those of the shards that it touches."""
    view_seconds: float
    """The slowest of the views by model, ten million runs, two cores."""
    python_bytes: float
    """The most that a Python worker of an executor had; one for each core."""
    java_bytes: float


MEASURED = Measured(
    json_bytes=2316,
    gzip_bytes=213,
    parquet_bytes=108,
    duckdb_bytes=154,
    ingest_runs_per_second=600_000 / 21.9,
    lake_cpu_seconds=87.7 / 600_000,
    id_bytes=14.1,
    view_seconds=1.94,
    python_bytes=590e6,
    java_bytes=773e6,
)
"""RESULTS.md: 600,000 runs by `lake.py`, Spark as `local[2]`, and the views over ten million by `views.py`."""


def on_one_machine(runs: int, of: Measured = MEASURED) -> list[str]:
    """Estimates for a DuckDB file on one machine with two cores."""
    return [
        f"{runs:,}",
        f"{_bytes(runs * of.json_bytes)} ({_bytes(runs * of.gzip_bytes)})",
        _time(runs / of.ingest_runs_per_second),
        _bytes(runs * of.duckdb_bytes),
        _time(runs / 10_000_000 * of.view_seconds),
    ]


def on_a_cluster(runs: int, of: Measured = MEASURED) -> list[str]:
    """Estimates for a lake, with as many cores as a load within six hours needs."""
    lakes = -(-runs // LAKE_RUNS)
    each = runs // lakes
    shards = max(16, -(-each // SHARD_RUNS))
    seconds = runs * of.lake_cpu_seconds
    cores = max(2, math.ceil(seconds / (6 * HOUR)))
    memory = cores * (of.python_bytes + of.java_bytes / CORES_A_JVM)
    files = shards * MONTHS * TABLES
    return [
        f"{runs:,}",
        f"{seconds / HOUR:,.0f}",
        f"{cores:,}",
        _bytes(memory),
        f"{lakes:,}",
        f"{shards:,}",
        f"{files:,}",
        _bytes(runs * of.parquet_bytes / (lakes * files)),
        _bytes(runs * of.parquet_bytes),
        _bytes(each * of.id_bytes),
    ]


def polled(threads: int, requests_per_second: float) -> list[str]:
    """Estimates for polling threads: each once, then less and less often while it is idle, at least once a week."""
    return [
        f"{threads:,}",
        f"{requests_per_second:,.0f}",
        _time(2 * threads / requests_per_second),
        _time(threads / requests_per_second),
        f"{threads / WEEK:,.1f}",
        f"{max(requests_per_second - threads / WEEK, 0) * DAY / (PULLS_A_DAY + FADING):,.0f}",
    ]


def tables() -> dict[str, str]:
    """The tables, by topic."""
    return {
        "one machine": table(
            ("runs", "JSON (gzip)", "`runmart ingest`, 2 cores", "DuckDB file", "a view by model, 2 cores"),
            [on_one_machine(runs) for runs in SIZES],
        ),
        "a cluster": table(
            (
                "runs",
                "core-hours",
                "cores for 6 hours",
                "memory",
                "lakes",
                "shards of each",
                "files of each",
                "bytes of a file",
                "all lakes",
                "ids that a batch into one reads",
            ),
            [on_a_cluster(runs) for runs in SIZES],
        ),
        "polling": table(
            (
                "threads",
                "requests/s allowed",
                "first pull (2 requests a thread)",
                "all threads once",
                "requests/s when all are quiet",
                "threads with something new a day beside that, with a pull an hour",
            ),
            [polled(threads, rate) for threads in (100_000, 10_000_000) for rate in (10, 100, 500)],
        ),
    }


def _bytes(count: float) -> str:
    for unit, size in (("PB", 10**15), ("TB", 10**12), ("GB", GB), ("MB", 10**6)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count / 1000:.3g} kB"


def _time(seconds: float) -> str:
    for unit, size in (("days", DAY), ("hours", HOUR), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


if __name__ == "__main__":
    for of, text in tables().items():
        print(f"{of}\n\n{text}\n")
