"""`runmart views`: the views with their columns and first rows."""

from typing import TYPE_CHECKING, Any

from runmart.cli.app import EXIT_USAGE
from runmart.cli.options import DEFAULT, Options
from runmart.cli.output import echo, echo_json, say_record, say_table, warn

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from runmart.queries import View

_MOST_COLUMNS = 7
"""Rows of more columns do not fit 80 characters, and are shown as one list each."""


def views(name: str | None = None, /, *, rows: int = 5, options: Options = DEFAULT) -> int:
    """List the views with purpose and grain; with a NAME, show the columns and first rows of that view.

    Args:
        name: A view, such as latency_by_model.
        rows: Number of rows to show.
    """
    from runmart.queries import find

    if rows < 0:
        warn(f"runmart: --rows must be 0 or more, not {rows}")
        return EXIT_USAGE
    if name is None:
        return _list(options)
    try:
        view = find(name)
    except ValueError as error:
        warn(f"runmart: {error}")
        return EXIT_USAGE
    with options.reading() as connection:
        found = _rows(connection, view, rows)
    if options.json:
        columns = [{"name": column.name, "type": column.type, "meaning": column.meaning} for column in view.columns]
        echo_json({"name": view.name, "purpose": view.purpose, "grain": view.grain, "columns": columns, "rows": found})
        return 0
    echo(f"{view.name}: {view.purpose}\nGrain: {view.grain}.\n")
    meanings = [(column.name, column.type, column.meaning) for column in view.columns]
    say_table("Columns", ("column", "type", "meaning"), meanings)
    names = [column.name for column in view.columns]
    if len(names) <= _MOST_COLUMNS:
        say_table("First rows", names, [[row.get(name) for name in names] for row in found])
        return 0
    for number, row in enumerate(found, 1):
        say_record(f"Row {number}", row)
    return 0


def _list(options: Options) -> int:
    from runmart.queries import views as all_views

    listing = [{"name": view.name, "grain": view.grain, "purpose": view.purpose} for view in all_views()]
    if options.json:
        echo_json(listing)
        return 0
    columns = ("name", "grain", "purpose")
    say_table("Views", columns, [[view[column] for column in columns] for view in listing])
    echo("Columns and rows of a view: runmart views NAME")
    return 0


def _rows(connection: "DuckDBPyConnection", view: "View", limit: int) -> list[dict[str, Any]]:
    """The first rows; instants as text, which needs no time zone library."""
    there = {name for name, *_ in connection.execute(f"describe {view.name}").fetchall()}
    if missing := [column.name for column in view.columns if column.name not in there]:
        warn(f"runmart: an older version wrote this warehouse: the next load adds {', '.join(missing)} to {view.name}")
    columns = ", ".join(
        f"strftime({column.name}, '%Y-%m-%d %H:%M:%S') as {column.name}"
        if column.type.lower().startswith("timestamp")
        else column.name
        for column in view.columns
        if column.name in there
    )
    found = connection.execute(f"select {columns} from {view.name} limit ?", [limit])
    names = [name for name, *_ in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
