"""`runmart export` and `runmart import`: a warehouse as a folder of Parquet files, and back."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from runmart.cli.content import KEEP, ContentOptions
from runmart.cli.ingest import summary
from runmart.cli.kinds import NEIGHBOUR_WORDS, counted
from runmart.cli.options import DEFAULT, Options
from runmart.cli.output import echo, echo_json
from runmart.cli.publishing import NOT_ASKED, PublishOptions, as_dict, echo_published


def export(
    *,
    to: Path,
    full: Annotated[bool, Parameter(negative="")] = False,
    options: Options = DEFAULT,
) -> int:
    """Export the tables to Parquet files, partitioned by source and month.

    Exports are incremental: only changed partitions are written, and deleted ones are removed. Usage, tools and errors
    are in the partition of their run; bookkeeping and rejects are not exported.

    Args:
        to: The folder: new, empty, or an export of this warehouse.
        full: Write all partitions again.
    """
    from runmart.lake.parquet.export import export as write

    with options.reading() as connection:
        outcome = write(connection, to, full=full)
    if options.json:
        echo_json({"warehouse": str(options.warehouse), "to": str(to), **outcome._asdict()})
    else:
        echo(
            f"{to}: {outcome.rows['runs']:,} runs, {outcome.bytes:,} bytes; {outcome.written:,} partitions written, "
            f"{outcome.unchanged:,} unchanged, {outcome.removed:,} removed"
        )
    return 0


def import_(
    folder: Path,
    /,
    *,
    content: ContentOptions = KEEP,
    publishing: PublishOptions = NOT_ASKED,
    options: Options = DEFAULT,
) -> int:
    """Import a folder that `runmart export` or `runmart lake load` wrote; runs stay at their latest observation.

    Args:
        folder: The export, or a lake.
    """
    from runmart.lake.parquet.restore import restore

    publishing.check(options)
    rules = content.rules()
    with options.writing() as writer:
        load = restore(writer, folder, rules)
    totals = load.totals
    if not options.json:
        echo(
            f"{options.warehouse}: {totals.new_runs:,} new runs, {totals.updated_runs:,} updated, "
            f"{totals.unchanged:,} unchanged, {totals.steps:,} steps; in {load.seconds:.1f} s"
        )
        if beside := counted(totals, NEIGHBOUR_WORDS):
            echo(beside)
    published = publishing.after(options)
    if options.json:
        echo_json({**summary(load, options), "published": as_dict(published)})
    else:
        echo_published(published)
    return 0
