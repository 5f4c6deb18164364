"""Flatten: observations in, Arrow record batches out, a column at a time. No I/O, no clock, no database."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from runmart.models import arrow
from runmart.models.arrow import Array
from runmart.models.batches import OBSERVATION, Batches
from runmart.models.columns import BIGINT, JSON, Table
from runmart.models.observations import Observations
from runmart.models.tables import errors, tools, usage
from runmart.models.tables.all import TABLES
from runmart.models.tables.errors import ERRORS
from runmart.models.tables.runs import RUNS
from runmart.models.tables.tools import TOOLS
from runmart.models.tables.usage import USAGE


def flatten(runs: Observations) -> Batches:
    """The rows of each table for `runs`; before its own columns each has the column `observation`."""
    used, offered, failed = usage.rows(runs), tools.rows(runs), errors.rows(runs)
    return Batches(
        _batch(RUNS, runs, arrow.array(range(len(runs)), BIGINT)),
        _batch(USAGE, used, used.observation),
        _batch(TOOLS, offered, offered.observation),
        _batch(ERRORS, failed, failed.observation),
    )


def _batch(table: Table[Any], rows: Any, observation: Array) -> pa.RecordBatch:
    columns = [observation.cast(BIGINT), *(column.getter(rows) for column in table.columns)]
    return _record_batch(table, columns)


def _record_batch(table: Table[Any], columns: Sequence[Array]) -> pa.RecordBatch:
    names = [OBSERVATION, *(column.name for column in table.columns)]
    return arrow.record_batch(columns, names)


def declared(batches: Batches) -> Batches:
    """The same rows in the types that the tables declare: dictionaries decoded, JSON as Arrow's JSON type."""
    return Batches(*(_declared(table, batch) for table, batch in zip(TABLES, batches, strict=True)))


def _declared(table: Table[Any], batch: Any) -> pa.RecordBatch:
    types = [BIGINT, *(column.type for column in table.columns)]
    columns = [_typed(column, arrow_type) for column, arrow_type in zip(batch.columns, types, strict=True)]
    return _record_batch(table, columns)


def _typed(column: Array, arrow_type: pa.DataType) -> Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return JSON.wrap_array(column) if arrow_type == JSON else column
