"""Columns of JSON texts that are built from parts."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from runmart.ingest.decode.json_text import Member, array_of, compact, compacted, objects
from runmart.ingest.parse.json_object import json_object
from runmart.models import arrow
from runmart.models.columns import BINARY

VALUES = st.sampled_from([None, b"1", b'"a"', b"{}", b'{"a":1}', b"[1, 2]", '"é"'.encode()])
NAMES = st.sampled_from(["a", "b:c", 'd"e', "é", "tool_resources"])


COLUMNS = st.integers(1, 5).flatmap(
    lambda n: st.tuples(st.just(n), st.dictionaries(NAMES, st.lists(VALUES, min_size=n, max_size=n), max_size=4))
)


@settings(max_examples=200, deadline=None)
@given(COLUMNS)
def test_objects_in_columns_are_those_put_together_one_by_one(sent: tuple[int, dict[str, list[bytes | None]]]) -> None:
    """Objects built by column omit nulls, are null when empty, and have sorted names, as if built one by one."""
    count, columns = sent
    members = [Member(name, arrow.array(range(count)), values) for name, values in columns.items()]
    expected: list[str | None] = []
    for row in range(count):
        values = [(name, value) for name, column in columns.items() if (value := column[row]) is not None]
        whole = json_object(values)
        expected.append(None if whole is None else whole.decode())
    assert objects(members, count).to_pylist() == expected


@given(st.lists(st.sampled_from([b'{"a": 1}', b"[1,\n2]", b'"a: b, c"', b"1.50"]), max_size=5))
def test_texts_are_joined_and_made_compact(found: list[bytes]) -> None:
    """Texts are joined to one array; only insignificant whitespace is removed."""
    column = arrow.array(found, BINARY)
    assert json.loads(array_of(column)) == [json.loads(text) for text in found]
    assert compacted(column).to_pylist() == [compact(text) for text in found]
    assert all(json.loads(compact(text)) == json.loads(text) for text in found)
    assert compact(b'{"a": "b: c,  d"}') == b'{"a":"b: c,  d"}'
