"""The fuzzer: a slice of it with a fixed seed, and that it notices what it should."""

from typing import Any

import pytest

from runmart.ingest.decode.ledger import Ledger
from runmart.ingest.decode.text_reader import TextReader
from runmart.ingest.parse.blocks import Block
from runmart.ingest.parse.pieces import PieceScanner
from tests.fuzz.__main__ import fuzz
from tests.fuzz.law import BrokenLawError, Cut, check_all


@pytest.mark.slow
def test_a_minute_of_inputs_keeps_the_law() -> None:
    """Inputs of a fixed seed are accounted for, each byte of them."""
    assert fuzz(16, 60, 1_000_000)["documents"] > 1000


def _nothing(*_: Any, **_options: Any) -> None:
    """Forget what is given."""


def _all_but_the_last_byte(self: Ledger, start: int, end: int) -> None:
    claim(self, start, end - 1)


def _all_but_the_last_line(block: Block) -> bytes:
    return block.data[: block.data.rfind(b"\n") + 1] or block.data


def _as_if_final(self: Any, data: bytes, at: int, **_options: Any) -> Any:
    return scalar(self, data, at, final=True)


claim, scalar = Ledger.claim, getattr(PieceScanner, "_scalar")  # noqa: B009 - it is private


@pytest.mark.parametrize(
    ("of", "name", "broken"),
    [
        (TextReader, "_array", _nothing),
        (TextReader, "_record", _nothing),
        (Ledger, "claim", _all_but_the_last_byte),
        (Block, "text", property(_all_but_the_last_line)),
        (PieceScanner, "_scalar", _as_if_final),
    ],
)
def test_what_breaks_the_law_is_noticed(of: Any, name: str, broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs break the law where the reader forgets something, or depends on how an input is cut."""
    monkeypatch.setattr(of, name, broken)
    with pytest.raises(BrokenLawError):
        fuzz(1, 20, 4000)


FOUND = {
    "number cut off": b'{"object": "x", "tools": [{"a": 1}], "top_p": 1.0, "b": 2},\n{"id": "run_1"}]',
    "two lists": b'{"value": [{"id": "1", "object": "thread.run", "status": "done"}], "data": [{}], "t',
    "frame, document": b'{"x": 1, "data":\n[\n []\n]\n{"log": "x"}\n{"object": "thread", "id": "t"}\n',
    "an empty line within data": b'event: x\n{\n "id": "1",\n\n "object": "thread.run", "status": "queued"\n}',
}
"""Inputs of earlier versions' failures."""


@pytest.mark.parametrize("text", FOUND.values(), ids=FOUND)
def test_what_broke_the_law_once_keeps_it(text: bytes) -> None:
    """However such an input is cut, the result is the same."""
    check_all([Cut(text, block, chunk) for block in range(1, 90) for chunk in (1, 3, 11, 100)])


def test_an_input_that_keeps_the_law_is_counted() -> None:
    """What an input held comes back."""
    [seen] = check_all([Cut(b'{"id": "run_1", "object": "thread.run", "status": "queued"} x', 5, 3)])
    assert (seen.ids, len(seen.rejects)) == (["run_1"], 1)
