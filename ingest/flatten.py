"""Flatten: observations in, Arrow record batches out, a column at a time. No I/O, no clock, no database."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from runmart.models import errors, tools, usage
from runmart.models.columns import BIGINT, Table, arrow_array, record_batch
from runmart.models.errors import ERRORS
from runmart.models.observations import Observation
from runmart.models.runs import RUNS
from runmart.models.tools import TOOLS
from runmart.models.usage import USAGE

OBSERVATION = "observation"
"""The first column of each batch: which observation of the batch the row belongs to, from 0."""


class Batches(NamedTuple):
    """The four tables of some observations (n): `runs` has n rows, the others as many as there are."""

    runs: pa.RecordBatch
    usage: pa.RecordBatch
    tools: pa.RecordBatch
    errors: pa.RecordBatch


def flatten(observations: Sequence[Observation]) -> Batches:
    """The rows that `observations` make, each table with the column `observation` before its own."""
    used, offered, failed = usage.rows(observations), tools.rows(observations), errors.rows(observations)
    return Batches(
        _batch(RUNS, observations, range(len(observations))),
        _batch(USAGE, used, [row.observation for row in used]),
        _batch(TOOLS, offered, [row.observation for row in offered]),
        _batch(ERRORS, failed, [row.observation for row in failed]),
    )


def _batch(table: Table[Any], rows: Sequence[Any], observations: Sequence[int]) -> pa.RecordBatch:
    columns = [arrow_array(observations, BIGINT), *(column.array(rows) for column in table.columns)]
    fields: list[pa.Field[Any]] = [pa.field(OBSERVATION, BIGINT), *table.schema]
    return record_batch(columns, pa.schema(fields))
