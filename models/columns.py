"""How a table is declared: a list of columns, each with its type, its getter and what it means.

A column is declared once. From the declaration come the Arrow schema, the DuckDB table with its comments, the SQL that
merges a batch, and the data dictionary.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pyarrow as pa

Row = TypeVar("Row")

Getter = Callable[[Sequence[Row]], Sequence[Any]]
"""Takes the rows of a batch (shape: n), gives the column's n values."""

VARCHAR = pa.string()
BIGINT = pa.int64()
INTEGER = pa.int32()
DOUBLE = pa.float64()
BOOLEAN = pa.bool_()
TIMESTAMPTZ = pa.timestamp("us", tz="UTC")
JSON = pa.json_()

_DUCKDB_TYPES: dict[pa.DataType, str] = {
    VARCHAR: "VARCHAR",
    BIGINT: "BIGINT",
    INTEGER: "INTEGER",
    DOUBLE: "DOUBLE",
    BOOLEAN: "BOOLEAN",
    TIMESTAMPTZ: "TIMESTAMP WITH TIME ZONE",
    JSON: "JSON",
}


def duckdb_type(arrow_type: pa.DataType) -> str:
    """The type as DuckDB writes it."""
    return _DUCKDB_TYPES[arrow_type]


def arrow_array(values: Sequence[Any], arrow_type: pa.DataType) -> "pa.Array[Any]":
    """`values` (shape: n) as an Arrow array of n."""
    return pa.array(values, arrow_type)  # pyright: ignore[reportUnknownMemberType] - an overload of the stubs


def record_batch(columns: "Sequence[pa.Array[Any]]", schema: pa.Schema) -> pa.RecordBatch:
    """Columns of equal length as a record batch."""
    return pa.RecordBatch.from_arrays(columns, schema=schema)  # pyright: ignore[reportUnknownMemberType] - likewise


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column of a table."""

    name: str
    type: pa.DataType
    getter: Getter[Row]
    meaning: str

    @property
    def duckdb_type(self) -> str:
        """The type as DuckDB writes it."""
        return duckdb_type(self.type)

    def array(self, rows: Sequence[Row]) -> "pa.Array[Any]":
        """The column's values of `rows` (shape: n) as an Arrow array of n."""
        values = self.getter(rows)
        if self.type == JSON:
            return JSON.wrap_array(arrow_array(values, VARCHAR))
        return arrow_array(values, self.type)


@dataclass(frozen=True, slots=True)
class Table(Generic[Row]):
    """One table: its columns in order, what a row is, and what the table is for."""

    name: str
    grain: str
    purpose: str
    columns: tuple[Column[Row], ...]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema."""
        return pa.schema([pa.field(column.name, column.type) for column in self.columns])
