"""`runmart views`: the views, what they are for, and what is in them."""

from typing import Annotated

from cyclopts import Parameter

from runmart.cli.options import DEFAULT, Options
from runmart.cli.output import say, say_json, say_table


def views(name: str | None = None, /, *, rows: Annotated[int, Parameter(negative="")] = 10, options: Options = DEFAULT) -> int:
    """List the views with their purpose and grain; with a NAME, show its columns and its first rows.

    Args:
        name: A view, such as latency_by_model.
        rows: How many rows of it to show.
    """
    from runmart.queries import find, views as all_views

    if name is None:
        listing = [{"name": view.name, "grain": view.grain, "purpose": view.purpose} for view in all_views()]
        if options.json:
            say_json(listing)
        else:
            columns = ("name", "grain", "purpose")
            say_table("Views", columns, [[view[column] for column in columns] for view in listing], fold=("grain", "purpose"))
        return 0
    view = find(name)
    with options.reading() as connection:
        found = connection.execute(f"select {', '.join(_shown(c.name, c.type) for c in view.columns)} from {view.name} limit {rows:d}").fetchall()  # noqa: S608, E501
    columns = [column.name for column in view.columns]
    if options.json:
        say_json({"name": view.name, "rows": [dict(zip(columns, row, strict=True)) for row in found]})
        return 0
    say(f"{view.name}: {view.purpose}")
    say(f"Grain: {view.grain}.")
    say("")
    say_table("Columns", ("column", "type", "meaning"), [(c.name, c.type, c.meaning) for c in view.columns], fold=("meaning",))
    _say_rows(columns, found)
    return 0
