"""Selection of runs: limits all views to runs of a time, source, model or assistant.

The views are created again, as temporary views over the selected rows, in one connection only. So a selection defines
no measures of its own: failure rates of last week are the view `failure_rates_by_model` over the runs of last week.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from runmart.ingest.sql_text import quoted
from runmart.models.instants import epoch_microseconds
from runmart.queries.catalog import prelude, views

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Grain = Literal["hour", "day", "week", "month", "all"]
"""The period of views over time, in UTC; weeks begin on Mondays. `all` is one period of all runs, null."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which runs, and in which periods; an empty field does not limit.

    Runs are selected by creation time, from `since`, included, to `until`, excluded; runs without a creation time are
    then not selected. Times without an offset are UTC.
    """

    since: datetime | None = None
    until: datetime | None = None
    sources: Sequence[str] = ()
    models: Sequence[str] = ()
    assistants: Sequence[str] = ()
    grain: Grain = "day"
    horizon: datetime | None = None
    """Runs created from then on are left out, too; unlike `until` it does not end the period, which stays open."""


class Selected:
    """A connection whose tables and views, of the database attached as `warehouse`, are limited to a selection."""

    def __init__(self, connection: "DuckDBPyConnection", selection: Selection) -> None:
        """Limit the connection, for as long as it is open."""
        self.selection = selection
        self._connection = connection
        self._made: set[str] = set()
        for name, query in (*_tables(selection), *_failed_requests(connection, selection)):
            connection.execute(f"create temp view {name} as {query}")
        add_functions(connection)
        connection.execute(f"create or replace temp macro period_of(instant) as {_period(selection.grain)}")

    def add_views(self, query: str) -> None:
        """Create the views that a query names: creating all of them takes as long as most queries.

        Raises:
            ValueError: An older version of runmart created the warehouse, and its tables lack columns of a view.
        """
        needed = _words(query)
        for view in reversed(views()):
            if view.name in needed:
                needed |= _words(view.sql)
        if _ORGANIZATION in needed - self._made:
            self._create(_ORGANIZATION, _organization_usage(self.selection))
        for view in views():
            if view.name in needed - self._made:
                self._create(view.name, view.sql)

    def _create(self, name: str, query: str) -> None:
        import duckdb

        try:
            self._connection.execute(f"create temp view {name} as {query}")
        except (duckdb.BinderException, duckdb.CatalogException):
            raise ValueError("an older runmart made this warehouse; load into it once with this one") from None
        self._made.add(name)


_NO_SOURCES = "select null::varchar as source, null::timestamptz as pulled_at where false"
"""The table of sources in a warehouse that an older runmart has written."""


def add_functions(connection: "DuckDBPyConnection") -> None:
    """Create the functions that views use as temporary ones, since the warehouse may be of an older runmart."""
    functions = prelude("duckdb").replace("create or replace macro", "create or replace temp macro")
    found = "select 1 from duckdb_tables() where schema_name = 'runmart' and table_name = 'sources'"
    if not connection.execute(found).fetchall():
        functions = functions.replace("select * from runmart.sources", _NO_SOURCES)
    connection.execute(functions)


def _words(query: str) -> set[str]:
    return set(re.findall(r"\w+", query))


def _tables(selection: Selection) -> Iterator[tuple[str, str]]:
    """The tables of runs and steps, each with the query of its selected rows."""
    runs = [*_times(selection, "created_at"), *_values(selection)]
    yield "runs", f"select * from warehouse.main.runs{_where(runs)}"
    of_runs = ["run_id in (select run_id from temp.runs)"]
    for name in ("usage", "tools", "errors"):
        rows = [*_times(selection, "run_created_at"), *(of_runs if _values(selection) else [])]
        yield name, f"select * from warehouse.main.{name}{_where(rows)}"
    yield "steps", f"select * from warehouse.main.steps{_where(of_runs if runs else [])}"


_ORGANIZATION = "organization_usage"


def _organization_usage(selection: Selection) -> str:
    """The query of the selected usage of the organisation, which tells no assistants; line items name models."""
    rows = [*_times(selection, "start_time")]
    rows += [f"source in ({', '.join(map(quoted, selection.sources))})"] if selection.sources else []
    if selection.models:
        rows.append(f"coalesce(model, model_of_line_item(line_item)) in ({', '.join(map(quoted, selection.models))})")
    rows += ["false"] if selection.assistants else []
    return f"select * from warehouse.main.{_ORGANIZATION}{_where(rows)}"


def _failed_requests(connection: "DuckDBPyConnection", selection: Selection) -> Iterator[tuple[str, str]]:
    """Failed requests, where the warehouse has the table: none of a selection of assistants, which they do not name."""
    found = "select 1 from duckdb_tables() where database_name = 'warehouse' and table_name = 'request_failures'"
    if connection.execute(found).fetchall():
        rows = [*_times(selection, "occurred_at"), *_values(replace(selection, assistants=()))]
        rows += ["false"] if selection.assistants else []
        yield "request_failures", f"select * from warehouse.main.request_failures{_where(rows)}"


def _times(selection: Selection, column: str) -> list[str]:
    found: list[str] = []
    if selection.since is not None:
        found.append(f"{column} >= make_timestamptz({epoch_microseconds(selection.since)})")
    if selection.until is not None:
        found.append(f"{column} < make_timestamptz({epoch_microseconds(selection.until)})")
    if selection.horizon is not None:
        found.append(f"{column} < make_timestamptz({epoch_microseconds(selection.horizon)})")
    return found


def _values(selection: Selection) -> list[str]:
    asked = {"source": selection.sources, "model": selection.models, "assistant_id": selection.assistants}
    return [f"{column} in ({', '.join(map(quoted, values))})" for column, values in asked.items() if values]


def _where(conditions: Sequence[str]) -> str:
    return f" where {' and '.join(conditions)}" if conditions else ""


def _period(grain: Grain) -> str:
    if grain == "all":
        return "cast(if(instant is null, null, null) as timestamp)"
    return f"date_trunc({quoted(grain)}, make_timestamp(epoch_us(instant)))"
