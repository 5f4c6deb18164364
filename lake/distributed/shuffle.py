"""Shuffle blocks: converted rows of one shard, serialised as Arrow IPC, which any engine can move between machines."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from zlib import crc32

import pyarrow as pa

from runmart.models import arrow
from runmart.models.arrow import Array, compute
from runmart.models.batches import OBSERVATION, Batches
from runmart.models.columns import BIGINT, BINARY, INTEGER, VARCHAR

TYPES = {"shard": INTEGER, "kind": VARCHAR, "address": VARCHAR, "split": INTEGER, "data": BINARY}
_ipc: Any = pa.ipc

WHOLE = -1
"""The split number of rows whose positions already are those in the whole input."""


class ShuffleBlock(NamedTuple):
    """Serialised rows, or counts, for one shard."""

    shard: int
    kind: str
    """observations, restored (from an export, in other types), steps, restored steps, rejects, split, input, sums."""
    address: str
    """The address of its input; empty where blocks of several inputs are mixed."""
    split: int
    """The number of the split of that input; positions of its rows are relative to the split."""
    data: bytes


def shard_of(key: str, shards: int) -> int:
    """The shard of a run id, step id or input address: its CRC-32 modulo `shards`. This never changes."""
    return crc32(key.encode(errors="surrogatepass")) % shards


def rows(shuffle_blocks: Sequence[ShuffleBlock]) -> pa.RecordBatch:
    """Shuffle blocks as rows (a column each of `TYPES`)."""
    return arrow.rows(shuffle_blocks, TYPES)


def shuffle_blocks(batches: Iterable[Any]) -> Iterator[ShuffleBlock]:
    """Shuffle blocks from rows."""
    for batch in batches:
        yield from map(ShuffleBlock._make, zip(*(column.to_pylist() for column in batch.columns), strict=True))


def by_shard(batches: Sequence[Batches], shards: int) -> Iterator[tuple[int, bytes]]:
    """The serialised observations of each shard that has any; columns must have the same types in all batches."""
    tables = [_joined(parts) for parts in zip(*batches, strict=True)]
    runs = tables[0]
    shard = _shards(runs.column("run_id"), shards)
    order = compute.array_sort_indices(shard)
    place = compute.array_sort_indices(order)  # the new position of each observation
    first = _starts([batch.runs for batch in batches])
    for number, parts in enumerate(zip(*batches, strict=True)):
        before = _repeated(first, [len(part) for part in parts])
        of = place.take(compute.add(tables[number].column(0), before)).cast(BIGINT)
        tables[number] = _renumbered(tables[number], of).take(compute.array_sort_indices(of))
    ends = _ends(shard, shards)
    bounds = [_bounds(table.column(0), ends) for table in tables]
    start, starts = 0, [0] * len(tables)
    for number, end in enumerate(ends):
        stops = [of_table[number] for of_table in bounds]
        if end > start:
            parts = [table.slice(at, stop - at) for table, at, stop in zip(tables, starts, stops, strict=True)]
            yield number, _encoded([_renumbered(part, compute.subtract(part.column(0), start)) for part in parts])
        start, starts = end, stops


def steps_by_shard(batches: Sequence[Any], shards: int) -> Iterator[tuple[int, bytes]]:
    """The serialised steps of each shard that has any."""
    steps = _joined(batches)
    shard = _shards(steps.column("step_id"), shards)
    steps = steps.take(compute.array_sort_indices(shard))
    start = 0
    for number, end in enumerate(_ends(shard, shards)):
        if end > start:
            yield number, _encoded([steps.slice(start, end - start)])
        start = end


def opened(data: bytes) -> Batches:
    """Observations from their serialised form."""
    return Batches(*_decoded(data))


def opened_steps(data: bytes) -> Any:
    """Steps from their serialised form."""
    return _decoded(data)[0]


def _shards(keys: Array, shards: int) -> Array:
    return arrow.array([shard_of(key or "", shards) for key in keys.to_pylist()], INTEGER)


def _ends(shard: Array, shards: int) -> list[int]:
    """The end of the rows of each shard, when rows are sorted by shard."""
    counts = {one["values"]: one["counts"] for one in compute.value_counts(shard).to_pylist()}
    ends, end = list[int](), 0
    for number in range(shards):
        end += counts.get(number, 0)
        ends.append(end)
    return ends


def _bounds(numbers: Array, ends: Sequence[int]) -> list[int]:
    """For each of `ends`, the count of sorted `numbers` below it."""
    values = numbers.to_pylist()
    return [bisect_left(values, end) for end in ends]


def _joined(batches: Sequence[Any]) -> Any:
    """Batches of one schema as one batch."""
    table: Any = pa.Table.from_batches([_valid(batch) for batch in batches])
    [batch] = table.unify_dictionaries().combine_chunks().to_batches() or [batches[0]]
    return batch


def _valid(batch: Any) -> Any:
    """The same rows, with null for an index of a dictionary that has null among its values: Arrow cannot join these."""
    columns = batch.columns
    for number, column in enumerate(columns):
        if pa.types.is_dictionary(column.type) and column.dictionary.null_count:
            values = compute.drop_null(column.dictionary)
            columns[number] = arrow.encoded(compute.index_in(column.dictionary, values).take(column.indices), values)
    return arrow.record_batch(columns, batch.schema.names)


def _starts(batches: Sequence[Any]) -> list[int]:
    starts, start = list[int](), 0
    for batch in batches:
        starts.append(start)
        start += len(batch)
    return starts


def _repeated(values: Sequence[int], times: Sequence[int]) -> Array:
    return arrow.concatenated([arrow.repeat(value, count, BIGINT) for value, count in zip(values, times, strict=True)])


def _renumbered(batch: Any, numbers: Array) -> Any:
    return batch.set_column(0, OBSERVATION, numbers)


def _encoded(batches: Sequence[Any]) -> bytes:
    sink = pa.BufferOutputStream()
    for batch in batches:
        columns = [_compacted(column) for column in batch.columns]
        whole = arrow.record_batch(columns, batch.schema.names)
        with _ipc.new_stream(sink, whole.schema) as writer:
            writer.write_batch(whole)
    return sink.getvalue().to_pybytes()


def _decoded(data: bytes) -> list[Any]:
    source, found = pa.BufferReader(data), list[Any]()
    while source.tell() < len(data):
        with _ipc.open_stream(source) as reader:
            found.append(reader.read_next_batch())
            for _ in reader:  # read up to the end, where the next stream begins
                raise ValueError("a shuffle block holds one batch of each table")
    return found


def _compacted(column: Array) -> Array:
    """The same column, its dictionary reduced to the values that occur."""
    if not pa.types.is_dictionary(column.type):
        return column
    used = compute.drop_null(compute.unique(column.indices))
    return arrow.encoded(compute.index_in(column.indices, used), column.dictionary.take(used))
