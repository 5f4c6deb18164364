"""`runmart prune`: delete old runs, or redact their content."""

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from runmart.cli import durations
from runmart.cli.options import DEFAULT, Options
from runmart.cli.output import echo, echo_json
from runmart.cli.publishing import NOT_ASKED, PublishOptions, as_dict, echo_published
from runmart.ingest.errors import SettingsError

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
    """Delete old runs with all their rows, and shrink the file.

    The rows to delete are shown first, and have to be confirmed on a terminal. Tombstones keep later loads and pulls
    from importing deleted runs again. Readers that have the file open keep their data; older published snapshots are
    deleted by the next command that publishes, such as this one. In a DuckLake all older snapshots expire; a running
    query may fail with file-not-found, retry it.

    Args:
        older_than: Delete runs created (if unknown: observed) before this date, instant or duration ago (90d).
        content_only: Keep runs and their measures, and redact their content as --content drop does.
        yes: Do not ask for confirmation.
        dry_run: Only show what would be deleted.
        lift: Remove the tombstones, so that pruned runs can be imported again.
    """
    publishing.check(options)
    if lift:
        return _lift(publishing, options)
    if older_than is None:
        raise SettingsError("--older-than is missing: give an age or a date, such as 90d or 2026-01-31")
    before = durations.instant(older_than, "--older-than", time.time())
    cut = round(before * 1_000_000)
    from runmart.ingest.maintenance.prune import preview

    with options.reading() as connection:
        before_bytes = options.warehouse.size(connection)
    with options.writing() as writer:
        found = preview(writer.connection, cut, content_only=content_only)
    if not options.json:
        _show(found, before, options, content_only=content_only)
    if dry_run or not (yes or _is_confirmed()):
        if options.json:
            echo_json(_summary(found, before, before_bytes, before_bytes, options, is_done=False))
        return 0
    found = _prune(cut, options, content_only=content_only)
    with options.reading() as connection:
        smaller = options.warehouse.size(connection)
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

    with options.writing() as writer:
        count = lift(writer)
    published = publishing.after(options)
    if options.json:
        echo_json({"warehouse": str(options.warehouse), "lifted": count, "published": as_dict(published)})
    else:
        echo(f"{options.warehouse}: {count:,} prunes lifted; reload the inputs of the runs to restore with --reload")
        echo_published(published)
    return 0


def _is_confirmed() -> bool:
    """Whether the user confirms at the terminal.

    Raises:
        SettingsError: Standard input is not a terminal.
    """
    if not sys.stdin.isatty():
        raise SettingsError("not a terminal: pass --yes to confirm, or --dry-run to see what would be deleted")
    return input("Delete? [y/N] ").strip().lower() in {"y", "yes"}


def _prune(cut: int, options: Options, *, content_only: bool) -> "Pruned":
    from runmart.ingest.maintenance.prune import prune

    with options.writing() as writer:
        found = prune(writer, cut, content_only=content_only)
    options.warehouse.purge(options.lock_timeout)
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
