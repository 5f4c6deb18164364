"""Typed wrappers of the Arrow functions that are used here, whose own stubs leave most types unknown."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

_arrow: Any = pa
compute: Any = pc
"""Arrow's compute functions."""

Array: TypeAlias = Any
"""A column, `pyarrow.Array`, which is Any to type checkers: Arrow's stubs leave most methods unknown."""

DictionaryArray: TypeAlias = Any
"""A column of indices into distinct values, `pyarrow.DictionaryArray`."""


class _NoPandas:
    """A finder of modules that does not find pandas."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def leave_pandas_out() -> None:
    """Keep Arrow from importing pandas where it is installed: a third of a second and 35 MB that nothing here needs.

    Arrow imports pandas with the first value that it makes from one of Python's, and tries that only once. So this must
    come first, and only in processes that run nothing else than this program: `to_pandas` fails there.
    """
    finders: list[Any] = sys.meta_path
    finders.insert(0, _NoPandas)
    array([])
    finders.remove(_NoPandas)


def array(values: Iterable[Any], arrow_type: pa.DataType | None = None) -> Array:
    """`values` (shape: n) as a column of `arrow_type`, or of the type that Arrow infers."""
    return _arrow.array(values, arrow_type)


def binary(data: bytes, offsets: Iterable[int]) -> Array:
    """The parts of `data` between `offsets` (shape: n + 1) as a column of bytes (shape: n); nothing is copied."""
    ends = _arrow.array(list(offsets), pa.int32())
    return _arrow.Array.from_buffers(pa.binary(), len(ends) - 1, [None, ends.buffers()[1], pa.py_buffer(data)])


def nulls(count: int, arrow_type: pa.DataType) -> Array:
    """A column (shape: `count`) without values."""
    return _arrow.nulls(count, arrow_type)


def repeat(value: Any, count: int, arrow_type: pa.DataType) -> Array:
    """A column (shape: `count`) of one value."""
    return _arrow.repeat(scalar(value, arrow_type), count)


def scalar(value: Any, arrow_type: pa.DataType) -> Any:
    """One value as an Arrow scalar, for functions on columns."""
    return _arrow.scalar(value, arrow_type)


def dictionary(indices: Array, values: Iterable[Any], arrow_type: pa.DataType) -> DictionaryArray:
    """The value of `values` at each of `indices` (shape: n)."""
    return _arrow.DictionaryArray.from_arrays(indices, array(values, arrow_type))


def encoded(indices: Array, values: Array) -> DictionaryArray:
    """A dictionary column: the value of the column `values` at each of `indices` (shape: n)."""
    return _arrow.DictionaryArray.from_arrays(indices, values)


def lists(offsets: Iterable[int], values: Array) -> Any:
    """A column of lists: `values` cut at `offsets` (shape: n + 1)."""
    return _arrow.ListArray.from_arrays(array(offsets, pa.int32()), values)


def concatenated(columns: Sequence[Array]) -> Array:
    """Columns of one type, concatenated."""
    return _arrow.concat_arrays(columns)


def rows(values: Sequence[Sequence[Any]], types: Mapping[str, pa.DataType]) -> pa.RecordBatch:
    """Rows (shape: n, m) as a record batch with columns of these names and types (m)."""
    columns = list(zip(*values, strict=True)) or [()] * len(types)
    return record_batch([array(column, of) for column, of in zip(columns, types.values(), strict=True)], list(types))


def record_batch(columns: Sequence[Array], names: Sequence[str]) -> pa.RecordBatch:
    """Columns of equal length as a record batch."""
    return _arrow.RecordBatch.from_arrays(columns, names=names)
