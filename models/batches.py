"""Batches: the rows of observations, one Arrow record batch per table."""

from typing import Any, NamedTuple

import pyarrow as pa

from runmart.models.arrow import compute

OBSERVATION = "observation"
"""The first column of each batch: the index of the row's observation in the batch, from 0."""

POSITION = "observed_position"
"""The column that holds an observation's position in its input, from 0."""


class Batches(NamedTuple):
    """The rows of observations (n) in the four tables: n in `runs`, any number in the others.

    A column whose values repeat is a dictionary; `flatten.declared` casts each column to its declared type.
    """

    runs: pa.RecordBatch
    usage: pa.RecordBatch
    tools: pa.RecordBatch
    errors: pa.RecordBatch


def shift(batches: Batches, by: int, column: str) -> Batches:
    """The same rows, with `by` added to an integer column in each of the tables that have it."""
    return Batches(
        *(shift_row_positions(batch, by, column) if column in batch.schema.names else batch for batch in batches)
    )


def shift_row_positions(batch: Any, by: int, column: str) -> pa.RecordBatch:
    """The same rows, with `by` added to an integer column."""
    index = batch.schema.get_field_index(column)
    return batch.set_column(index, batch.schema.field(index), compute.add(batch.column(index), by)) if by else batch
