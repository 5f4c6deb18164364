"""Damage: where a value that is not JSON ends."""

import pytest

from runmart.ingest.parse.damage import damaged_end
from runmart.ingest.parse.json_scanner import IncompleteError


@pytest.mark.parametrize(
    ("buffer", "end"),
    [
        (b'{"a": NaN}\n{"b": 1}', 10),
        (b'{"a": NaN}{"b": 1}', 10),
        (b'{"a": "x\n{"b": 1}', 8),
        (b'{"a": NaN,\n{"b": 1}', 19),
        (b'{"a": 1,\n{"a": 2}', 8),
        (b'{"data": [NaN,\n{"b": 1}]}', 25),
        (b'[NaN,\n{"b": 1}\n]\n\n{"c": 1}', 16),
        (b'{"a": [1} {"id": "run_1"}', 9),
        (b'{"a": tru', 9),
    ],
)
def test_a_damaged_document_ends_at_its_bracket_or_where_the_next_begins(buffer: bytes, end: int) -> None:
    """After damage, the next document begins behind the closing bracket, at a run, or at a line of its own."""
    assert damaged_end(buffer, 0, in_list=False, final=True) == end


@pytest.mark.parametrize(
    ("buffer", "end"),
    [
        (b'{"id": "a", "x": NaN}, {"id": "b"}]', 21),
        (b'{"id": "a", "x": {"id": NaN}}]', 29),
        (b'{"id": "a", "x": ", {"id": "b"}]', 18),
        (b'{"id": "a", "x": [{"id": "call_1"}, {"id": "call_2"}, {"object": "thread.run"}]', 52),
        (b'{"id": "a", "x": [{"id": "call_1"}, {"id": "call_2"}, {"object": "response"}]', 52),
        (b'{"id": "a", "x": [{"id": "call_1"}, {"id": "call_2"}, {"id": "resp_1"}]', 52),
        (b'{"created_at": NaN, "x": [}, {"created_at": 1}]', 27),
        (b'{"id": "a", "x": tru {"id": "run_2"}]', 37),
        (b'{"id": "a", "x": [NaN, {"id": "b"}, {"id": "c"}]}, {"id": "d"}]', 49),
    ],
)
def test_a_damaged_run_ends_where_its_brackets_close_or_the_next_begins(buffer: bytes, end: int) -> None:
    """A damaged run ends at its closing bracket, or where the next run begins."""
    assert damaged_end(buffer, 0, in_list=True, final=True) == end


@pytest.mark.parametrize("buffer", [b'{"a": NaN}', b'{"a": NaN} ', b'{"a": NaN', b'{"a": "x'])
def test_damage_is_not_measured_at_the_end_of_a_buffer(buffer: bytes) -> None:
    """Where a damaged value may go on behind the buffer, or what follows it tells, more is needed."""
    with pytest.raises(IncompleteError):
        damaged_end(buffer, 0, in_list=True, final=False)
