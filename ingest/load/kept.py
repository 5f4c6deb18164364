"""Keeps what is known of a request from all of its observations, whichever of them is stored: see `precedence`.

Each of these values is the least or the greatest of all, so that it is the same in any order and any split.
"""

from typing import TYPE_CHECKING

from runmart.ingest.load.precedence import IS_REQUEST
from runmart.ingest.sql_text import quoted
from runmart.ingest.warehouse.child_rows import of_runs
from runmart.models.batches import OBSERVATION
from runmart.models.latency_sources import CLOCKS
from runmart.models.record_specs import RESPONSE
from runmart.models.tables.all import TABLES
from runmart.models.tables.runs import RUNS
from runmart.models.tables.usage import USAGE

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_KEPT_OF_RUN = ("created_at", "is_batch", "duration_seconds", "latency_source")
_KEPT_OF_USAGE = ("reported_cost", "reported_cost_currency")

_IS_RESPONSE = f"object = {quoted(RESPONSE.object)}"

_CLOCK = f"""struct_pack(
    rank := list_position([{", ".join(map(quoted, CLOCKS))}], latency_source),
    seconds := duration_seconds,
    source := latency_source)"""
"""The greatest is by the best clock, and lasts longest: a client's lasts longer than its proxy's."""


def find_kept(connection: "DuckDBPyConnection", of_found: str) -> None:
    """Create the table `kept` of the contested requests, before any of their observations is deleted.

    The request that a proxy has logged may be the one that began a response, and over long before it: its duration is
    no response's. A response that has ended is stored before such a log: no row of another kind has its duration.

    Args:
        connection: Within the caller's transaction.
        of_found: A condition that holds for all child rows of the stored contenders.
    """
    costs = f"run_id, {', '.join(_KEPT_OF_USAGE)}"
    connection.execute(f"""
        create or replace temp table kept as
        with requests as (
            select
                run_id,
                min(created_at) as created_at,
                bool_or(is_batch) as is_batch,
                max({_CLOCK}) filter (where duration_seconds is not null) as clock,
                max({_CLOCK}) filter (where duration_seconds is not null and {_IS_RESPONSE}) as clock_of_response,
                max(load_id) as load_id
            from contenders where is_request
            group by run_id having count(*) > 1
        ),
        costs as (
            select run_id, max(reported_cost) as cost, max_by(reported_cost_currency, reported_cost) as currency
            from (
                select {costs} from incoming_usage
                where {OBSERVATION} in (select {OBSERVATION} from contenders where is_request)
                union all
                select {costs} from main.usage
                where {of_found} and run_id in (select run_id from contenders where is_request and row_id is not null)
            ) as told
            where run_id in (select run_id from requests)
            group by run_id
        )
        select requests.*, costs.cost, costs.currency from requests left join costs using (run_id)""")


def set_kept(connection: "DuckDBPyConnection") -> None:
    """Set what was found in the rows that are stored now.

    They count as written by this load: a lake rewrites the partitions of such rows. A cost without a row of usage gets
    one.
    """
    connection.execute(f"""
        create or replace temp table stored as
        select run_id, rowid as row_id, {_IS_RESPONSE} as is_response, {", ".join(_KEPT_OF_RUN)}
        from main.runs where run_id in (select run_id from kept) and {IS_REQUEST}""")
    rows = of_runs(connection, "stored")
    is_changed = " or ".join(f"stored.{name} is distinct from shown.{name}" for name in _KEPT_OF_RUN)
    [(changed,)] = connection.execute(f"""
        create or replace temp table changed as
        with timed as (
            select kept.*, case when is_response then clock_of_response else clock end as best_clock
            from kept join stored using (run_id)
        ),
        shown as (
            select run_id, created_at, is_batch, best_clock.seconds as duration_seconds,
                best_clock.source as latency_source, cost as reported_cost, currency as reported_cost_currency, load_id
            from timed
        ),
        costs as (
            select run_id, reported_cost from main.usage where {rows} and run_id in (select run_id from stored)
        )
        select shown.*, stored.row_id, stored.created_at as created_before, costs.run_id is not null as has_usage
        from shown join stored using (run_id) left join costs using (run_id)
        where {is_changed} or costs.reported_cost is distinct from shown.reported_cost""").fetchall()
    if not changed:
        return
    connection.execute(f"""
        update main.usage as child set {", ".join(f"{name} = changed.{name}" for name in _KEPT_OF_USAGE)}
        from changed where child.run_id = changed.run_id
            and child.reported_cost is distinct from changed.reported_cost and {rows}""")
    for table in TABLES:
        if table is not RUNS:
            connection.execute(f"""
                update main.{table.name} as child set run_created_at = changed.created_at
                from changed where child.run_id = changed.run_id
                    and changed.created_at is distinct from changed.created_before and {rows}""")
    columns = ", ".join(("run_id", *_KEPT_OF_USAGE))
    connection.execute(f"""
        insert into main.{USAGE.name} ({columns}, run_created_at)
        select {columns}, created_at from changed where not has_usage and reported_cost is not null""")
    values = ", ".join(f"{name} = changed.{name}" for name in (*_KEPT_OF_RUN, "load_id"))
    connection.execute(f"update main.runs set {values} from changed where runs.rowid = changed.row_id")
