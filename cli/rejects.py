"""`runmart rejects`: items that could not be loaded, and retrying them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from runmart.cli.app import EXIT_REJECTS
from runmart.cli.options import DEFAULT, Options
from runmart.cli.output import echo, echo_json, say_table, warn
from runmart.cli.publishing import NOT_ASKED, PublishOptions, as_dict, echo_published
from runmart.ingest.load.rejects import (
    PARTLY_WITHHELD,
    STORED_REJECTS,
    is_packed,
    raw_bytes,
    text_of,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_COLUMNS: tuple[str, ...] = (
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
    "items",
    "last_position",
    "last_line",
)


def rejects(
    *,
    retry: Annotated[bool, Parameter(negative="")] = False,
    limit: int = 20,
    publishing: PublishOptions = NOT_ASKED,
    options: Options = DEFAULT,
) -> int:
    """Show items that could not be loaded, most recent first: their position, the reason, and the raw text.

    Beyond 1,000 in one input, those with one kind of reason are one reject.

    Args:
        retry: Decode all rejects again, for example after an upgrade; those that load now are removed.
        limit: Maximum number of rejects to show; --json shows all.
    """
    if retry:
        publishing.check(options)
        return _retry(publishing, options)
    with options.reading() as connection:
        total, packs, packed, items = _counts(connection)
        rows = connection.execute(
            f"select {', '.join(_COLUMNS)} from {STORED_REJECTS} order by reject_id desc limit ?",
            [total if options.json else limit],
        ).fetchall()
    found: list[dict[str, Any]] = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
    if options.json:
        echo_json(list(map(_unpacked, found)))
    elif not found:
        echo(f"{options.warehouse}: no rejects")
    else:
        of_packs = f"; {items:,} items, {packed:,} of them in {packs:,} pack{'s' * (packs > 1)}" if packs else ""
        columns = ("id", "where", "items", "json path", "reason") if packs else ("id", "where", "json path", "reason")
        table = [[_cells(reject)[name] for name in columns] for reject in found]
        say_table(f"Rejects ({len(found):,} of {total:,}{of_packs})", columns, table)
        warn("Raw texts: runmart rejects --json, or the column raw of runmart.rejects. After an upgrade: --retry.")
    return 0


def _counts(connection: "DuckDBPyConnection") -> tuple[int, int, int, int]:
    """The number of rejects, of those that are packs, of the items in packs, and of all items."""
    [found] = connection.execute(f"""
        select
            count(*),
            count(*) filter (items > 1),
            cast(coalesce(sum(items) filter (items > 1), 0) as bigint),
            cast(coalesce(sum(items), 0) as bigint)
        from {STORED_REJECTS}""").fetchall()
    return found


def _cells(reject: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown of a reject, by column."""
    last = "" if reject["last_line"] in {None, reject["line"]} else f"-{reject['last_line']}"
    return {
        "id": reject["reject_id"],
        "where": f"{reject['input']}:{reject['line']}{last}",
        "items": reject["items"],
        "json path": reject["json_path"],
        "reason": reject["reason"],
    }


def _unpacked(reject: dict[str, Any]) -> dict[str, Any]:
    """A reject with the texts of a pack as they are."""
    if reject["raw"] is None or not is_packed(reject["raw_encoding"]):
        return reject
    raw, encoding = text_of(raw_bytes(reject["raw"], reject["raw_encoding"]))
    if reject["raw_encoding"] == PARTLY_WITHHELD:
        encoding = PARTLY_WITHHELD  # what was redacted is UTF-8
    return {**reject, "raw": raw, "raw_encoding": encoding}


def _retry(publishing: PublishOptions, options: Options) -> int:
    from runmart.ingest.maintenance.retry import retry_rejects

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
