"""`runmart lake`: Parquet files that a Spark cluster loads, and the upkeep of a DuckLake."""

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
from runmart.ingest.sources.remote import public_address
from runmart.ingest.warehouse.location import DuckLake, Location
from runmart.models.instants import epoch_microseconds

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

app = App(name="lake", help="Load a lake of Parquet files with Spark, look into one; look after a DuckLake.")


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
    """Load pages of runs into a lake of Parquet files, on Spark, as one batch: all of it or nothing.

    The session is the one of spark-submit, that of $SPARK_REMOTE (Spark Connect), or one on this machine. Executors
    open the inputs and the files of the lake themselves: they need runmart in their Python ($PYSPARK_PYTHON), and
    credentials where they run.

    Args:
        lake: A folder that all machines see, or a URL (s3://, abfss://, gs://, hdfs://); made if there is none.
        sources: Files, folders (recursive), globs, URLs, and folders that `runmart export` wrote.
        source: A label for these runs: which organisation, project or server.
        observed_at: When the runs were observed, instead of each file's modification time; UTC without an offset.
        reload: Read inputs again that were loaded before.
        shards: Over how many files the runs of a month are spread in a new lake, for good; one for each million runs.
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
    row, shown = done.load, public_address(lake)
    if json:  # and nothing else: spark-submit puts both outputs into one
        echo_json({"lake": shown, **done._asdict()})
    else:
        unchanged = f" ({row['inputs_unchanged']:,} more unchanged)" if row["inputs_unchanged"] else ""
        echo(
            f"{shown}: {row['new_runs']:,} new runs, {row['updated_runs']:,} updated, "
            f"{row['unchanged']:,} observations unchanged, {row['rejected']:,} rejected; {row['inputs']:,} inputs"
            f"{unchanged} in {row['seconds']:.1f} s; {done.files_written:,} files written, "
            f"{done.files_replaced:,} replaced"
        )
        if not row["inputs"] and not row["inputs_unchanged"] and not row["rejected"]:
            warn("runmart: there were no files to load; check the sources")
        if row["rejected"]:
            see = f"runmart lake open {shown}, then runmart rejects"
            warn(f"runmart: {row['rejected']:,} items were rejected; see: {see}")
    return EXIT_REJECTS if row["rejected"] else 0


@app.command(name="open")
def open_(lake: str, /, *, warehouse: Annotated[Location, WAREHOUSE] = Path("lake.duckdb")) -> int:
    """Make a small DuckDB file whose tables are views over a lake: for the shell, the dashboards and the checks.

    It shows the lake as it is now; run it again after a batch. Files stay where they are until the batch after next.

    Args:
        lake: The folder of the lake.
        warehouse: The DuckDB file; what is there is replaced if it shows a lake, too, but for its prices.
    """
    from runmart.lake.view_file import open_window

    if isinstance(warehouse, DuckLake):
        raise RunmartError(f"{warehouse}: a window is a DuckDB file; name one with --warehouse")
    manifest = open_window(lake, warehouse)
    runs = sum(one.files["runs"].rows for one in manifest.partitions if "runs" in one.files)
    echo(f"{warehouse}: shows {runs:,} runs of {lake}")
    return 0


def _session() -> "SparkSession":
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise RunmartError("this runs on Spark, which is not installed: pip install 'runmart[spark]'") from None
    builder = SparkSession.builder.appName("runmart lake load")
    if not os.environ.get("SPARK_REMOTE"):  # a server has its own settings, and its own Python
        builder = builder.config("spark.ui.showConsoleProgress", str(sys.stderr.isatty()).lower())
        if "PYSPARK_GATEWAY_PORT" not in os.environ:  # which spark-submit sets
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    return builder.getOrCreate()


@app.command
def maintain(*, keep: str = "7d", options: Options = DEFAULT) -> int:
    """Merge small files, write those anew that hold many deleted rows, and remove what nobody needs any more.

    Loads wait meanwhile, and have their turn between two steps; readers do not. Once a day is enough for most.

    Args:
        keep: So long what the lake held at a time can still be asked for by a query.
    """
    from runmart.ingest.maintenance.optimize import maintain as look_after

    seconds = durations.seconds(keep, "--keep")
    if not isinstance(options.warehouse, DuckLake):
        raise RunmartError(f"{options.warehouse}: a DuckDB file needs no upkeep; this is for ducklake:postgres:...")
    with options.writing() as connection:
        done = look_after(connection, seconds)
    if options.json:
        echo_json({"warehouse": str(options.warehouse), **done._asdict(), "seconds": round(done.seconds, 3)})
    else:
        echo(
            f"{options.warehouse}: {done.merged:,} files merged and {done.rewritten:,} written anew, into "
            f"{done.created:,}; {done.expired:,} snapshots expired, {done.removed:,} files removed; "
            f"{done.seconds:.1f} s"
        )
    return 0
