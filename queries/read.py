"""A warehouse in Python: its views, and any query, as polars frames."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from runmart.queries.catalog import find

if TYPE_CHECKING:
    import polars
    from duckdb import DuckDBPyConnection

ViewName = Literal[
    "assistant_changes",
    "cost_by_assistant",
    "cost_by_model",
    "costs_daily",
    "data_freshness",
    "error_summary",
    "failure_rates_by_assistant",
    "failure_rates_by_model",
    "gen_ai_runs",
    "latency_by_assistant",
    "latency_by_model",
    "load_history",
    "metadata_usage",
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
    "step_latency",
    "thread_activity",
    "token_usage_by_assistant",
    "token_usage_by_model",
    "tool_usage",
]
"""The views that come with runmart; those of your own are read with `Warehouse.sql`."""


class Warehouse:
    """A warehouse, open for reading, as it was when it was opened; see `connect`.

    Instants are `Datetime("us", "UTC")`, days are dates, JSON is text.
    """

    def __init__(self, path: str | Path) -> None:
        """See `connect`."""
        self._path = Path(path)
        self._version = _version(self._path)
        self._connection = _attached(self._path)

    def view(self, name: ViewName) -> "polars.DataFrame":
        """All rows of a view.

        Raises:
            ValueError: There is no such view; the message names the one that was probably meant.
        """
        return self.sql(f"select * from {find(name).name}")

    def sql(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> "polars.DataFrame":
        """What a query gives; `?` and `$name` in it stand for `parameters`.

        Raises:
            duckdb.Error: The query is wrong, or would write.
        """
        return self._connection.sql(query, params=parameters).pl()

    @property
    def is_current(self) -> bool:
        """Whether nothing was written, or published, under the path since."""
        return _version(self._path) == self._version

    def refresh(self) -> bool:
        """Go on with what is there now; whether that is something new.

        Raises:
            FileNotFoundError: It is not there any more.
            BlockingIOError: Another process writes to it.
        """
        if self.is_current:
            return False
        version, connection = _version(self._path), _attached(self._path)
        self.close()
        self._version, self._connection = version, connection
        return True

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()

    def __enter__(self) -> Self:
        """The warehouse is closed on leaving."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def connect(path: str | Path) -> Warehouse:
    """Open a warehouse for reading.

    While it is open, nobody can load into this very file, and what it gives stays as it is. A file that is replaced, by
    `runmart prune` or whatever publishes a copy, is not held up: this goes on with the old one until `refresh`.

    Raises:
        FileNotFoundError: There is no such warehouse.
        BlockingIOError: Another process writes to it.
        ValueError: It is no warehouse.
    """
    return Warehouse(path)


def read(warehouse: str | Path, view: ViewName) -> "polars.DataFrame":
    """The rows of a view as a polars frame; the warehouse is open for as long as that takes.

    Raises:
        FileNotFoundError: There is no such warehouse; and what else `connect` raises.
    """
    with connect(warehouse) as opened:
        return opened.view(view)


def _version(path: Path) -> tuple[int, int, int] | None:
    """Tells one state of a file from another."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _attached(path: Path) -> "DuckDBPyConnection":
    """A connection to the file that is there now.

    It is attached to a database in memory, since DuckDB gives a process that connects to a path again what it had
    opened there before, even when the file is another by now.
    """
    import duckdb

    if not path.exists():
        raise FileNotFoundError(f"{path}: no such warehouse")
    connection = duckdb.connect()
    try:
        name = str(path.resolve()).replace("'", "''")
        connection.execute(f"attach '{name}' as warehouse (read_only)")
        connection.execute("use warehouse; set timezone = 'UTC'")
        tables = connection.execute("select 1 from duckdb_tables() where schema_name = 'runmart'").fetchall()
    except duckdb.IOException as error:
        connection.close()
        if "Could not set lock" in str(error):
            raise BlockingIOError(f"{path}: another process writes to it; try again when that is done") from None
        raise ValueError(f"{path}: it is no DuckDB file, or a damaged one") from None
    if not tables:
        connection.close()
        raise ValueError(f"{path}: it is a DuckDB file, but no runmart warehouse")
    return connection
