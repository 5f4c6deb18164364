"""Schedule of a pull: which threads it reads, in which order, and the stored state of each.

Thread ids are collected in an in-memory DuckDB, so that millions of them fit. The warehouse is open only while its
state is copied, so that a pull does not block other processes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb

from runmart.ingest.errors import SettingsError
from runmart.ingest.pull import names
from runmart.ingest.pull.source_state import SourceState, has_table, read_state
from runmart.ingest.pull.steps import UnreadSteps
from runmart.ingest.pull.thread_lists import checked
from runmart.ingest.pull.thread_state import COMPLETE, GONE, PARTIAL, OpenRun, Thread
from runmart.ingest.warehouse.connection import exists, open_for_reading
from runmart.ingest.warehouse.location import Location
from runmart.models.statuses import TERMINAL_STATUSES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DAY_SECONDS = 86_400.0
IDLE_SHARE = 0.1
LONGEST_INTERVAL_SECONDS = 7 * DAY_SECONDS
"""A thread without changes for a day or more is idle: it is read again after a tenth of that time, at most a week."""

GONE_SECONDS = 600.0
"""A thread that the server does not know is asked for again after this or a tenth of the time since, at most a week."""

_ADDED = 50_000
"""Number of ids per insert."""

_TERMINAL = ", ".join(f"'{status}'" for status in TERMINAL_STATUSES)

_OTHERS = ", ".join(f"'{name}'" for name in names.OBJECTS.values())
"""Kinds of records that are no runs of threads."""

_IS_RECORD = "starts_with(thread_id, '/')"
_IS_SINGLE = f"starts_with(thread_id, '{names.SINGLE}')"

UNREAD = 10_000
"""The most runs whose steps a pull requests again."""

_STATE = """
    state, newest_run_id, epoch(newest_created_at), epoch(read_at), page_digest, gap_after, gap_until_run_id,
    epoch(gap_until), epoch(gap_read_at), epoch(since), epoch(changed_at), epoch(checked_at), error, paging"""


class Selection(NamedTuple):
    """The threads to read: the union of what its fields select."""

    ids: Iterable[str] = ()
    sql: str | None = None
    """A DuckDB query whose first column holds thread ids."""
    known: bool = False
    """Whether to read all threads in the warehouse."""


class Due(NamedTuple):
    """A thread, a list or a single record to read."""

    thread: Thread
    is_half_read: bool
    """Whether it comes first: the last pull has left it half-read, and got further in it.

    One that it did not get further in has its turn like the others, so that it does not keep them waiting.
    """


class Schedule:
    """What one pull reads: first what was left half-read, then all else in turn, from where the last pull has got to.

    What is said of threads holds for lists and single records too.
    """

    def __init__(self, warehouse: Location, source: str, lock_timeout_seconds: float) -> None:
        """An empty schedule for the runs of `source`; the warehouse need not exist yet."""
        self._warehouse = warehouse
        self._source = source
        self._lock_timeout_seconds = lock_timeout_seconds
        self._connection = duckdb.connect()
        self._connection.execute("create table wanted (thread_id varchar)")
        self._connection.execute("create table recorded (thread_id varchar, is_unfinished boolean)")
        self._connection.execute(
            "create table stored (thread_id varchar, run_id varchar, observed double, ended boolean)"
        )
        self.skipped_gone = self.skipped_idle = self.skipped_ended = 0
        self.state = SourceState()
        """The state of the source, from `read_source` on."""
        self.pruned: float | None = None
        """Runs created before were pruned, in seconds since 1970."""

    def close(self) -> None:
        """Close the in-memory database."""
        self._connection.close()

    def add(self, ids: Iterable[str]) -> None:
        """Add threads."""
        ids = iter(ids)
        while some := list(islice(ids, _ADDED)):
            self._connection.execute("insert into wanted select unnest(?)", [some])

    def read_source(self) -> None:
        """Read the state of the source, the ids of its recorded threads, and from when on runs are kept."""
        if not exists(self._warehouse):
            return
        with open_for_reading(self._warehouse, self._lock_timeout_seconds) as warehouse:
            self.state = read_state(warehouse, self._source)
            self.pruned = _pruned(warehouse)
            if not has_table(warehouse, "threads"):
                return
            found = warehouse.sql(
                f"select thread_id, state is distinct from '{COMPLETE}' from runmart.threads where source = ?",
                params=[self._source],
            ).to_arrow_table()
        self._connection.register("found", found)
        self._connection.execute("insert into recorded from found")
        self._connection.unregister("found")

    def select(
        self,
        sql: str,
        option: str = "--threads-sql",
        parse: Callable[[Iterable[str | None], str], Iterator[str]] = checked,
    ) -> None:
        """Add the threads whose ids a query returns, or what `parse` makes of them.

        Raises:
            SettingsError: DuckDB cannot run it, or a value in its first column is no id; null is skipped.
        """
        try:
            self._connection.execute(f"create table found as from ({sql})")
            column = self._connection.execute("select column_name from (describe found)").fetchall()[0][0]
            quoted = '"' + column.replace('"', '""') + '"'
            found = self._connection.cursor().execute(f"select cast({quoted} as varchar) from found")
            batches = iter(lambda: found.fetchmany(_ADDED), [])
            self.add(parse((value for batch in batches for (value,) in batch), option))
            self._connection.execute("drop table found")
        except duckdb.Error as error:
            raise SettingsError(f"{option}: {str(error).splitlines()[0]}") from None

    def add_known(self) -> None:
        """Add the threads in the warehouse."""
        if not exists(self._warehouse):
            return
        with open_for_reading(self._warehouse, self._lock_timeout_seconds) as warehouse:
            read = f"union select thread_id from runmart.threads where source = $1 and not {_IS_RECORD}"
            found = warehouse.execute(
                f"""
                select distinct thread_id from main.runs
                where source = $1 and thread_id is not null and coalesce(object, '') not in ({_OTHERS})
                {read if has_table(warehouse, "threads") else ""}""",
                [self._source],
            )
            while rows := found.fetchmany(_ADDED):
                self.add(thread_id for (thread_id,) in rows)

    def add_unfinished(self) -> None:
        """Add the single records that earlier pulls have asked for, and that had not ended or could not be read."""
        self._connection.execute(
            f"insert into wanted select thread_id from recorded where is_unfinished and {_IS_SINGLE}"
        )

    def known_threads(self, ids: Sequence[str]) -> set[str]:
        """Those of these threads that an earlier pull has recorded."""
        found = self._connection.execute(
            "select thread_id from recorded where list_contains(?, thread_id)", [list(ids)]
        ).fetchall()
        return {thread_id for (thread_id,) in found}

    def load_runs(self, thread_ids: Sequence[str]) -> None:
        """Copy the ids of the stored runs of threads, when they were observed, and whether they had ended."""
        connection = self._connection.cursor()
        connection.execute("delete from stored")
        if not exists(self._warehouse):
            return
        with open_for_reading(self._warehouse, self._lock_timeout_seconds) as warehouse:
            found = warehouse.sql(
                f"""
                select thread_id, run_id, epoch(observed_at), coalesce(status in ({_TERMINAL}), false) from main.runs
                where thread_id in (select unnest(?)) order by thread_id""",
                params=[list(thread_ids)],
            ).to_arrow_table()
        connection.register("found", found)
        connection.execute("insert into stored from found")

    def stored_runs(self, thread_id: str, ids: Sequence[str]) -> dict[str, float]:
        """Those of the runs of a thread that were stored when `load_runs` was called.

        Returns:
            When each was observed, in seconds since 1970.
        """
        found = self._connection.execute(
            "select run_id, observed from stored where thread_id = ? and list_contains(?, run_id)",
            [thread_id, list(ids)],
        ).fetchall()
        return dict(found)

    def stored_records(self, ids: Sequence[str]) -> dict[str, float]:
        """Those of these records, of whatever thread, that are stored, and when each was observed."""
        if not exists(self._warehouse):
            return {}
        with open_for_reading(self._warehouse, self._lock_timeout_seconds) as warehouse:
            found = warehouse.execute(
                "select run_id, epoch(observed_at) from main.runs where run_id in (select unnest(?))", [list(ids)]
            ).fetchall()
        return dict(found)

    def stored_before(self, thread_id: str) -> dict[str, bool]:
        """The runs of a thread that were stored when `load_runs` was called, and whether each had ended."""
        found = self._connection.execute("select run_id, ended from stored where thread_id = ?", [thread_id]).fetchall()
        return dict(found)

    def unread_steps(self) -> list[UnreadSteps]:
        """The first runs of the wanted threads whose steps are to be read; those come last that were asked for last."""
        if not exists(self._warehouse):
            return []
        with open_for_reading(self._warehouse, self._lock_timeout_seconds) as warehouse:
            if not has_table(warehouse, "unread_steps"):
                return []
            wanted = self._connection.sql("select distinct thread_id from wanted").to_arrow_table()
            warehouse.register("wanted", wanted)
            rows = warehouse.execute(
                f"""
                select thread_id, run_id, epoch(wanted_at), epoch(asked_at) from runmart.unread_steps
                where source = ? and thread_id in (from wanted)
                order by asked_at nulls first, wanted_at, run_id limit {UNREAD}""",
                [self._source],
            ).fetchall()
        return [UnreadSteps(*row) for row in rows]

    def prepare(self, now: float, since: float | None = None, *, full: bool = False) -> None:
        """Copy the stored state of the threads, and decide which are due.

        Args:
            now: Seconds since 1970.
            since: Runs created before are not requested, in seconds since 1970. A thread whose stored runs do not reach
                back that far is due even when it is idle.
            full: Whether all threads are due, also idle ones and those that the server did not know.
        """
        self._read()
        self._decide(now, since, full=full)

    def due(self) -> int:
        """The number of threads that are due."""
        [(count,)] = self._connection.execute("select count(*) from due").fetchall()
        return count

    def threads(self, size: int) -> Iterator[list[Due]]:
        """The threads that are due, in their order, `size` at a time."""
        offset = 0
        while rows := self._connection.execute(
            f"select is_half_read, thread_id, {_STATE} from due order by place limit {size} offset {offset}"
        ).fetchall():
            offset += size
            opened = self._open_runs([row[1] for row in rows])
            yield [
                Due(Thread(*row, open_runs=tuple(opened.get(row[0], ()))), is_half_read) for is_half_read, *row in rows
            ]

    def _read(self) -> None:
        """Create the tables `known` and `opened`, and fill them from the warehouse."""
        self._connection.execute("""
            create or replace table known as select
                cast(null as varchar) as thread_id, cast(null as varchar) as state,
                cast(null as varchar) as newest_run_id, cast(null as timestamptz) as newest_created_at,
                cast(null as timestamptz) as read_at, cast(null as varchar) as page_digest,
                cast(null as varchar) as gap_after, cast(null as varchar) as gap_until_run_id,
                cast(null as timestamptz) as gap_until, cast(null as timestamptz) as gap_read_at,
                cast(null as timestamptz) as since, cast(null as timestamptz) as changed_at,
                cast(null as timestamptz) as checked_at, cast(null as varchar) as error,
                cast(null as varchar) as paging
            limit 0;
            create or replace table opened (
                thread_id varchar, run_id varchar, created double, expires double, observed double);
            set timezone = 'UTC';""")
        if exists(self._warehouse):
            with open_for_reading(self._warehouse, self._lock_timeout_seconds) as warehouse:
                self._copy(warehouse)

    def _decide(self, now: float, since: float | None, *, full: bool) -> None:
        connection = self._connection
        terminal = f"coalesce(state, '') = '{COMPLETE}' and error is null"
        reaches_back = "since is not null" if since is None else f"epoch(since) > {since}"
        is_ended = f"({_IS_SINGLE} and coalesce(state, '') = '{COMPLETE}')"
        is_idle = f"""({terminal} and not {_IS_RECORD} and not coalesce({reaches_back}, false)
            and changed_at is not null and epoch(checked_at) <= {now}
            and not exists (select 1 from opened where opened.thread_id = known.thread_id)
            and {now} - epoch(changed_at) >= {DAY_SECONDS}
            and {now} - epoch(checked_at)
                < least(({now} - epoch(changed_at)) * {IDLE_SHARE}, {LONGEST_INTERVAL_SECONDS}))"""
        is_gone = f"""(known.state = '{GONE}' and epoch(checked_at) <= {now} and {now} - epoch(checked_at) < least(
            greatest(({now} - epoch(changed_at)) * {IDLE_SHARE}, {GONE_SECONDS}), {LONGEST_INTERVAL_SECONDS}))"""
        connection.execute(f"""
            create or replace table planned as
            select
                wanted.thread_id, known.* exclude (thread_id),
                coalesce({is_gone}, false) as is_gone,
                coalesce({is_idle}, false) as is_idle,
                {is_ended} as is_ended
            from (select distinct thread_id from wanted where thread_id <> '') as wanted
            left join known using (thread_id)""")
        condition = "true" if full else "not is_gone and not is_idle and not is_ended"
        is_half_read = f"""coalesce(
            state = '{PARTIAL}' and error is null and epoch(checked_at) >= {self.state.started or 0}, false)"""
        connection.execute(
            f"""
            create or replace table due as
            select
                *, {is_half_read} as is_half_read,
                row_number() over (order by is_half_read desc, thread_id <= ?, thread_id) as place
            from planned where {condition}""",
            [self.state.asked_until or ""],
        )
        counts = connection.execute(f"""
            select
                count(*) filter (where is_gone), count(*) filter (where is_idle and not is_gone),
                count(*) filter (where is_ended)
            from planned where not ({condition})""").fetchall()
        self.skipped_gone, self.skipped_idle, self.skipped_ended = counts[0]

    def _copy(self, warehouse: "DuckDBPyConnection") -> None:
        """Copy the state and the open runs of the wanted threads from the warehouse."""
        if not has_table(warehouse, "threads"):
            return
        wanted = self._connection.sql("select distinct thread_id from wanted").to_arrow_table()
        warehouse.register("wanted", wanted)
        states = warehouse.sql(
            "select * exclude (source) from runmart.threads where source = ? and thread_id in (from wanted)",
            params=[self._source],
        ).to_arrow_table()
        objects = "".join(f" when '{path}' then '{name}'" for path, name in names.OBJECTS.items())
        opened = warehouse.sql(
            f"""
            with opened as (
                select * from main.runs
                where source = $1 and coalesce(status not in ({_TERMINAL}), true)
                and run_id not in (select run_id from runmart.given_up_runs where source = $1)),
            lists as (
                select thread_id, case split_part(thread_id, '?', 1){objects} end as object from wanted
                where {_IS_RECORD} and not {_IS_SINGLE}),
            found as (
                from opened where thread_id in (select thread_id from wanted where not {_IS_RECORD})
                union all select opened.* replace (lists.thread_id as thread_id) from opened join lists using (object)
                union all select opened.* replace (wanted.thread_id as thread_id)
                from opened join wanted on wanted.thread_id = '{names.SINGLE}' || opened.run_id)
            select
                thread_id, run_id, epoch(created_at) as created, epoch(expires_at) as expires,
                epoch(observed_at) as observed
            from found""",
            params=[self._source],
        ).to_arrow_table()
        for name, found in (("known", states), ("opened", opened)):
            self._connection.register("found", found)
            self._connection.execute(f"insert into {name} by name from found")  # older tables have fewer columns
            self._connection.unregister("found")

    def _open_runs(self, ids: list[str]) -> dict[str, list[OpenRun]]:
        found: dict[str, list[OpenRun]] = {}
        rows: list[tuple[Any, ...]] = self._connection.execute(
            "select * from opened where list_contains(?, thread_id) order by created, run_id", [ids]
        ).fetchall()
        for thread_id, *run in rows:
            found.setdefault(thread_id, []).append(OpenRun(*run))
        return found


def _pruned(warehouse: "DuckDBPyConnection") -> float | None:
    """Since when runs are kept, in seconds since 1970; None where none were pruned."""
    if not has_table(warehouse, "prunes"):
        return None
    [(pruned,)] = warehouse.execute(
        "select epoch(max(older_than)) from runmart.prunes where lifted_at is null and not content_only"
    ).fetchall()
    return pruned
