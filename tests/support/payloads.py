"""Helpers of the tests of the decoder: payloads, and the results of decoding them."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from runmart.ingest.decode.decoder import Decoder
from runmart.ingest.decode.result import Decoded
from runmart.ingest.parse.blocks import BLOCK_BYTES, blocks
from runmart.ingest.transform.flatten import declared, flatten
from runmart.models.batches import OBSERVATION, POSITION, Batches, shift
from runmart.models.observations import Origin
from runmart.models.statuses import STEP_OBJECT

ORIGIN = Origin("test", 1_700_000_000_000_000, 1)

Rows = dict[str, list[dict[str, Any]]]
"""The rows of the four tables, each with the number of its observation."""


class Rejected(NamedTuple):
    """The reason and JSON path of a reject, and its text."""

    position: int
    line: int
    reason: str
    json_path: str
    raw: bytes


class Seen(NamedTuple):
    """Everything that decoding an input returns."""

    rows: Rows
    rejects: list[Rejected]
    skipped: Counter[str]
    """Numbers of skipped objects by kind; steps are counted as well."""
    pages: int
    neighbours: Counter[str] = Counter()  # noqa: RUF012 - nobody adds to it
    """Numbers of rows of the tables beside runs."""

    @property
    def ids(self) -> list[str]:
        """The ids of the runs, in order."""
        return [row["run_id"] for row in self.rows["runs"]]


def run(number: int, **fields: Any) -> dict[str, Any]:
    """A run as OpenAI's servers write it."""
    return {"id": f"run_{number}", "object": "thread.run", "status": "completed", **fields}


def page(*runs: dict[str, Any], **fields: Any) -> bytes:
    """A page of runs."""
    return json.dumps({"object": "list", "data": list(runs), "has_more": False, **fields}).encode()


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """A stream of chunks of `size` bytes."""
    return (data[start : start + size] for start in range(0, len(data), size))


def decode(data: bytes, *, block: int = BLOCK_BYTES, chunk: int = 1 << 20, decoder: Decoder | None = None) -> Seen:
    """The result of decoding an input that is read in chunks and cut into blocks."""
    decoder = decoder or Decoder()
    found: list[Batches] = []
    rejects: list[Rejected] = []
    skipped, neighbours = Counter[str](), Counter[str]()
    pages = position = 0
    for part in blocks(pieces(data, chunk), block):
        decoded = decoder.decode([(part, ORIGIN)])
        found += [shift(flatten(some), position, POSITION) for some in decoded.observations]
        rejects += [
            Rejected(*reject._replace(position=reject.position + position)[1:6]) for reject in decoded.rejects[0]
        ]
        position += decoded.counts[0].items
        pages += decoded.pages
        skipped += skipped_and_steps(decoded)
        neighbours += Counter(row.table for row in decoded.neighbours)
    return Seen(rows_of(found), rejects, skipped, pages, neighbours)


def skipped_and_steps(decoded: Decoded) -> Counter[str]:
    """Objects that are no runs, by kind."""
    return decoded.skipped + Counter([STEP_OBJECT] * len(decoded.steps))


def rows_of(batches: Iterable[Batches]) -> Rows:
    """The rows of batches, with observations numbered in order of their position in the input."""
    runs = 0
    rows: Rows = {name: [] for name in Batches._fields}
    for batch in batches:
        for name, part in declared(shift(batch, runs, OBSERVATION))._asdict().items():
            rows[name] += part.to_pylist()
        runs += batch.runs.num_rows
    return rows


def run_row(**fields: Any) -> dict[str, Any]:
    """The row in `runs` of a run with these fields, which must not be rejected."""
    seen = decode(json.dumps(run(1, **fields)).encode())
    assert seen.rejects == []
    return seen.rows["runs"][0]


def reject_of(data: bytes) -> Rejected:
    """The only reject of an input that holds nothing else."""
    seen = decode(data)
    assert (seen.ids, seen.skipped.total(), len(seen.rejects)) == ([], 0, 1)
    return seen.rejects[0]
