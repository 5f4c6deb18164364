"""Declaration of a table: a list of columns, each with its type, its getter and its meaning.

The Arrow schema, the DuckDB table with its comments, the SQL that merges a batch and the data dictionary are all made
from this declaration.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import pyarrow as pa

from runmart.models.arrow import Array

Rows = TypeVar("Rows")

Getter = Callable[[Rows], Array]
"""Returns the column (shape: n) of the n rows of a batch: of its type, or a dictionary of values of its type."""

VARCHAR = pa.string()
BIGINT = pa.int64()
INTEGER = pa.int32()
DOUBLE = pa.float64()
BOOLEAN = pa.bool_()
TIMESTAMPTZ = pa.timestamp("us", tz="UTC")
JSON = pa.json_()
BINARY = pa.binary()

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


def _no_getter(_rows: object) -> Array:
    raise TypeError("the rows of this table do not come from observations")


@dataclass(frozen=True, slots=True)
class Column(Generic[Rows]):
    """One column of a table. Only columns of observed data (runs, steps and their child rows) have a getter."""

    name: str
    type: pa.DataType
    getter: Getter[Rows] = _no_getter
    meaning: str = ""

    @property
    def duckdb_type(self) -> str:
        """The type as DuckDB writes it."""
        return duckdb_type(self.type)


@dataclass(frozen=True, slots=True)
class Table(Generic[Rows]):
    """One table: its columns in order, its grain and its purpose."""

    name: str
    grain: str
    purpose: str
    columns: tuple[Column[Rows], ...]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema."""
        return pa.schema([pa.field(column.name, column.type) for column in self.columns])
