"""Load of a batch into a lake on a Spark cluster, which moves rows between stages and retries tasks.

Only APIs that Spark Connect supports are used. Inputs and files of the lake are opened by pyarrow in the Python of the
executors, with the credentials there, never by a JVM.
"""

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from runmart.ingest.errors import RunmartError, SourceError
from runmart.lake.distributed import commit, job, merge, shuffle
from runmart.lake.distributed.commit import DEFAULT_SHARDS, Outcome
from runmart.lake.distributed.convert import observed
from runmart.lake.distributed.discover import listed, marked
from runmart.lake.distributed.job import Job
from runmart.lake.distributed.split import splits
from runmart.models.columns import BIGINT, BINARY, BOOLEAN, INTEGER, VARCHAR
from runmart.models.redaction_policy import RedactionPolicy

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Stage = Callable[[Job, Iterable[Any]], Iterator[Any]]

__all__ = ["SparkError", "load"]

TASK_BYTES = 128 << 20
"""Input bytes per task, where that gives more tasks than two per core."""

MAX_TASKS = 10_000

_TYPES: dict[pa.DataType, str] = {
    BIGINT: "bigint",
    INTEGER: "int",
    VARCHAR: "string",
    BOOLEAN: "boolean",
    BINARY: "binary",
}
_EXCEPTION = re.compile(r"^\s*[\w.]+(?:Error|Exception): (.+)$", re.MULTILINE)

_SETTINGS = {
    "spark.sql.execution.arrow.maxRecordsPerBatch": "16",  # rows may be megabytes, and an executor's memory is small
    "spark.sql.adaptive.enabled": "false",  # it would put small partitions together, whose tasks take long
    # A retried task sends the same observations in other shuffle blocks, since rows arrive in any order. Spark 4.2 and
    # later would take that for different data, and fail the job.
    "spark.sql.shuffle.orderIndependentChecksum.enabled": "false",
    "spark.sql.shuffle.orderIndependentChecksum.enableFullRetryOnMismatch": "false",
}


class SparkError(RunmartError):
    """Spark has given up."""


def load(
    spark: "SparkSession",
    lake: str,
    sources: Sequence[str],
    *,
    source: str = "default",
    shards: int = DEFAULT_SHARDS,
    content: RedactionPolicy | None = None,
    observed_at: int | None = None,
    reload: bool = False,
    tasks: int | None = None,
) -> Outcome:
    """Load sources into a lake as one batch, all of it or nothing.

    Args:
        spark: A session, classic or Connect. Its executors have runmart installed.
        lake: A folder that this machine and all executors see, or a URL: `s3://`, `abfss://`, `gs://`, `hdfs://`.
        sources: Files, folders, globs, URLs, and folders that `runmart export` wrote.
        source: The label of these runs: which organisation, project or server.
        shards: Number of shards of a new lake; an existing lake keeps its own.
        content: The redaction policy; the lake's own rules hold for fields that it does not name.
        observed_at: When the runs were observed, in microseconds since 1970; each input's own time when None.
        reload: Read inputs even if they were read before.
        tasks: Number of tasks that read inputs; from their size and the number of cores when None.

    Raises:
        SourceError: A source names nothing, or cannot be listed.
        ExportError: The lake cannot be read or written to, or another batch was committed meanwhile.
        WarehouseError: Content is to be hashed, and the key is missing or not the lake's.
        SparkError: Spark has given up; the lake is unchanged.
    """
    todo = commit.begin(
        lake, sources, source=source, shards=shards, content=content, observed_at=observed_at, reload=reload
    )
    with _errors(), _set(spark, _SETTINGS):
        found = _found(spark, todo).persist()
        try:
            inputs, unchanged, size = _looked_at(found)
            if inputs == 0:
                return commit.finish(todo, [], unchanged)
            tasks = tasks or min(max(_cores(spark) * 2, size // TASK_BYTES), MAX_TASKS)
            cut = _stage(found.repartition(tasks, "address", "part"), todo, splits, job.TYPES)
            sent = _stage(cut.repartition(tasks, "address", "part", "split"), todo, observed, shuffle.TYPES)
            done = _stage(_by_shard(spark, sent, todo.shards), todo, merge.merged, merge.TYPES)
            results: list[Any] = done.toArrow().column("data").to_pylist()
        finally:
            found.unpersist()
    return commit.finish(todo, results, unchanged)


def _found(spark: "SparkSession", todo: Job) -> "DataFrame":
    """The inputs of the sources, marked when known."""
    count = len(todo.sources)
    numbers = spark.range(0, count, 1, min(count, 1000))
    found = _stage(numbers, todo, listed, job.TYPES)
    return (
        found
        if todo.reload or todo.batch == 1
        else _stage(found.repartition(todo.shards, "owner"), todo, marked, job.TYPES)
    )


def _looked_at(found: "DataFrame") -> tuple[int, int, int]:
    """The number of inputs to read, the number of known ones, and the bytes to read."""
    from pyspark.sql import functions as sql

    is_new = sql.expr("not is_known")
    row = found.agg(
        sql.count_if(is_new), sql.count_if("is_known"), sql.sum(sql.when(is_new, sql.col("size"))), sql.min("problem")
    ).collect()[0]
    if row[3] is not None:
        raise SourceError(row[3])
    return row[0], row[1], row[2] or 0


def _cores(spark: "SparkSession") -> int:
    """The number of tasks that the cluster runs at a time, as far as Spark reports it."""
    from pyspark.sql import functions as sql

    return len(set(spark.range(MAX_TASKS).select(sql.spark_partition_id()).collect()))


def _by_shard(spark: "SparkSession", shuffle_blocks: "DataFrame", shards: int) -> "DataFrame":
    """Shuffle blocks in one partition per shard, by keys that Spark's hash spreads over all partitions."""
    from pyspark.sql import functions as sql

    tried: Any = spark.range(shards * 64).selectExpr(f"pmod(hash(cast(id as int)), {shards})").collect()
    numbers = {place: number for number, (place,) in enumerate(tried)}
    keys = ", ".join(str(numbers.get(shard, shard)) for shard in range(shards))
    return shuffle_blocks.repartition(shards, sql.expr(f"element_at(array({keys}), shard + 1)"))


def _stage(rows: "DataFrame", todo: Job, stage: Stage, types: Mapping[str, pa.DataType]) -> "DataFrame":
    """Run a stage of the job over the rows of each partition."""
    columns = ", ".join(f"{name} {_TYPES[of]}" for name, of in types.items())
    return rows.mapInArrow(lambda batches: stage(todo, batches), columns)


@contextmanager
def _set(spark: "SparkSession", settings: dict[str, str]) -> Generator[None]:
    """Change settings of the session temporarily."""
    before = {name: spark.conf.get(name, value) or value for name, value in settings.items()}
    for name, value in settings.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            spark.conf.set(name, value)


@contextmanager
def _errors() -> Generator[None]:
    """Convert errors of Spark into sentences."""
    from pyspark.errors import PySparkException

    try:
        yield
    except PySparkException as error:
        raise SparkError(f"Spark has given up, and the lake is as it was: {_reason(str(error))}") from error


def _reason(text: str) -> str:
    """The last Python exception in a message of Spark; its first line without one."""
    found = _EXCEPTION.findall(text)
    return found[-1] if found else text.strip().splitlines()[0]
