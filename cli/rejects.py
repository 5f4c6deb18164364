"""`runmart rejects`: items that could not be loaded, and retrying them."""

from typing import Annotated, Any

from cyclopts import Parameter

from runmart.cli.app import EXIT_REJECTS
from runmart.cli.options import DEFAULT, Options
from runmart.cli.output import echo, echo_json, say_table, warn
from runmart.cli.publishing import NOT_ASKED, PublishOptions, as_dict, echo_published

_COLUMNS = (
    "reject_id",
    "load_id",
    "source",
    "input",
    "position",
    "line",
    "reason",
    "json_path",
    "raw",
    "raw_encoding",
)


def rejects(
    *,
    retry: Annotated[bool, Parameter(negative="")] = False,
    limit: int = 20,
    publishing: PublishOptions = NOT_ASKED,
    options: Options = DEFAULT,
) -> int:
    """Show items that could not be loaded, most recent first: their position, the reason, and the raw text.

    Args:
        retry: Decode all rejects again, for example after an upgrade; those that load now are removed.
        limit: Maximum number of rejects to show; --json shows all.
    """
    if retry:
        publishing.check(options)
        return _retry(publishing, options)
    with options.reading() as connection:
        total = connection.execute("select count(*) from runmart.rejects").fetchall()[0][0]
        rows = connection.execute(
            f"select {', '.join(_COLUMNS)} from runmart.rejects order by reject_id desc limit ?",
            [total if options.json else limit],
        ).fetchall()
    found: list[dict[str, Any]] = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
    if options.json:
        echo_json(found)
    elif not found:
        echo(f"{options.warehouse}: no rejects")
    else:
        table = [(r["reject_id"], f"{r['input']}:{r['line']}", r["json_path"], r["reason"]) for r in found]
        say_table(
            f"Rejects ({len(found):,} of {total:,})",
            ("id", "where", "json path", "reason"),
            table,
        )
        warn("Raw texts: runmart rejects --json, or the column raw of runmart.rejects. After an upgrade: --retry.")
    return 0


def _retry(publishing: PublishOptions, options: Options) -> int:
    from runmart.ingest.pipeline import retry_rejects

    with options.writing() as writer:
        load = retry_rejects(writer)
    totals = load.totals
    published = publishing.after(options)
    if options.json:
        found = {"load_id": load.load_id, "loaded": totals.observations, "still_rejected": totals.rejected}
        echo_json({**found, "published": as_dict(published)})
    else:
        echo(f"{options.warehouse}: {totals.observations:,} observations loaded, {totals.rejected:,} rejects remain")
        echo_published(published)
    return EXIT_REJECTS if totals.rejected else 0
