"""`runmart prune`: take old runs, or their content, out of the warehouse."""

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from runmart.cli import durations
from runmart.cli.options import DEFAULT, Options
from runmart.cli.output import echo, echo_json
from runmart.cli.publishing import NOT_ASKED, PublishOptions, as_dict, echo_published
from runmart.ingest.errors import SettingsError
from runmart.ingest.warehouse.location import DuckLake

if TYPE_CHECKING:
    from runmart.ingest.maintenance.prune import Pruned

_FLAG = Parameter(negative="")


def prune(
    *,
    older_than: str | None = None,
    content_only: Annotated[bool, _FLAG] = False,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="")] = False,
    dry_run: Annotated[bool, _FLAG] = False,
    lift: Annotated[bool, _FLAG] = False,
    publishing: PublishOptions = NOT_ASKED,
    options: Options = DEFAULT,
) -> int:
    """Take old runs out of the warehouse, with all that belongs to them, and make the file smaller.

    What will go is shown first, and asked about on a terminal. Later loads leave out what they find of it, else the
    next pull would bring it back. Readers that have the file open go on with what they have; older
    published copies are removed by the next command that publishes, such as this. A DuckLake forgets all it was before;
    a query that is going on there may fail once.

    Args:
        older_than: Runs created before: a date, an instant, or so long ago (90d). Where a run does not say when it was
            created, when it was observed counts.
        content_only: Keep the runs and their measures; drop their instructions, metadata values, messages and all else
            that --content drop drops.
        yes: Do not ask.
        dry_run: Only show what would go.
        lift: Let what was pruned before be loaded again, the next time that it is met.
    """
    publishing.check(options)
    if lift:
        return _lift(publishing, options)
    if older_than is None:
        raise SettingsError("which runs? Give --older-than, such as 90d or 2026-01-31")
    before = durations.instant(older_than, "--older-than", time.time())
    cut = round(before * 1_000_000)
    from runmart.ingest.maintenance.prune import preview
    from runmart.ingest.warehouse.info import size

    with options.reading() as connection:
        before_bytes = size(connection)
    with options.writing() as connection:
        found = preview(connection, cut, content_only=content_only)
    if not options.json:
        _show(found, before, options, content_only=content_only)
    if dry_run or not (yes or _agreed()):
        if options.json:
            echo_json(_summary(found, before, before_bytes, before_bytes, options, is_done=False))
        return 0
    found = _prune(cut, options, content_only=content_only)
    with options.reading() as connection:
        smaller = size(connection)
    published = publishing.after(options)
    if options.json:
        echo_json(
            {**_summary(found, before, before_bytes, smaller, options, is_done=True), "published": as_dict(published)}
        )
    else:
        echo(f"{options.warehouse}: done; {before_bytes:,} bytes before, {smaller:,} now")
        echo_published(published)
    return 0


def _lift(publishing: PublishOptions, options: Options) -> int:
    from runmart.ingest.maintenance.prune import lift

    with options.writing() as connection:
        count = lift(connection)
    published = publishing.after(options)
    if options.json:
        echo_json({"warehouse": str(options.warehouse), "lifted": count, "published": as_dict(published)})
    else:
        echo(f"{options.warehouse}: {count:,} prunes lifted; load with --reload what is to come back")
        echo_published(published)
    return 0


def _agreed() -> bool:
    """Whether the person at the terminal wants it."""
    if not sys.stdin.isatty():
        raise SettingsError("nobody is here to be asked: give --yes, or --dry-run to see what would go")
    return input("Go on? [y/N] ").strip().lower() in {"y", "yes"}


def _prune(cut: int, options: Options, *, content_only: bool) -> "Pruned":
    from runmart.ingest.maintenance.compact import compact
    from runmart.ingest.maintenance.optimize import purge
    from runmart.ingest.maintenance.prune import prune

    with options.writing() as connection:
        found = prune(connection, cut, content_only=content_only)
        if isinstance(options.warehouse, DuckLake):
            purge(connection)
    if not isinstance(options.warehouse, DuckLake):
        compact(options.warehouse, options.lock_timeout)
    return found


def _show(found: "Pruned", before: float, options: Options, *, content_only: bool) -> None:
    what = "the content of " if content_only else ""
    moment = time.strftime("%Y-%m-%d %H:%M", time.gmtime(before))
    echo(f"{options.warehouse}: {what}{found.runs:,} runs created before {moment} (UTC)")
    for table, rows in found.rows.items():
        echo(f"  {rows:>12,} rows of {table.removeprefix('main.')}")


def _summary(
    found: "Pruned", before: float, size: int, smaller: int, options: Options, *, is_done: bool
) -> dict[str, Any]:
    return {
        "warehouse": str(options.warehouse),
        "older_than": before,
        "is_done": is_done,
        "runs": found.runs,
        "rows": found.rows,
        "bytes_before": size,
        "bytes": smaller,
    }
