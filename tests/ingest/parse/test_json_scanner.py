"""JSON scanner: the bounds of values in a buffer."""

import json
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import DecodeError

from runmart.ingest.parse import json_scanner
from runmart.ingest.parse.json_scanner import IncompleteError, Piece


def _until_incomplete(found: Iterator[Piece]) -> Iterator[Piece]:
    with suppress(IncompleteError):
        yield from found


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=3), st.integers(), max_size=3), min_size=1, max_size=4), st.data())
def test_documents_end_where_they_end(found: list[dict[str, int]], data: st.DataObject) -> None:
    """Documents may follow one another with or without whitespace, and are found once they are complete."""
    texts = [json.dumps(value).encode() for value in found]
    buffer = data.draw(st.sampled_from([b"", b" ", b"\n", b"\r\n\t"])).join(texts)
    assert [buffer[piece.start : piece.end].strip() for piece in json_scanner.documents(buffer)] == texts
    cut = data.draw(st.integers(0, len(buffer) - 1))
    whole = list(_until_incomplete(json_scanner.documents(buffer[:cut], final=False)))
    assert [buffer[piece.start : piece.end].strip() for piece in whole] == texts[: len(whole)]


@pytest.mark.parametrize("text", [b'{"a": [1', b'"text', b"12", b"tru", b"-", b'{"a": 1', b"[1, 2", b'{"a": "\\ud83d'])
def test_what_may_go_on_is_waited_for(text: bytes) -> None:
    """A value that ends with the buffer, such as a number, is incomplete unless its bracket was closed."""
    with pytest.raises(IncompleteError):
        json_scanner.value(text, 0, final=False)
    assert json_scanner.value(b'{"a": 1}', 0, final=False) == Piece(0, 8)


@pytest.mark.parametrize(
    ("buffer", "end"),
    [
        (b'{"a": NaN}\n{"b": 1}', 10),
        (b'{"a": "x\n{"b": 1}', 8),
        (b'{"a": NaN,\n{"b": 1}', 19),
        (b'{"a": 1,\n{"a": 2}', 8),
        (b'{"data": [NaN,\n{"b": 1}]}', 25),
        (b'[NaN,\n{"b": 1}\n]\n\n{"c": 1}', 16),
    ],
)
def test_a_damaged_document_ends_where_the_next_begins(buffer: bytes, end: int) -> None:
    """After damage, the next document begins at a line that starts with a bracket and continues no list."""
    piece = json_scanner.value(buffer, 0)
    assert piece.problem
    assert piece.end == end


@pytest.mark.parametrize(
    ("buffer", "end"),
    [
        (b'{"id": "a", "x": NaN}, {"id": "b"}]', 21),
        (b'{"id": "a", "x": {"id": NaN}}]', 29),
        (b'{"id": "a", "x": ", {"id": "b"}]', 18),
        (b'{"id": "a", "x": [{"id": "call_1"}, {"id": "call_2"}, {"object": "thread.run"}]', 52),
        (b'{"created_at": NaN, "x": [}, {"created_at": 1}]', 47),
    ],
)
def test_a_damaged_run_ends_where_its_brackets_close_or_the_next_begins(buffer: bytes, end: int) -> None:
    """A damaged run ends at its closing bracket, or where the next run begins."""
    piece = json_scanner.value(buffer, 0, in_list=True)
    assert piece.problem
    assert piece.end == end


def test_the_runs_of_a_page_are_found_before_the_page_ends() -> None:
    """An object is recognised as a page as soon as its list `data` begins."""
    assert json_scanner.list_of_page(b'{"object": "list", "first_id": {"data": [1]}, "data": [', 0, final=False) == 55
    for text in (
        b'{"object": "list"',
        b'{"data": {',
        b'{"status": "x", "data": [',
        b"[",
        b'{"a": NaN, "data": [',
        b'{"\xff": 1',
    ):
        assert json_scanner.list_of_page(text, 0, final=False) is None


def test_members_are_named_in_order() -> None:
    """Members are found in order, with their names unescaped."""
    assert list(json_scanner.members(b' {"a" : 1, "\\u0062": [{}],"c":"}" }', 1)) == [("a", 8), ("b", 21), ("c", 30)]
    assert list(json_scanner.members(b"{}", 0)) == []
    with pytest.raises(DecodeError):
        list(json_scanner.members(b'{"a": 1, 2}', 0))
