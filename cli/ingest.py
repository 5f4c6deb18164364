"""`runmart ingest`: load files, folders, globs, standard input and URLs."""

import shlex
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from runmart.cli.app import EXIT_REJECTS
from runmart.cli.content import KEEP, ContentOptions
from runmart.cli.kinds import NEIGHBOUR_WORDS, counted, in_words, number, printable
from runmart.cli.logs import log
from runmart.cli.options import DEFAULT, Options
from runmart.cli.output import echo, echo_json, progress, warn
from runmart.cli.publishing import NOT_ASKED, PublishOptions, as_dict, echo_published
from runmart.ingest import signals
from runmart.ingest.parse.classify import API_ERROR
from runmart.models.instants import epoch_microseconds

if TYPE_CHECKING:
    from runmart.ingest.load.loader import Load
    from runmart.ingest.load.totals import Totals
    from runmart.ingest.workers.pool import Workers

_WHAT_IS_LOADED = (
    'runmart loads runs ("object": "thread.run") and responses ("response"), and pages, arrays, JSON Lines or event '
    "streams of them"
)
_LONGEST_NAME = 80


def ingest(
    sources: Annotated[list[str], Parameter(consume_multiple=True, negative="")],
    /,
    *,
    source: str = "default",
    observed_at: datetime | None = None,
    reload: Annotated[bool, Parameter(negative="")] = False,
    workers: int | None = None,
    log_format: Literal["text", "json"] = "text",
    content: ContentOptions = KEEP,
    publishing: PublishOptions = NOT_ASKED,
    options: Options = DEFAULT,
) -> int:
    """Load runs and responses into the warehouse: one row for each, at its latest observation.

    The format is detected from the content, plain or compressed (gzip, zstd): runs and responses, pages, arrays and
    JSON Lines of either, transcripts of streams, output files of batches; chat completions, runs of LangGraph, spend
    logs of LiteLLM; and webhook events, error answers, usage and costs pages of an organisation, which have tables of
    their own. Inputs that were loaded before and have not changed are skipped. Items that cannot be decoded are kept
    as rejects; see `runmart rejects`.

    Args:
        sources: Files, folders (recursive), globs, - for standard input, https:// and s3:// addresses.
        source: Label of these runs: their organisation, project or server.
        observed_at: When the runs were observed; default each file's modification time. UTC without an offset.
        reload: Read inputs again that were loaded before.
        workers: Maximum number of worker processes for large loads; default the number of cores less one, at most 3.
        log_format: json logs events as JSON lines on standard error, for schedulers.
    """
    signals.catch()
    rules = content.rules()
    publishing.check(options)
    with _workers(workers, sources, options) as converting, options.writing() as writer, log(log_format) as event:
        from runmart.ingest.pipeline import ingest as load_sources

        with progress() as show:
            load = load_sources(
                writer,
                sources,
                source=source,
                observed_at=None if observed_at is None else epoch_microseconds(observed_at),
                reload=reload,
                content=rules,
                workers=converting,
                progress=show,
            )
        event("load finished", **summary(load, options))
    if not options.json:
        echo_summary(load, options, quiet=log_format == "json")
    published = publishing.after(options)
    if options.json:
        echo_json({**summary(load, options), "published": as_dict(published)})
    elif log_format == "text":
        echo_published(published)
    return EXIT_REJECTS if load.totals.rejected else 0


def _workers(count: int | None, sources: list[str], options: Options) -> "Workers":
    """The worker pool; started at once for large inputs, so that it is ready when this process is."""
    from runmart.ingest.sources.discover import estimated_bytes
    from runmart.ingest.workers.pool import START_BYTES, Workers

    workers = Workers(count)
    file = options.warehouse.file
    if file is None:
        return workers  # only the catalog knows which inputs are new
    since = file.stat().st_mtime if file.exists() else 0.0
    if estimated_bytes(sources, since, START_BYTES) >= START_BYTES:
        workers.start()
    return workers


def summary(load: "Load", options: Options) -> dict[str, Any]:
    """What a load did, for --json and logs."""
    totals = load.totals
    return {
        "warehouse": str(options.warehouse),
        "load_id": load.load_id,
        "state": load.state,
        "seconds": round(load.seconds, 3),
        "inputs": totals.inputs,
        "inputs_unchanged": totals.inputs_unchanged,
        "pages": totals.pages,
        "observations": totals.observations,
        "new_runs": totals.new_runs,
        "updated_runs": totals.updated_runs,
        "unchanged": totals.unchanged,
        "rejected": totals.rejected,
        "steps": totals.steps,
        "pruned": totals.pruned,
        **{name: getattr(totals, name) for name in NEIGHBOUR_WORDS},
        "inputs_without_runs": totals.inputs_without_runs,
        "skipped": dict(totals.skipped),
    }


def _others(totals: "Totals") -> str:
    """What was read beside runs: what is loaded, such as steps, and what is skipped."""
    loaded = counted(totals, {"steps": ("step", "steps"), **NEIGHBOUR_WORDS})
    skipped = f"skipped {in_words(totals.skipped)}" if totals.skipped else ""
    return "; ".join(filter(None, (loaded, skipped)))


def _without_runs(totals: "Totals") -> str:
    """Which inputs held nothing but what was skipped, and what is needed."""
    (first, kinds), *others = totals.without_runs
    more = totals.inputs_without_runs - len(totals.without_runs)
    return (
        f"{_name(first)} holds no runs but {in_words(kinds)}"
        + "".join(f", {_name(address)} {in_words(kinds)}" for address, kinds in others)
        + (f", and {number(more, 'more input', 'more inputs')}" if more else "")
        + f"; {_WHAT_IS_LOADED}"
    )


def _name(address: str) -> str:
    """The last part of an address."""
    return printable(address.rstrip("/").rpartition("/")[2] or address, _LONGEST_NAME)


def echo_summary(load: "Load", options: Options, *, quiet: bool) -> None:
    """Show what a load did, and on standard error what may need attention; `quiet` leaves out the former."""
    totals = load.totals
    if not quiet:
        unchanged = f" ({totals.inputs_unchanged:,} more unchanged)" if totals.inputs_unchanged else ""
        echo(
            f"{options.warehouse}: {totals.new_runs:,} new runs, {totals.updated_runs:,} updated, "
            f"{totals.unchanged:,} observations unchanged, {totals.rejected:,} rejected; "
            f"{totals.inputs:,} inputs{unchanged} in {load.seconds:.1f} s"
        )
        if others := _others(totals):
            echo(others)
    if not totals.inputs and not totals.inputs_unchanged and not totals.rejected:
        warn("runmart: no files to load; check the sources")
    if totals.without_runs:
        warn(f"runmart: {_without_runs(totals)}")
    if errors := totals.skipped[API_ERROR]:
        warn(f"runmart: {errors:,} inputs or events are error responses of the server, not runs; they were skipped")
    if totals.pruned:
        warn(f"runmart: {totals.pruned:,} observations of pruned runs were skipped; see: runmart prune --help")
    if totals.rejected:
        where = shlex.quote(str(options.warehouse))
        warn(f"runmart: {totals.rejected:,} items were rejected; see: runmart rejects --warehouse {where}")
