"""Reading a warehouse in Python: its views, and any query, as polars frames."""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Literal, Self

from runmart.ingest.warehouse.location import Location, parse_location
from runmart.queries.attach import Attached, attached, version_of
from runmart.queries.catalog import find
from runmart.queries.selection import Selected, Selection

if TYPE_CHECKING:
    import polars

ViewName = Literal[
    "assistant_changes",
    "cost_by_assistant",
    "cost_by_model",
    "cost_reconciliation",
    "costs_daily",
    "data_freshness",
    "deployment_turns",
    "duration_histogram",
    "error_summary",
    "errors_over_time",
    "failure_rates_by_assistant",
    "failure_rates_by_model",
    "gen_ai_runs",
    "latency_by_assistant",
    "latency_by_model",
    "load_history",
    "metadata_usage",
    "migration_comparison",
    "model_prices",
    "open_runs",
    "period_comparison",
    "reject_summary",
    "required_tool_calls",
    "run_costs",
    "run_facts",
    "run_times",
    "runs_daily",
    "runs_hourly",
    "runs_over_time",
    "runs_over_time_by_assistant",
    "runs_over_time_by_model",
    "step_latency",
    "thread_activity",
    "token_usage_by_assistant",
    "token_usage_by_model",
    "tool_prices",
    "tool_usage",
    "turn_runs",
    "turns",
    "usage_over_time",
    "usage_over_time_by_assistant",
    "usage_over_time_by_model",
]
"""The views that runmart installs; read your own views with `Warehouse.sql`."""


class Warehouse:
    """A warehouse, open for reading at one version; see `connect`.

    Instants are `Datetime("us", "UTC")`, days are dates, JSON is text.
    """

    def __init__(self, path: str | Location) -> None:
        """See `connect`."""
        self._path = parse_location(path)
        self._attached: Attached | None = None
        self._use(attached(self._path), None)

    def within(self, selection: Selection) -> "Warehouse":
        """The same warehouse, limited to the selected runs; your own views are not limited. Close it as well.

        Raises:
            ValueError: The warehouse is closed; or, from `view` and `sql`, an older version of runmart created it.
        """
        found = copy(self)
        found._use(self._file(), selection)  # noqa: SLF001 - another of the same
        return found

    def _file(self) -> Attached:
        if self._attached is None:
            raise ValueError(f"{self._path}: it is closed")
        return self._attached

    def _use(self, file: Attached, selection: Selection | None) -> None:
        """Continue with an opened version, limited to a selection."""
        self._connection = file.cursor()
        self._attached, self._version = file, file.version
        self._selected = Selected(self._connection, selection) if selection is not None else None

    @property
    def views(self) -> list[str]:
        """The names of the views in the warehouse, your own included, in alphabetical order."""
        found = self.sql("select view_name from duckdb_views() where database_name = 'warehouse' and not internal")
        return sorted(found["view_name"])

    def view(self, name: ViewName) -> "polars.DataFrame":
        """All rows of a view.

        Raises:
            ValueError: There is no such view; the message suggests the most similar name.
        """
        known = find(name).name
        if known not in self.views:
            raise ValueError(f"{self._path}: it has no view {known} yet: an older runmart made it; load into it once")
        return self.sql(f"select * from {known}")

    def sql(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> "polars.DataFrame":
        """The result of a query; `?` and `$name` in it stand for `parameters`.

        Raises:
            duckdb.Error: The query is wrong, or would write.
        """
        import polars

        if self._selected is not None:
            self._selected.add_views(query)
        found: Any = self._connection.sql(query, params=parameters)
        return polars.DataFrame() if found is None else found.pl()  # DuckDB 1 has no result of other statements

    @property
    def is_current(self) -> bool:
        """Whether the warehouse at the path is still the version that is open."""
        return version_of(self._path) == self._version

    def refresh(self) -> bool:
        """Continue with the newest version. Returns False if that is already open.

        Raises:
            FileNotFoundError: The warehouse has been removed.
            BlockingIOError: Another process writes to it.
        """
        if self.is_current:
            return False
        new, old = attached(self._path), self._connection
        self._use(new, self._selected.selection if self._selected is not None else None)
        old.close()
        return True

    def close(self) -> None:
        """Close the warehouse."""
        self._connection.close()
        self._attached = None

    def __enter__(self) -> Self:
        """The warehouse itself, which is closed on exit."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the warehouse."""
        self.close()


def connect(path: str | Location) -> Warehouse:
    """Open a warehouse for reading.

    While a DuckDB file is open, other processes cannot write to it. It can be replaced, as `runmart prune` and
    publishing do: this warehouse then stays at the old version until `refresh`.

    A DuckLake, `ducklake:postgres:dbname=…`, can be written to meanwhile: reads stay at one snapshot until `refresh`.

    Raises:
        FileNotFoundError: There is no such warehouse.
        PermissionError: You may not read it.
        BlockingIOError: Another process writes to it.
        ConnectionError: The catalog of a DuckLake cannot be reached.
        ValueError: It is no warehouse, or a damaged one.
    """
    return Warehouse(path)


def read(warehouse: str | Location, view: ViewName) -> "polars.DataFrame":
    """The rows of a view as a polars frame; the warehouse is open only while they are read.

    Raises:
        FileNotFoundError: There is no such warehouse. For other errors see `connect`.
    """
    with connect(warehouse) as opened:
        return opened.view(view)
