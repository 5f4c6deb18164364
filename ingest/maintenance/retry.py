"""Retrying rejects: what can be decoded now is loaded."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from runmart.ingest.load.loader import Load
from runmart.ingest.load.rejects import PARTLY_WITHHELD, is_packed, raw_bytes
from runmart.ingest.parse.blocks import BLOCK_BYTES, Block, blocks
from runmart.ingest.pipeline import loading
from runmart.ingest.transform.convert import Converted, Converter
from runmart.models.observations import Origin

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from runmart.ingest.warehouse.writer import Writer

_AT_ONCE = 1000
"""Rejects that are in memory together; a pack is alone."""


class _Stored(NamedTuple):
    """A stored reject that has a text."""

    reject_id: int
    source: str
    address: str
    position: int
    line: int
    observed_at: int
    raw: str
    encoding: str
    items: int


def retry_rejects(writer: "Writer") -> Load:
    """Decode all rejects again, and load those that can be decoded now; they are deleted in the same transaction.

    A pack is deleted once all of it can be decoded. What can be before is loaded, and the pack stays as it is. Those
    without a text, which is binary or was withheld, remain, and are counted.

    Raises:
        duckdb.Error: The warehouse fails; nothing of the current batch is changed.
    """
    converter = Converter()
    with loading(writer, "rejects --retry", "") as load:
        query = "select coalesce(sum(items), 0) from runmart.rejects where raw is null"
        [(without_text,)] = writer.connection.execute(query).fetchall()
        load.totals.rejected += int(without_text)
        for reject in _stored(writer.connection):
            _retry(load, converter, reject)
    return load


def _stored(connection: "DuckDBPyConnection") -> Iterator[_Stored]:
    """All rejects that have a text, in order."""
    found = connection.execute(
        "select reject_id, raw_encoding from runmart.rejects where raw is not null order by reject_id"
    ).fetchall()
    waiting: list[int] = []
    for reject_id, encoding in found:
        waiting.append(reject_id)
        if is_packed(encoding) or len(waiting) == _AT_ONCE:
            yield from _with_ids(connection, waiting)
            waiting = []
    yield from _with_ids(connection, waiting)


def _with_ids(connection: "DuckDBPyConnection", ids: list[int]) -> Iterator[_Stored]:
    rows = connection.execute(
        """
        select reject_id, source, input, position, line, epoch_us(observed_at), raw, raw_encoding, items
        from runmart.rejects where list_contains(?, reject_id) order by reject_id""",
        [ids],
    ).fetchall()
    yield from (_Stored(*row) for row in rows)


def _retry(load: Load, converter: Converter, reject: _Stored) -> None:
    raw = raw_bytes(reject.raw, reject.encoding)
    chunks = (raw[at : at + BLOCK_BYTES] for at in range(0, len(raw), BLOCK_BYTES))
    parts = [_converted(load, converter, reject, block) for block in blocks(chunks)]
    counts = [part.counts[0] for part in parts]
    rejected = sum(one.rejected for one in counts)
    loaded = sum(one.items for one in counts) - rejected
    if loaded and not rejected and reject.encoding != PARTLY_WITHHELD:
        load.clear_reject(reject.reject_id)
    else:
        load.totals.rejected += max(min(max(rejected, reject.items - loaded), reject.items), 1)
        if reject.items == 1:
            return
    position = reject.position
    for part, one in zip(parts, counts, strict=True):
        load.add(_without_rejects(part), [(reject.address, position)])
        position += one.items


def _converted(load: Load, converter: Converter, reject: _Stored, block: Block) -> Converted:
    origin = Origin(reject.source, reject.observed_at, load.load_id)
    return converter.convert([(replace(block, line=reject.line + block.line - 1), origin)], load.admission)


def _without_rejects(found: Converted) -> Converted:
    """What was converted without what is rejected again: the reject of it stays."""
    counts = [one._replace(rejected=0) for one in found.counts]
    return found._replace(rejects=[[] for _ in found.rejects], counts=counts)
