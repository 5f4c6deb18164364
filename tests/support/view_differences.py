"""Compares the rows of a view in DuckDB and in Spark, value by value."""

from math import isclose
from typing import Any

import pyarrow as pa

from runmart.queries import View

TYPES: dict[str, pa.DataType] = {
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "DOUBLE": pa.float64(),
    "INTEGER": pa.int32(),
    "JSON": pa.string(),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
    "VARCHAR": pa.string(),
    "VARCHAR[]": pa.list_(pa.string()),
}

SINCE = {
    ("data_freshness", "created_seconds_ago"),
    ("data_freshness", "observed_seconds_ago"),
    ("data_freshness", "pulled_seconds_ago"),
    ("open_runs", "age_seconds"),
    ("open_runs", "unseen_seconds"),
}
"""Columns that tell how long ago something was: what they give depends on when they are asked."""

BETWEEN = 1800.0
"""Seconds in which both engines were asked."""


def differences(view: View, found: Any, expected: Any) -> list[str]:
    """The differences between the results of DuckDB and Spark: columns, types, numbers of rows, values."""
    names = [column.name for column in view.columns]
    if not names == found.column_names == expected.column_names:
        return [f"columns: {found.column_names}, {expected.column_names}"]
    declared = {column.name: TYPES[column.type] for column in view.columns}
    both = ((engine, table.schema) for engine, table in (("Spark", found), ("DuckDB", expected)))
    wrong = [
        f"{name}: {engine} gives {schema.field(name).type}, declared is {declared[name]}"
        for engine, schema in both
        for name in names
        if _plain(schema.field(name).type) != declared[name]
    ]
    if wrong or found.num_rows != expected.num_rows:
        return [*wrong, f"rows: {found.num_rows}, {expected.num_rows}"]
    order = sorted(range(len(names)), key=lambda at: declared[names[at]] == pa.float64())  # which may differ a little
    return [
        f"row {row}: {names[at]}: {one[at]!r}, {other[at]!r}"
        for row, (one, other) in enumerate(zip(_rows(found, order), _rows(expected, order), strict=True))
        for at in range(len(names))
        if not _is_same(one[at], other[at], moves=(view.name, names[at]) in SINCE)
    ]


def _plain(kind: Any) -> pa.DataType:
    """A column without differences of representation: time zones, the JSON type, names in lists."""
    if pa.types.is_timestamp(kind) and kind.tz:
        return pa.timestamp(kind.unit, "UTC")
    if pa.types.is_list(kind):
        return pa.list_(kind.value_type)
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _rows(table: Any, order: list[int]) -> list[tuple[Any, ...]]:
    """All rows, sorted; instants, days and hours as numbers."""
    columns = [_numbered(column).to_pylist() for column in table.columns]
    return sorted(
        zip(*columns, strict=True),
        key=lambda row: [(row[at] is None, 0 if row[at] is None else row[at]) for at in order],
    )


def _numbered(column: Any) -> Any:
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.int64())
    return column.cast(pa.int32()) if pa.types.is_date(column.type) else column


def _is_same(one: Any, other: Any, *, moves: bool) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=1e-9, abs_tol=BETWEEN if moves else 0.0)
    return one == other
