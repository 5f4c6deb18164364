"""`runmart lake`: lakes of Parquet files that Spark loads, and maintenance of a DuckLake."""

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter, validators

from runmart.cli import durations
from runmart.cli.app import EXIT_REJECTS
from runmart.cli.content import KEEP, ContentOptions
from runmart.cli.options import DEFAULT, WAREHOUSE, Options
from runmart.cli.output import echo, echo_json, warn
from runmart.ingest.errors import RunmartError
from runmart.ingest.sources.remote_files import public_address
from runmart.ingest.warehouse.backend import Backend
from runmart.ingest.warehouse.file_backend import DuckDBFile
from runmart.models.instants import epoch_microseconds

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

app = App(name="lake", help="Load and open a lake of Parquet files (Spark); maintain a DuckLake.")

DEFAULT_VIEW_FILE = DuckDBFile(Path("lake.duckdb"))


@app.command
def load(
    lake: str,
    sources: Annotated[list[str], Parameter(consume_multiple=True, negative="")],
    /,
    *,
    source: str = "default",
    observed_at: datetime | None = None,
    reload: Annotated[bool, Parameter(negative="")] = False,
    shards: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 16,
    content: ContentOptions = KEEP,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Load pages of runs into a lake of Parquet files with Spark, as one atomic batch.

    The session is that of spark-submit, of $SPARK_REMOTE (Spark Connect), or a local one. Executors open the inputs and
    the files of the lake themselves: they need runmart in their Python ($PYSPARK_PYTHON), and credentials.

    Args:
        lake: A folder that all machines can access, or a URL (s3://, abfss://, gs://, hdfs://); created if missing.
        sources: Files, folders (recursive), globs, URLs, and folders that `runmart export` wrote.
        source: Label of these runs: their organisation, project or server.
        observed_at: When the runs were observed; default each file's modification time. UTC without an offset.
        reload: Read inputs again that were loaded before.
        shards: Files per month in a new lake, fixed for its lifetime; one for each million runs.
        json: Print one JSON document instead of text.
    """
    rules = content.rules()
    spark = _session()
    from runmart.lake.spark.load import load as load_batch

    done = load_batch(
        spark,
        lake,
        sources,
        source=source,
        shards=shards,
        content=rules,
        observed_at=None if observed_at is None else epoch_microseconds(observed_at),
        reload=reload,
    )
    row, address = done.load, public_address(lake)
    if json:  # and no warnings: spark-submit merges both streams
        echo_json({"lake": address, **done._asdict()})
    else:
        unchanged = f" ({row['inputs_unchanged']:,} more unchanged)" if row["inputs_unchanged"] else ""
        echo(
            f"{address}: {row['new_runs']:,} new runs, {row['updated_runs']:,} updated, "
            f"{row['unchanged']:,} observations unchanged, {row['rejected']:,} rejected; {row['inputs']:,} inputs"
            f"{unchanged} in {row['seconds']:.1f} s; {done.files_written:,} files written, "
            f"{done.files_replaced:,} replaced"
        )
        if not row["inputs"] and not row["inputs_unchanged"] and not row["rejected"]:
            warn("runmart: no files to load; check the sources")
        if row["rejected"]:
            see = f"runmart lake open {address}, then runmart rejects"
            warn(f"runmart: {row['rejected']:,} items were rejected; see: {see}")
    return EXIT_REJECTS if row["rejected"] else 0


@app.command(name="open")
def open_(lake: str, /, *, warehouse: Annotated[Backend, WAREHOUSE] = DEFAULT_VIEW_FILE) -> int:
    """Create a DuckDB file of external views over a lake, for the shell, the dashboards and `runmart check`.

    It shows the current state of the lake; run the command again after each batch. Replaced files of the lake are kept
    for one more batch.

    Args:
        lake: The folder of the lake.
        warehouse: The DuckDB file; one that this command made before is replaced, and keeps its prices.
    """
    from runmart.lake.view_file import write_view_file

    if warehouse.file is None:
        raise RunmartError(f"{warehouse}: views over a lake need a DuckDB file; name one with --warehouse")
    manifest = write_view_file(lake, warehouse.file)
    runs = sum(one.files["runs"].rows for one in manifest.partitions if "runs" in one.files)
    echo(f"{warehouse}: shows {runs:,} runs of {lake}")
    return 0


def _session() -> "SparkSession":
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise RunmartError("this needs Spark, which is not installed; run: pip install 'runmart[spark]'") from None
    builder = SparkSession.builder.appName("runmart lake load")
    if not os.environ.get("SPARK_REMOTE"):  # a server has its own settings, and its own Python
        builder = builder.config("spark.ui.showConsoleProgress", str(sys.stderr.isatty()).lower())
        if "PYSPARK_GATEWAY_PORT" not in os.environ:  # which spark-submit sets
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    return builder.getOrCreate()


@app.command
def maintain(*, keep: str = "7d", options: Options = DEFAULT) -> int:
    """Maintain a DuckLake: compact small files, rewrite files with many deleted rows, expire snapshots, delete orphans.

    Loads wait for the lock during each step; readers are never blocked. Once a day is enough for most lakes.

    Args:
        keep: How long old snapshots stay queryable (time travel).
    """
    seconds = durations.seconds(keep, "--keep")
    done = options.warehouse.maintain(seconds, options.lock_timeout)
    if options.json:
        echo_json({"warehouse": str(options.warehouse), **done._asdict(), "seconds": round(done.seconds, 3)})
    else:
        echo(
            f"{options.warehouse}: {done.merged:,} files merged and {done.rewritten:,} rewritten, into "
            f"{done.created:,}; {done.expired:,} snapshots expired, {done.removed:,} files deleted; "
            f"{done.seconds:.1f} s"
        )
    return 0
