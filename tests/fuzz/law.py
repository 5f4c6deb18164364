"""The law of the reader, as a check of one input.

* No exception.
* However the input is cut, and whether it is decoded whole or piece by piece, the result is the same.
* Each byte is accounted for: nothing ends as unexplained, and all blocks together are the input.
* Each run and each response that Python's `json` finds anywhere in the input is stored, or its id is in a reject, or it
  is within another such record.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from runmart.ingest.decode.decoder import Decoder
from runmart.ingest.decode.whole import WholeBlock
from runmart.ingest.parse.blocks import Block, blocks
from runmart.ingest.parse.reasons import UNEXPLAINED
from runmart.ingest.transform.flatten import flatten
from runmart.models.batches import Batches
from runmart.models.observations import Origin
from runmart.models.record_specs import SPECS
from runmart.models.statuses import STEP_OBJECT
from tests.support.payloads import Rejected, Rows, Seen, pieces, rows_of

_JSON = json.JSONDecoder()
_RECORDS = tuple(spec.object for spec in SPECS)


class BrokenLawError(Exception):
    """An input that breaks the law, and how."""

    def __init__(self, text: bytes, how: str) -> None:
        super().__init__(f"{how!a}: {text!r}")
        self.text = text


class Careful(Decoder):
    """A decoder that decodes each block piece by piece."""

    def _whole(self, block: Block) -> WholeBlock | None:  # noqa: ARG002
        return None


class Cut(NamedTuple):
    """An input, and how it is cut."""

    text: bytes
    block: int
    chunk: int


def check_all(found: Sequence[Cut]) -> list[Seen]:
    """Check many inputs together, which is quicker; what they held.

    Raises:
        BrokenLawError: One breaks the law.
    """
    try:
        whole = _decoded(Decoder(), [[Block(one.text)] for one in found])
        careful = _decoded(Careful(), [[Block(one.text)] for one in found])
        parts = [list(blocks(pieces(one.text, one.chunk), one.block)) for one in found]
        cut = _decoded(Decoder(), parts)
    except Exception as error:
        if len(found) > 1:
            return [seen for one in found for seen in check_all([one])]
        raise BrokenLawError(found[0].text, f"{type(error).__name__} {error}") from error
    for one, seen, carefully, in_parts, of in zip(found, whole, careful, cut, parts, strict=True):
        if seen != carefully:
            raise BrokenLawError(one.text, f"whole and careful differ: {_short(seen)} and {_short(carefully)}")
        if seen != in_parts:
            raise BrokenLawError(
                one.text, f"blocks of {one.block}, chunks of {one.chunk} give {_short(in_parts)}, not {_short(seen)}"
            )
        if b"".join(block.data for block in of) != one.text:
            raise BrokenLawError(one.text, f"blocks of {one.block} and chunks of {one.chunk} are not the input")
        if any(reject.reason == UNEXPLAINED for reject in seen.rejects):
            raise BrokenLawError(one.text, "unexplained")
        _check_runs(one.text, seen)
    return whole


def _decoded(decoder: Decoder, inputs: Sequence[Sequence[Block]]) -> list[Seen]:
    """What each of some inputs holds; the blocks of all are decoded together."""
    of = [number for number, parts in enumerate(inputs) for _ in parts]
    given = [block for parts in inputs for block in parts]
    decoded = decoder.decode([(block, Origin("test", 1, number)) for number, block in enumerate(given)])
    found = [Seen({name: [] for name in Batches._fields}, [], Counter(), 0) for _ in inputs]
    positions, before = [0] * len(inputs), list[int]()
    for number, counts, rejects in zip(of, decoded.counts, decoded.rejects, strict=True):
        before.append(positions[number])
        found[number].rejects.extend(
            Rejected(*one._replace(position=one.position + before[-1])[1:6]) for one in rejects
        )
        found[number].skipped.update(counts.skipped or {})
        found[number].skipped[STEP_OBJECT] += counts.steps
        positions[number] += counts.items
    _add_rows(rows_of(map(flatten, decoded.observations)), found, of, before)
    return found


def _short(seen: Seen) -> str:
    rejects = [(one.position, one.line, one.json_path, one.reason[:30], one.raw) for one in seen.rejects]
    return f"{seen.ids}, {rejects}, {dict(seen.skipped)}"


def _add_rows(rows: Rows, found: Sequence[Seen], of: Sequence[int], before: Sequence[int]) -> None:
    """Give each input its rows, with positions in the input.

    Args:
        rows: The rows of all blocks; the load id of a run is the number of its block.
        found: What the inputs hold.
        of: The input of each block.
        before: The number of items before each block in its input.
    """
    places: dict[int, tuple[int, int]] = {}
    for row in rows["runs"]:
        block = row["load_id"]
        places[row["observation"]] = of[block], row["observed_position"] + before[block]
        row["observed_position"] += before[block]
    for name, some in rows.items():
        for row in some:
            number, row["observation"] = places[row["observation"]]
            row["load_id"] = None
            found[number].rows[name].append(row)
    for seen in found:
        for some in seen.rows.values():
            some.sort(key=itemgetter("observation"))


def _check_runs(text: bytes, seen: Seen) -> None:
    words = text.decode("utf-8", "surrogateescape")
    rejected = [reject.raw.decode("utf-8", "surrogateescape") for reject in seen.rejects]
    stored, end = set(seen.ids), 0
    for start, stop, run in _objects(words):
        spellings = (run["id"], json.dumps(run["id"])[1:-1])
        is_kept = run["id"] in stored or any(one in raw for raw in rejected for one in spellings)
        if start >= end and run.get("object") in _RECORDS and not is_kept:
            raise BrokenLawError(text, f"the record {run['id']} is lost")
        end = max(end, stop) if run["id"] in stored else end


def _objects(words: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Where objects begin and end that have an id and a status, and the objects."""
    at = words.find("{")
    while at >= 0:
        try:
            value, end = _JSON.raw_decode(words, at)
        except (ValueError, RecursionError):
            pass
        else:
            if all(isinstance(value.get(one), str) for one in ("id", "status")):
                yield at, end, value
        at = words.find("{", at + 1)
