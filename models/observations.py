"""Observations: runs as they were in the inputs, one column per field. The decoder makes them for `flatten`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import pyarrow as pa
from msgspec import Struct

from runmart.models import arrow
from runmart.models.arrow import Array, DictionaryArray
from runmart.models.columns import BOOLEAN, TIMESTAMPTZ, Column
from runmart.models.record_columns import RecordColumns, instants
from runmart.models.records import IncompleteDetails, LastError, TruncationObject

Value = TypeVar("Value")

RUN_CREATED_AT: Column[Any] = Column(
    "run_created_at",
    TIMESTAMPTZ,
    lambda rows: rows.run_created_at,
    "When the run was created; ask for a period to skip the rest",
)
"""Child rows are stored in order of loading, so that DuckDB can skip row groups of other periods by this column."""


class Origin(Struct, frozen=True):
    """Where observations come from; all observations of an input share one."""

    source: str
    observed_at: int
    """Microseconds since 1970, UTC."""
    load_id: int


class OfferedTool(NamedTuple):
    """One entry of a run's `tools`."""

    position: int
    type: str | None
    name: str | None
    description: str | None
    strict: bool | None
    parameters: bytes | None
    config: bytes | None


@dataclass(frozen=True, slots=True)
class Distinct(Generic[Value]):
    """A column with few distinct values."""

    indices: Array
    """The index in `values` of each run's value (shape: n)."""
    values: Sequence[Value]

    def array(self, get: Callable[[Value], Any], arrow_type: pa.DataType) -> DictionaryArray:
        """`get` of each run's value (shape: n)."""
        return arrow.dictionary(self.indices, map(get, self.values), arrow_type)

    def where(self, get: Callable[[Value], bool]) -> Array:
        """`get` of each run's value, true or false (shape: n)."""
        return arrow.array(map(get, self.values), BOOLEAN).take(self.indices)


@dataclass(frozen=True, slots=True)
class Usages:
    """The usage of the runs that report it (shape of each column: m)."""

    runs: Array
    """The index of the run, from 0."""
    columns: RecordColumns
    """The columns of `CompletionUsage`."""
    cached_prompt_tokens: Array
    cache_write_tokens: Array
    reasoning_tokens: Array
    details: Array
    reported_costs: Array
    """Costs in US dollars."""


@dataclass(frozen=True, slots=True)
class OutputItems:
    """The items in the outputs of responses (shape of each column: m)."""

    runs: Array
    """The index of the response, from 0."""
    positions: Array
    """The place in its output, from 0."""
    ids: Array
    types: Array
    statuses: Array
    names: Array
    waits: Array
    """Whether each response (shape: n) waits for its client."""


@dataclass(slots=True)
class Observations:
    """Runs (n), each as it was at one moment."""

    columns: RecordColumns
    """The columns of the records, by the attributes of `RunFields`."""
    origins: Sequence[tuple[Origin, int]]
    """Where the runs come from, in order: an origin, and the number of its runs."""
    positions: Sequence[int]
    """The position of each in its input, from 0; runs, rejected and skipped items all count."""
    json: dict[str, Array]
    """Fields that are kept as JSON, and `extra`: the undeclared fields in one object, byte for byte."""
    instructions: Distinct[str | None]
    usage: Usages
    tools: Distinct[tuple[OfferedTool, ...]]
    last_error: Distinct[LastError | None]
    incomplete_details: Distinct[IncompleteDetails | None]
    truncation: Distinct[TruncationObject | None]
    output: OutputItems | None = None
    """The items in outputs; None of records that have none."""
    _instants: dict[str, Array] = field(default_factory=dict[str, Any], init=False)

    def __len__(self) -> int:
        """The number of runs."""
        return self.columns.count

    def keys(self, observation: Array) -> tuple[Array, Array]:
        """The id of the run that each row (m) belongs to, and when that run was created."""
        return self.columns.array("id").take(observation), self.instants("created_at").take(observation).view(
            TIMESTAMPTZ
        )

    def instants(self, name: str) -> Array:
        """A field that holds instants (shape: n), in microseconds since 1970, normalised as in `quirks`."""
        if name not in self._instants:
            self._instants[name] = instants(self.columns, name)
        return self._instants[name]


class Reject(NamedTuple):
    """An item that should have been a record and could not be decoded."""

    origin: Origin
    position: int
    line: int
    """Line of the input on which the text begins, from 1."""
    reason: str
    json_path: str
    raw: bytes
    """The whole text."""
    is_withheld: bool = False
    """Whether the text was discarded because it could not be redacted."""
    items: int = 1
    """The number of rejected items that this stands for. From 2 on, `raw` has their texts in order, line by line."""
    last_position: int = -1
    """The position of the last of these items; -1 where there is one."""
    last_line: int = -1
    """The line on which the last of these items begins; -1 where there is one."""
