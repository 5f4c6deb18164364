"""Merges rows of tables in which each row stands alone: steps, and what is beside runs.

Of each key the latest is stored.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from runmart.ingest.load.precedence import LATEST_STEP, latest_neighbour
from runmart.models.columns import Table
from runmart.models.tables.neighbours import NEIGHBOURS
from runmart.models.tables.steps import STEPS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def merge_steps(connection: "DuckDBPyConnection", batches: Sequence[pa.RecordBatch]) -> None:
    """Merge steps, within the caller's transaction."""
    _merge(connection, STEPS, LATEST_STEP, batches)


def merge_neighbours(connection: "DuckDBPyConnection", found: Mapping[str, Sequence[pa.RecordBatch]]) -> None:
    """Merge rows of the tables beside runs, within the caller's transaction."""
    for table in NEIGHBOURS:
        if found.get(table.name):
            _merge(connection, table, latest_neighbour(table), found[table.name])


def _merge(connection: "DuckDBPyConnection", table: Table[Any], latest: str, batches: Sequence[pa.RecordBatch]) -> None:
    """Merge rows of a table by its first column; `latest` orders those of one key, the one to store first."""
    name, key, columns = table.name, table.columns[0].name, ", ".join(column.name for column in table.columns)
    connection.register("incoming_rows", pa.Table.from_batches(batches))
    try:
        [(count, distinct, stored)] = connection.execute(f"""
            select count(*), count(distinct {key}),
                (select count(*) from main.{name} where {key} in (select {key} from incoming_rows))
            from incoming_rows""").fetchall()
        if count == distinct and not stored:
            connection.execute(f"insert into main.{name} ({columns}) select {columns} from incoming_rows")
            return
        connection.execute(f"""
            create or replace temp table latest_rows as
            with candidates as (
                select {columns}, cast(null as bigint) as row_id from incoming_rows
                union all
                select {columns}, rowid as row_id from main.{name} where {key} in (select {key} from incoming_rows)
            ),
            ranked as (
                select *, row_number() over (partition by {key} order by {latest}, row_id nulls last) as place
                from candidates
            )
            select {columns} from ranked where place = 1 and row_id is null""")
        connection.execute(f"delete from main.{name} where {key} in (select {key} from latest_rows)")
        connection.execute(f"insert into main.{name} ({columns}) select {columns} from latest_rows")
    finally:
        connection.unregister("incoming_rows")
