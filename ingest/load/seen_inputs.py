"""Skips inputs that were already loaded."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa

from runmart.ingest.digest import prefix_of
from runmart.ingest.errors import InputError
from runmart.ingest.sources.input import Input
from runmart.ingest.sources.reader import content_hash
from runmart.models import arrow
from runmart.models.columns import BIGINT, TIMESTAMPTZ, VARCHAR

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FIRST_LOOKED_UP = 256
MAX_LOOKED_UP = 50_000
"""Inputs per look-up in the warehouse: few at first, so that the load begins soon."""

_LOOK_UP = """
    select
        new.number,
        old.content_hash,
        old.modified_at = new.modified_at and new.changed_at < loads.started_at - interval 2 second as is_same_time
    from new_inputs as new
    join runmart.inputs as old on old.address = new.address and old.size = new.size
    join runmart.loads using (load_id)
    where old.source = ?"""
"""The time is no proof for a file that was modified while it was read: it can keep its mtime but change its content.
Two seconds are the coarsest clock of a file system."""


def with_seen(connection: "DuckDBPyConnection", inputs: Iterable[Input], source: str) -> Iterator[tuple[Input, bool]]:
    """Each input, and whether it was loaded before, under the label `source`, and is unchanged.

    It is unchanged if it has the same size and modification time, or the same content.
    """
    inputs, count = iter(inputs), FIRST_LOOKED_UP
    while some := list(islice(inputs, count)):
        count = min(count * 4, MAX_LOOKED_UP)
        seen = _seen(connection, some, source)
        for number, item in enumerate(some):
            yield item, _is_unchanged(item, seen.get(number, ()))


def _seen(connection: "DuckDBPyConnection", inputs: Sequence[Input], source: str) -> dict[int, list[tuple[str, bool]]]:
    """By number of the input: digests of stored inputs with its address and size, and whether the time is the same."""
    columns = [
        arrow.array(range(len(inputs)), BIGINT),
        arrow.array([item.address for item in inputs], VARCHAR),
        arrow.array([item.size for item in inputs], BIGINT),
        arrow.array([item.modified_at for item in inputs], TIMESTAMPTZ),
        arrow.array([max(item.modified_at, item.changed_at) for item in inputs], TIMESTAMPTZ),
    ]
    batch = arrow.record_batch(columns, ["number", "address", "size", "modified_at", "changed_at"])
    connection.register("new_inputs", pa.Table.from_batches([batch]))
    found: dict[int, list[tuple[str, bool]]] = {}
    for number, digest, is_same_time in connection.execute(_LOOK_UP, [source]).fetchall():
        found.setdefault(number, []).append((digest, is_same_time))
    connection.unregister("new_inputs")
    return found


def _is_unchanged(item: Input, seen: Sequence[tuple[str, bool]]) -> bool:
    if not seen:
        return False
    if any(is_same_time for _, is_same_time in seen):
        return True
    digests = {digest for digest, _ in seen}
    try:
        return any(content_hash(item, prefix) in digests for prefix in {prefix_of(digest) for digest in digests})
    except InputError:
        return False  # reading it gives the reason
