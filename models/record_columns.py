"""Record columns: the fields of many records, one column per field, as sent.

Later stages work on columns, so that each of their steps costs one call per column and batch, not one per run.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import Any, NamedTuple, get_args

import msgspec
import pyarrow as pa
from msgspec import UNSET, Raw, Struct
from msgspec.structs import astuple

from runmart.models import arrow
from runmart.models.arrow import Array, DictionaryArray, compute
from runmart.models.columns import BIGINT, BINARY, BOOLEAN, DOUBLE, VARCHAR
from runmart.models.quirks import MILLISECONDS_FROM, microseconds

_ABSENT = Raw(b"")
_ARROW_TYPES: dict[type, pa.DataType] = {str: VARCHAR, bool: BOOLEAN, int: BIGINT, float: DOUBLE, Raw: BINARY}

SEPARATOR = b"\0"
"""A byte that does not occur in JSON texts."""


class DictionaryColumn(NamedTuple):
    """A column of few distinct values."""

    array: DictionaryArray
    distinct: list[Any]
    """The values of the dictionary."""


class RecordColumns:
    """The columns of n records of one type."""

    def __init__(
        self,
        record: type[Struct],
        common: Collection[str] = (),
        long: Collection[str] = (),
        fields: type[Struct] | None = None,
    ) -> None:
        """Columns without records.

        Args:
            record: The type of the records.
            common: Fields whose texts many records share.
            long: Fields that are kept as JSON and usually hold long texts.
            fields: A type whose additional fields have a column as well, without values.
        """
        self.count = 0
        self.types: Mapping[str, pa.DataType | None] = _types(record)
        """The Arrow type of each field; None where integers and floats are allowed, and the values decide."""
        self._further = {} if fields is None else {name: of for name, of in _types(fields).items() if name not in self}
        self._common = common
        self._lengths: dict[str, list[int]] = {name: [] for name in long if name in self}
        self._values: dict[str, list[Any]] = {name: [] for name in self.types}
        self._sent = dict.fromkeys(self.types, 0)
        self._arrays: dict[str, Array] = {}
        self._encoded: dict[str, DictionaryColumn] = {}

    def add(self, records: Sequence[Struct]) -> None:
        """Add the fields of some records; texts kept as JSON are copied, so that the records can be freed."""
        count = len(records)
        self.count += count
        columns = zip(*map(astuple, records), strict=True)
        for (name, arrow_type), column in zip(self.types.items(), columns, strict=False):
            if name in self._lengths:
                self._sent[name] += count - column.count(_ABSENT)
                self._lengths[name].extend(map(len, map(memoryview, column)))
                self._values[name].append(b"".join(column))
            elif arrow_type is BINARY:
                sent = count - column.count(_ABSENT)
                self._sent[name] += sent
                self._values[name].append(SEPARATOR.join(column) if sent else SEPARATOR * (count - 1))
            else:
                self._values[name].extend(column)

    def __contains__(self, name: str) -> bool:
        """Whether the records have such a field."""
        return name in self.types

    def values(self, name: str) -> Sequence[Any]:
        """The values of a field that is no JSON (shape: n); UNSET where it was not sent."""
        return self._values[name] if name in self else [UNSET] * self.count

    def array(self, name: str) -> Array:
        """A field (shape: n).

        Null where it was null or not sent; a field that is kept as JSON is binary, byte for byte, and empty there.
        """
        if name not in self._arrays:
            if name not in self:
                self._arrays[name] = _not_sent(self._further[name], self.count)
            else:
                self._arrays[name] = self._texts(name) if self.types[name] is BINARY else self._scalars(name)
        return self._arrays[name]

    def texts(self, name: str) -> Array:
        """A field that is kept as JSON (shape: n), byte for byte; empty where it was not sent."""
        return self.array(name)

    def encoded(self, name: str) -> DictionaryColumn:
        """A field as a dictionary column."""
        if name not in self._encoded:
            array = self.array(name).dictionary_encode()
            self._encoded[name] = DictionaryColumn(array, array.dictionary.to_pylist())
        return self._encoded[name]

    def put(self, name: str, column: Array | DictionaryArray) -> None:
        """Replace a field by `column` (shape: n), or add one that the records lack."""
        self._sent.setdefault(name, self.count)
        if pa.types.is_dictionary(column.type):
            self._arrays[name] = column.dictionary_decode()
            self._encoded[name] = DictionaryColumn(column, column.dictionary.to_pylist())
        else:
            self._arrays[name] = column
            self._encoded.pop(name, None)

    def is_sent(self, name: str) -> bool:
        """Whether any record has the field."""
        return self.count_sent(name) > 0

    def count_sent(self, name: str) -> int:
        """The number of records that have the field."""
        self.array(name)
        return self._sent.get(name, 0)

    def count_character(self, name: str, character: str) -> int:
        """The number of occurrences of an ASCII character in the texts of a field; in JSON, as sent."""
        if not self.is_sent(name):
            return 0
        if name not in self._common:
            data = self.array(name).buffers()[2]
            return data.to_pybytes().count(character.encode()) if data else 0
        array, values = self.encoded(name)
        texts = (value.encode() if isinstance(value, str) else value or b"" for value in values)
        counts = [text.count(character.encode()) for text in texts]
        return compute.sum(arrow.array(counts, BIGINT).take(array.indices)).as_py() or 0 if any(counts) else 0

    def _scalars(self, name: str) -> Array:
        values, arrow_type = self._values[name], self.types[name]
        self._sent[name] = self.count
        if values and values[0] is not UNSET and values[-1] is not UNSET:
            try:
                return arrow.array(values, arrow_type)
            except (pa.ArrowInvalid, TypeError):
                pass  # UNSET somewhere in between: trying is cheaper than testing each value
        self._sent[name] -= values.count(UNSET)
        return arrow.array([None if value is UNSET else value for value in values], arrow_type)

    def _texts(self, name: str) -> Array:
        if not self._sent[name]:
            return _not_sent(BINARY, self.count)
        if name in self._lengths:  # searching for separators in long texts takes longer
            return arrow.binary(b"".join(self._values[name]), accumulate(self._lengths[name], initial=0))
        text = SEPARATOR.join(self._values[name])
        return compute.split_pattern(arrow.binary(text, (0, len(text))), SEPARATOR).values


def _not_sent(arrow_type: pa.DataType | None, count: int) -> Array:
    return arrow.repeat(b"", count, BINARY) if arrow_type is BINARY else arrow.nulls(count, arrow_type or BIGINT)


@cache
def _types(record: type[Struct]) -> dict[str, pa.DataType | None]:
    found: dict[str, pa.DataType | None] = {}
    for field in msgspec.structs.fields(record):
        types = [_ARROW_TYPES[leaf] for leaf in _leaves(field.type) if leaf in _ARROW_TYPES]
        found[field.name] = types[0] if len(types) == 1 else None
    return found


def _leaves(annotation: Any) -> Iterator[Any]:
    members = get_args(annotation)
    if not members:
        yield annotation
    for member in members:
        if not isinstance(member, msgspec.Meta):
            yield from _leaves(member)


def instants(sent: RecordColumns, name: str) -> Array:
    """A field that holds instants (shape: n), in microseconds since 1970, by the rules of `quirks.microseconds`."""
    array = sent.array(name)
    if array.null_count == sent.count:
        return arrow.nulls(sent.count, BIGINT)
    if array.type == BIGINT:
        ends = compute.min_max(array).as_py()
        if ends["min"] > 0 and ends["max"] < MILLISECONDS_FROM:
            return compute.multiply(array, 1_000_000)
    return arrow.array([None if value is UNSET else microseconds(value) for value in sent.values(name)], BIGINT)
