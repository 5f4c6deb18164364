"""Merges a batch of observations into the four tables, which hold each run at its latest observation.

`precedence` says which that is.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from runmart.ingest.load.kept import find_kept, set_kept
from runmart.ingest.load.precedence import CREATED_AT, IS_TOLD, LATEST, NOT_IN_ORDER, RANK, fields_of_run
from runmart.ingest.warehouse.child_rows import of_runs
from runmart.models.batches import OBSERVATION, Batches, shift
from runmart.models.columns import BIGINT, JSON, VARCHAR, Column, Table
from runmart.models.observations import RUN_CREATED_AT
from runmart.models.tables.all import TABLES
from runmart.models.tables.runs import RUNS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_OF_OBSERVATION = ("observed_at", "observed_position", "load_id")
"""Columns that describe the observation, not the run."""

_NOT_CONTENT = (*_OF_OBSERVATION, RUN_CREATED_AT.name)


class Counts(NamedTuple):
    """What a batch did to the runs."""

    new_runs: int
    updated_runs: int
    unchanged: int


class _Incoming:
    """One table of the current batch, for DuckDB to read.

    It is registered once: DuckDB keeps what is registered within a transaction in memory until its end.
    """

    def __init__(self, table: Table[Any]) -> None:
        fields = [(column.name, VARCHAR if column.type == JSON else column.type) for column in table.columns]
        self.empty = pa.schema([(OBSERVATION, BIGINT), *fields]).empty_table()
        self.rows: Any = self.empty

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The Arrow PyCapsule interface."""
        return self.rows.__arrow_c_stream__(requested_schema)


class Merger:
    """Merges batches into the warehouse behind a connection."""

    def __init__(self, connection: "DuckDBPyConnection") -> None:
        """No transaction may be open."""
        self._connection = connection
        self._incoming = [_Incoming(table) for table in TABLES]
        for table, incoming in zip(TABLES, self._incoming, strict=True):
            connection.register(f"incoming_{table.name}", incoming)

    def merge(self, batches: Sequence[Batches]) -> Counts:
        """Merge a batch, within the caller's transaction; what it did to the runs."""
        numbered: list[Batches] = []
        observations = 0
        for some in batches:
            numbered.append(shift(some, observations, OBSERVATION))
            observations += some.runs.num_rows
        for incoming, parts in zip(self._incoming, zip(*numbered, strict=True), strict=True):
            incoming.rows = pa.Table.from_batches(parts)
        try:
            return _merge(self._connection, observations)
        finally:
            for incoming in self._incoming:
                incoming.rows = incoming.empty


def _merge(connection: "DuckDBPyConnection", observations: int) -> Counts:
    connection.execute("""
        create or replace temp table found as
        select rowid as row_id, run_id from main.runs where run_id in (select run_id from incoming_runs)""")
    stored, distinct = connection.execute("""
        select (select count(*) from found), (select count(distinct run_id) from incoming_runs)""").fetchall()[0]
    if not stored and distinct == observations:
        _insert(connection, "true")
        return Counts(distinct, 0, 0)
    of_found = _of_found(connection)
    _rank(connection, of_found)
    new, updated, has_requests = connection.execute("""
        select
            count(*) filter (where row_id is null),
            count(*) filter (where is_changed and row_id is not null),
            (select coalesce(bool_or(is_request), false) from contenders)
        from winners""").fetchall()[0]
    if has_requests:
        find_kept(connection, of_found)
    connection.execute(f"""
        update main.runs set {", ".join(f"{name} = winner.{name}" for name in _OF_OBSERVATION)}
        from (
            select incoming_runs.*, winners.row_id from incoming_runs
            join winners using ({OBSERVATION}) where not is_changed
        ) as winner
        where runs.rowid = winner.row_id""")
    for table in TABLES:
        replaced = "select {} from winners where is_changed and row_id is not null"
        if table is RUNS:
            connection.execute(f"delete from main.runs where rowid in ({replaced.format('row_id')})")
        else:
            connection.execute(
                f"delete from main.{table.name} where run_id in ({replaced.format('run_id')}) and {of_found}"
            )
    _insert(connection, f"{OBSERVATION} in (select {OBSERVATION} from winners where is_changed)")
    if has_requests:
        set_kept(connection)
    return Counts(new, updated, observations - new - updated)


