"""Merge of steps: each is stored at its latest observation, by the precedence of runs (see `merge`)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from runmart.models.statuses import STEP_INSTANTS, TERMINAL_STEP_STATUSES
from runmart.models.tables.steps import STEPS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_COLUMNS = ", ".join(column.name for column in STEPS.columns)
_CONTENT = ", ".join(column.name for column in STEPS.columns if column.name != "load_id")
_ENDED = ", ".join(f"'{status}'" for status in TERMINAL_STEP_STATUSES)
_LATEST = f"""
    status in ({_ENDED}) desc nulls last,
    greatest({", ".join(STEP_INSTANTS)}) desc nulls last,
    observed_at desc,
    observed_position desc,
    md5(cast(json_array({_CONTENT}) as varchar)) desc,
    row_id nulls last"""


def merge_steps(connection: "DuckDBPyConnection", batches: Sequence[pa.RecordBatch]) -> None:
    """Merge steps, within the transaction that the caller has open."""
    connection.register("incoming_steps", pa.Table.from_batches(batches))
    try:
        connection.execute(f"""
            create or replace temp table latest_steps as
            with candidates as (
                select {_COLUMNS}, cast(null as bigint) as row_id from incoming_steps
                union all
                select {_COLUMNS}, rowid as row_id from main.steps
                where step_id in (select step_id from incoming_steps)
            ),
            ranked as (
                select *, row_number() over (partition by step_id order by {_LATEST}) as place from candidates
            )
            select {_COLUMNS} from ranked where place = 1 and row_id is null""")
        connection.execute("delete from main.steps where step_id in (select step_id from latest_steps)")
        connection.execute(f"insert into main.steps ({_COLUMNS}) select {_COLUMNS} from latest_steps")
    finally:
        connection.unregister("incoming_steps")
