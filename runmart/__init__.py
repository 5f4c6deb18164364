"""runmart in Python: load run records into a warehouse, and read its views as polars frames.

    import runmart

    runmart.ingest(["pages/"], "runs.duckdb")
    runmart.read("runs.duckdb", "latency_by_model")

What is not listed here, or in the `__all__` of a package below, is internal and may change.
"""

from collections.abc import Iterable
from datetime import datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from runmart.ingest.errors import RunmartError
    from runmart.ingest.load.totals import Totals
    from runmart.queries import Selection, Warehouse, connect, read

    __version__: str

__all__ = ["RunmartError", "Selection", "Warehouse", "__version__", "connect", "ingest", "read"]


class _Ingest(ModuleType):
    """The package `runmart.ingest`, which can be called: its folder already has the name of the function."""

    def __call__(
        self,
        sources: str | Path | Iterable[str | Path],
        warehouse: str | Path = "runs.duckdb",
        *,
        source: str = "default",
        observed_at: datetime | None = None,
        reload: bool = False,
        workers: int | None = None,
        lock_timeout_seconds: float = 30.0,
    ) -> "Totals":
        """Load files, folders, globs and URLs into a warehouse, exactly once, as `runmart ingest` does.

        Args:
            sources: What to load, or a list of that.
            warehouse: A DuckDB file, created if need be, or the address of a DuckLake.
            source: The label of these runs: which organisation, project or server.
            observed_at: When the runs were observed, UTC without an offset; each input's modification time when None.
            reload: Read inputs even if they were read before.
            workers: Processes that convert inputs beside this one; by the number of cores when None.
            lock_timeout_seconds: How long to wait while another process uses the warehouse.

        Returns:
            What was loaded, rejected and skipped. Rejects are in the table `runmart.rejects`.

        Raises:
            RunmartError: A source names nothing, or the warehouse cannot be used.
        """
        from runmart.ingest import pipeline
        from runmart.ingest.warehouse.location import parse_location
        from runmart.models.instants import epoch_microseconds
        from runmart.queries import install

        with parse_location(str(warehouse)).open_for_writing(lock_timeout_seconds) as writer:
            install(writer)
            load = pipeline.ingest(
                writer,
                [str(sources)] if isinstance(sources, str | Path) else map(str, sources),
                source=source,
                observed_at=None if observed_at is None else epoch_microseconds(observed_at),
                reload=reload,
                workers=workers,
            )
        return load.totals


ingest = cast("_Ingest", import_module("runmart.ingest"))
ingest.__class__ = _Ingest


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from runmart.ingest.version import VERSION

        return VERSION
    if name == "RunmartError":
        from runmart.ingest.errors import RunmartError

        return RunmartError
    if name in __all__:
        from runmart import queries

        return getattr(queries, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__]