def _of_found(connection: "DuckDBPyConnection") -> str:
    """A condition that holds for all child rows of the found runs, and lets DuckDB skip rows of other times."""
    return of_runs(connection, "main.runs where rowid in (select row_id from found)")


def _insert(connection: "DuckDBPyConnection", condition: str) -> None:
    """Insert the rows that meet `condition`, on one thread: more compete with each other and with the workers."""
    connection.execute("set threads = 1")
    for table in TABLES:
        columns = ", ".join(column.name for column in table.columns)
        connection.execute(f"""
            insert into main.{table.name} ({columns}) select {columns} from incoming_{table.name} where {condition}""")
    connection.execute("reset threads")


def _rank(connection: "DuckDBPyConnection", of_found: str) -> None:
    """Create the table `winners`: the incoming observations to store, and whether they change their run."""
    connection.execute(f"""
        create or replace temp table contenders as
        select run_id, {OBSERVATION}, cast(null as bigint) as row_id, {RANK} from incoming_runs
        union all
        select run_id, null as {OBSERVATION}, rowid as row_id, {RANK} from main.runs
        where rowid in (select row_id from found)""")
    connection.execute(f"""
        create or replace temp table contested as
        with contests as (
            select run_id from contenders group by run_id having count(*) > 1
        ),
        incoming_contents as ({_contents("incoming_", OBSERVATION, "true", "true")}),
        stored_contents as ({_contents("main.", "null", "rowid in (select row_id from found)", of_found)})
        select contenders.*, contents.fields, contents.content
        from contenders
        join (select * from incoming_contents union all select * from stored_contents) as contents
            on contents.run_id = contenders.run_id
            and contents.{OBSERVATION} is not distinct from contenders.{OBSERVATION}""")
    connection.execute(f"""
        create or replace temp table winners as
        with ranked as (
            select
                run_id,
                {OBSERVATION},
                content,
                row_number() over (partition by run_id order by {LATEST}, {OBSERVATION} nulls first) as place
            from contested
        ),
        uncontested as (
            select run_id, {OBSERVATION}, cast(null as uhugeint) as content
            from contenders where run_id not in (select run_id from contested)
        ),
        latest as (
            select run_id, {OBSERVATION}, content from ranked where place = 1
            union all
            select run_id, {OBSERVATION}, content from uncontested
        )
        select
            latest.run_id,
            latest.{OBSERVATION},
            stored.row_id,
            stored.row_id is null or stored.content is distinct from latest.content as is_changed
        from latest
        left join (select run_id, row_id, content from contested where {OBSERVATION} is null) as stored
            on stored.run_id = latest.run_id
        where latest.{OBSERVATION} is not null""")


def _digested(column: Column[Any]) -> str:
    """A column as part of the content: texts and JSON, which may be large, by their digest."""
    if column.name == "created_at":
        return CREATED_AT
    if column.name in NOT_IN_ORDER:
        return "null"
    return f"md5(cast({column.name} as varchar))" if column.type in {VARCHAR, JSON} else column.name


def _contents(prefix: str, observation: str, of_themselves: str, of_others: str) -> str:
    """The content of each contested observation, as one number, and how many fields of its record have values.

    The number combines the digests of the rows, in any order: to sort their texts would take more memory than a writer
    has.
    """
    parts = " union all ".join(
        f"""
            select run_id, {observation} as {OBSERVATION}, md5_number(cast(json_array('{table.name}', {
            ", ".join(_digested(column) for column in table.columns if column.name not in _NOT_CONTENT)
        }) as varchar)) as digest,
                {fields_of_run(table)} as fields
            from {prefix}{table.name}
            where run_id in (select run_id from contests)
                and {of_themselves if table is RUNS else of_others} and {IS_TOLD.get(table.name, "true")}"""
        for table in TABLES
    )
    return f"""
            select run_id, {OBSERVATION}, bit_xor(digest) as content, sum(fields) as fields
            from ({parts}) as parts
            group by run_id, {OBSERVATION}"""
