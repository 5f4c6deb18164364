"""Ledger: what is not accounted for is rejected, never silent."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from runmart.ingest.decode.ledger import Ledger
from runmart.ingest.decode.text_reader import TextReader
from runmart.ingest.parse.reasons import UNEXPLAINED
from tests.support.payloads import decode, page, run


def test_what_is_neither_claimed_nor_a_separator_is_unexplained() -> None:
    """Claims may come in any order and within each other; whitespace, commas, brackets and marks need none."""
    data = b'\xef\xbb\xbf[ab, cd}\n  ef "g"]'
    ledger = Ledger(data)
    assert [data[start:end] for start, end in ledger.unexplained()] == [b'[ab, cd}\n  ef "g"]']
    ledger.claim(8, 11)
    ledger.claim(4, 6)
    ledger.claim(9, 10)
    assert [data[start:end] for start, end in ledger.unexplained()] == [b'ef "g"]']
    ledger.claim(14, 100)
    assert list(ledger.unexplained()) == []


WRAPPED = {
    "an element": [run(1), {"object": "thread"}],
    "a member": {"runs": [run(1)], "more": "text"},
    "a page": json.loads(page(run(1), {"object": "thread"})),
    "an event": {"event": "thread.run.queued", "data": run(1)},
}


@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.parametrize("broken", ["_value", "_inner", "_object", "_array", "_page", "_item", "_record"])
def test_a_broken_sum_ends_as_a_reject(name: str, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever part of the decoder forgets its bytes, they become a reject, whole, or nothing changes."""
    text = json.dumps(WRAPPED[name]).encode()
    expected = decode(text + b" 1")
    reader: Any = TextReader
    original: Callable[..., Any] = getattr(reader, broken)

    def forgetful(self: Any, *arguments: Any, **options: Any) -> Any:
        if arguments and isinstance(arguments[0], int) and arguments[0] > 0:
            return None
        return original(self, *arguments, **options)

    monkeypatch.setattr(reader, broken, forgetful)
    seen = decode(text + b" 1")
    if seen != expected:
        lost = [reject for reject in seen.rejects if reject.reason == UNEXPLAINED]
        assert lost
        assert all(reject.raw in text + b" 1" for reject in lost)


def test_some_sums_are_broken_by_this(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above is not idle: a run that is forgotten is a reject."""

    def forgetful(*_: object) -> None:
        """Do nothing."""

    monkeypatch.setattr(TextReader, "_value", forgetful)
    seen = decode(json.dumps(run(1)).encode() + b" 1")
    assert (UNEXPLAINED, json.dumps(run(1)).encode() + b" ") in [(one.reason, one.raw) for one in seen.rejects]
