"""Payloads and what decoding makes of them: what the tests of the decoder have in common."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from runmart.ingest.blocks import BLOCK_BYTES, blocks
from runmart.ingest.decode import Decoder
from runmart.ingest.flatten import flatten
from runmart.models.observations import Observation, Origin

ORIGIN = Origin("test", 1_700_000_000_000_000, 1)

Rows = dict[str, list[dict[str, Any]]]
"""The rows of the four tables, each with the number of its observation."""


class Rejected(NamedTuple):
    """A reject as a person sees it."""

    position: int
    line: int
    reason: str
    json_path: str
    raw: bytes


class Seen(NamedTuple):
    """All that an input gives."""

    rows: Rows
    rejects: list[Rejected]
    skipped: Counter[str]
    pages: int

    @property
    def ids(self) -> list[str]:
        """The runs, in order."""
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
    """What an input gives that is read in chunks and cut into blocks."""
    decoder = decoder or Decoder()
    observations: list[Observation] = []
    rejects: list[Rejected] = []
    skipped = Counter[str]()
    pages = position = 0
    for part in blocks(pieces(data, chunk), block):
        decoded = decoder.decode(part, ORIGIN, position)
        position += decoded.items
        pages += decoded.pages
        observations += decoded.observations
        rejects += [Rejected(*reject[1:]) for reject in decoded.rejects]
        skipped += decoded.skipped
    return Seen(rows_of(observations), rejects, skipped, pages)


def rows_of(observations: Sequence[Observation]) -> Rows:
    """The rows that observations make."""
    return {name: batch.to_pylist() for name, batch in flatten(observations)._asdict().items()}


def run_row(**fields: Any) -> dict[str, Any]:
    """The row in `runs` of a run with these fields; it must be taken."""
    seen = decode(json.dumps(run(1, **fields)).encode())
    assert seen.rejects == []
    return seen.rows["runs"][0]


def reject_of(data: bytes) -> Rejected:
    """The one reject of an input that holds nothing else."""
    seen = decode(data)
    assert (seen.ids, seen.skipped.total(), len(seen.rejects)) == ([], 0, 1)
    return seen.rejects[0]
