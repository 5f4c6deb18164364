"""What it takes to load and hold many runs, and to poll many threads: constants that were measured, and what follows.

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
"""So long the runs were made for."""

SHARD_RUNS = 5_000_000
PULLS_A_DAY = 24
FADING = math.log(70) / math.log(1.1)
"""Requests for a thread that has fallen quiet, each after a tenth of that time more, until that is a week."""

TABLES = 4.0
"""Files of a partition and shard that has runs of all kinds."""


class Measured(NamedTuple):
    """What was measured."""

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
    json_bytes=0,
    gzip_bytes=0,
    parquet_bytes=0,
    duckdb_bytes=0,
    ingest_runs_per_second=0,
    lake_cpu_seconds=0,
    id_bytes=0,
    view_seconds=0,
    python_bytes=0,
    java_bytes=0,
)


def on_one_machine(runs: int, of: Measured = MEASURED) -> list[str]:
    """A DuckDB file, two cores."""
    return [
        f"{runs:,}",
        _bytes(runs * of.json_bytes),
        _time(runs / of.ingest_runs_per_second),
        _bytes(runs * of.duckdb_bytes),
        _time(runs / 10_000_000 * of.view_seconds),
    ]


def on_a_cluster(runs: int, of: Measured = MEASURED) -> list[str]:
    """A lake, as many cores as a load takes to end in six hours."""
    shards = max(16, -(-runs // SHARD_RUNS))
    seconds = runs * of.lake_cpu_seconds
    cores = max(2, round(seconds / (6 * HOUR)))
    memory = cores * (of.python_bytes + of.java_bytes / 4)
    return [
        f"{runs:,}",
        f"{seconds / HOUR:,.0f}",
        f"{cores:,}",
        _bytes(memory),
        f"{shards:,}",
        f"{shards * MONTHS:,}",
        f"{shards * MONTHS * TABLES:,.0f}",
        _bytes(runs * of.parquet_bytes / (shards * MONTHS)),
        _bytes(runs * of.parquet_bytes),
        _bytes(runs * of.id_bytes),
    ]


def polled(threads: int, requests_per_second: float) -> list[str]:
    """Threads that are asked for: once each, and then as they fall quiet, once a week at the least."""
    return [
        f"{threads:,}",
        f"{requests_per_second:,.0f}",
        _time(2 * threads / requests_per_second),
        _time(threads / requests_per_second),
        f"{threads / WEEK:,.1f}",
        f"{max(requests_per_second - threads / WEEK, 0) * DAY / (PULLS_A_DAY + FADING):,.0f}",
    ]


def tables() -> dict[str, str]:
    """The tables, by what they are of."""
    return {
        "one machine": table(
            ("runs", "JSON", "`runmart ingest`, 2 cores", "DuckDB file", "a view by model, 2 cores"),
            [on_one_machine(runs) for runs in SIZES],
        ),
        "cluster": table(
            (
                "runs",
                "core-hours",
                "cores for 6 hours",
                "memory",
                "shards",
                "shards of months",
                "files",
                "bytes in a partition and shard",
                "lake",
                "ids read by a later batch of all shards",
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
