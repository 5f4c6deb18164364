"""`runmart deployments`: which runs and responses served one purpose before and after a migration."""

from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from runmart.cli.options import DEFAULT, Options
from runmart.cli.output import echo, echo_json, say_table, warn
from runmart.cli.publishing import NOT_ASKED, PublishOptions, as_dict, echo_published

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

_HEADINGS = ("deployment", "side", "rule", "source", "valid", "turns")

_RULES = """
    select
        deployment, side, match_kind || ' = ' || match_value, source,
        nullif(concat_ws(' ',
            strftime(valid_from, 'from %Y-%m-%d %H:%M:%S'), strftime(valid_to, 'to %Y-%m-%d %H:%M:%S')), ''),
        (select count(*) from deployment_turns as found
            where found.deployment = deployments.deployment and found.side = deployments.side) as turns
    from deployments order by deployment, side desc, match_kind, match_value"""

_COUNTS = """
    select
        count(distinct turns.turn_id) filter (where found.turn_id is null) as unmatched,
        count(distinct turns.turn_id) filter (where found.is_shared) as shared
    from (select distinct turn_id from turn_runs) as turns
    left join deployment_turns as found on found.turn_id = turns.turn_id"""

app = App(name="deployments", help="Show, suggest or import what served one purpose before and after a migration.")


@app.default
def show(*, options: Options = DEFAULT) -> int:
    """Show the rules of deployments, with the number of turns of each side.

    Turns that no rule matches, and turns that several deployments have on the same side, are counted.
    """
    with options.reading() as connection:
        rows = connection.execute(_RULES).fetchall()
        [(unmatched, shared)] = connection.execute(_COUNTS).fetchall()
    if options.json:
        rules = [dict(zip(_HEADINGS, row, strict=True)) for row in rows]
        echo_json({"rules": rules, "unmatched_turns": unmatched, "shared_turns": shared})
        return 0
    say_table(f"{options.warehouse}: rules of deployments, and turns of their side", _HEADINGS, rows)
    echo(f"{unmatched:,} turns belong to no deployment, {shared:,} to several on the same side")
    return 0


app.command(show, name="show")


@app.command(name="import")
def import_(file: Path, /, *, publishing: PublishOptions = NOT_ASKED, options: Options = DEFAULT) -> int:
    """Add rules from a CSV file, or replace those of the same deployment, side, kind and value.

    Its columns are deployment, side (before or after), match_kind (assistant_id, agent_name, prompt_id, metadata:KEY,
    instructions_digest or model), match_value, and optionally source, valid_from and valid_to; a column reason is
    ignored.

    Args:
        file: The CSV file.
    """
    from runmart.ingest.warehouse import deployments

    publishing.check(options)
    rules = deployments.read(file)
    with options.writing() as writer:

        def change() -> None:
            with writer.transaction():
                deployments.put(writer.connection, rules)

        writer.with_write_lock(change)
        empty = _without_turns(writer.connection)
    published = publishing.after(options)
    if options.json:
        found = {"warehouse": str(options.warehouse), "added": len(rules), "sides_without_turns": empty}
        echo_json({**found, "published": as_dict(published)})
        return 0
    echo(f"{options.warehouse}: {len(rules):,} rules added")
    echo_published(published)
    if empty:
        warn(f"runmart: no turn belongs to: {', '.join(empty)}")
    return 0


@app.command
def suggest(*, options: Options = DEFAULT) -> int:
    """Print rules for assistants that seem to have a successor, as CSV for `runmart deployments import`.

    Runs and responses are paired by equal instructions, whatever their whitespace, else by equal metadata or the name
    of an agent, else by equal tools; the column reason says which. Look at them before you import them.
    """
    from runmart.queries.suggestions import Suggestion, suggest

    with options.reading() as connection:
        found = suggest(connection)
    if options.json:
        echo_json([one._asdict() for one in found])
        return 0
    _write_csv(Suggestion._fields, found)
    if not found:
        warn("runmart: no assistant of runs has instructions, names or tools in common with responses")
    return 0


def _write_csv(names: tuple[str, ...], rows: "Sequence[Sequence[str | None]]") -> None:
    import csv
    import sys

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)


def _without_turns(connection: "DuckDBPyConnection") -> list[str]:
    """Sides of deployments whose rules match nothing."""
    rows = connection.execute("""
        select distinct deployment || ' (' || side || ')' from deployments
        where not exists (select 1 from deployment_turns as found
            where found.deployment = deployments.deployment and found.side = deployments.side)
        order by 1""").fetchall()
    return [name for (name,) in rows]
