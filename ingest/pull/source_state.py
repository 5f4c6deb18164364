"""Stored state of a source: when its last complete pull ended, where the next one goes on, how its lists are paged."""

import json
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING

from runmart.ingest.pull.instants import microseconds
from runmart.models.tables.bookkeeping import SCHEMA, SOURCES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


FRESH_SECONDS = 900.0
"""How exact the time of the last pull is in a lake, where each write makes files."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """A row of `runmart.sources` without its label. Instants are in seconds since 1970."""

    pulled: float | None = None
    """End of the last complete pull."""
    started: float | None = None
    """Start of the last pull."""
    asked_until: str | None = None
    """The thread up to which the last pull asked, in order of ids."""
    runs_manners: str | None = None
    threads_manners: str | None = None
    """How the server pages its lists; see `pagination.as_text`."""
    list_state: str | None = None
    list_after: str | None = None
    list_front: tuple[str, ...] = ()

    def is_news(self, before: "SourceState") -> bool:
        """Whether it differs from an earlier state by more than times of less than `FRESH_SECONDS`."""
        is_same = replace(self, pulled=before.pulled, started=before.started) == before
        return not is_same or (self.started or 0.0) - (before.started or 0.0) >= FRESH_SECONDS


def read_state(connection: "DuckDBPyConnection", source: str) -> SourceState:
    """The state of a source; an empty one where it was never pulled, or the schema is older than the table."""
    if not has_table(connection, SOURCES.name):
        return SourceState()
    rows = connection.execute(
        f"""
        select
            epoch(pulled_at), epoch(started_at), asked_until, runs_manners, threads_manners,
            list_state, list_after, list_front
        from {SCHEMA}.{SOURCES.name} where source = ?""",
        [source],
    ).fetchall()
    if not rows:
        return SourceState()
    state = SourceState(*rows[0][:-1])
    return replace(state, list_front=tuple(json.loads(rows[0][-1] or "[]")))


def state_row(source: str, state: SourceState) -> tuple[object, ...]:
    """The row of a source in `runmart.sources`."""
    pulled, started, *rest, front = astuple(state)
    return source, microseconds(pulled), microseconds(started), *rest, json.dumps(front)


def has_table(connection: "DuckDBPyConnection", name: str) -> bool:
    """Whether a warehouse has a bookkeeping table, which older versions of runmart did not create."""
    found = connection.execute(
        "select 1 from duckdb_tables() where schema_name = ? and table_name = ?", [SCHEMA, name]
    ).fetchall()
    return bool(found)
