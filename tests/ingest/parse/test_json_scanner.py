"""JSON scanner: the bounds of values, members and elements in a buffer."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import DecodeError

from runmart.ingest.parse import json_scanner
from runmart.ingest.parse.json_scanner import ListOfPage

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)
SPACE = st.sampled_from([b"", b" ", b"\n", b"\r\n\t"])


@settings(max_examples=100, deadline=None)
@given(
    st.one_of(st.lists(VALUES), st.dictionaries(st.text(), VALUES), st.text()),
    SPACE,
    st.sampled_from([b"{", b"x", b""]),
)
def test_a_value_ends_where_it_ends(found: object, space: bytes, behind: bytes) -> None:
    """A value ends at its last byte, whatever follows."""
    text = json.dumps(found).encode()
    assert json_scanner.value_end(b"[," + text + space + behind, 2) == len(text) + 2


@pytest.mark.parametrize("text", [b'{"a": [1', b'"text', b"tru", b'{"a": NaN}', b'{"a": "\\ud83d"}', b""])
def test_what_is_no_value_has_no_end(text: bytes) -> None:
    """Damaged and truncated values are errors."""
    with pytest.raises(DecodeError):
        json_scanner.value_end(text, 0)


def test_what_may_go_on_is_truncated() -> None:
    """Each beginning of a value is truncated, and not damaged."""
    text = b'{"a": [-1.5e+10, -0, "\\ud83d\\ude00\\n"], "\xc3\xa9": [true, false, null]}'
    for end in range(1, len(text)):
        with pytest.raises(DecodeError) as caught:
            json_scanner.value_end(text[:end], 0)
        assert json_scanner.is_truncated(caught.value), text[:end]


@settings(max_examples=100, deadline=None)
@given(st.lists(VALUES, max_size=5), st.sampled_from([None, 1]))
def test_elements_are_found_in_order(found: list[object], indent: int | None) -> None:
    """The elements of an array, by their bounds."""
    text = b" " + json.dumps(found, indent=indent).encode() + b"x"
    bounds = list(json_scanner.elements(text, 1, len(text) - 1))
    assert [json.loads(text[start:end]) for start, end in bounds] == found


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(), VALUES, max_size=5), st.sampled_from([None, 1]))
def test_members_are_found_in_order(found: dict[str, object], indent: int | None) -> None:
    """The members of an object: names, unescaped, and the bounds of values."""
    text = b"{" + json.dumps(found, indent=indent).encode() + b"x"
    seen = list(json_scanner.members(text, 1))
    assert {one.name: json.loads(text[one.start : one.end]) for one in seen} == found
    assert all(text[one.name_start : one.name_start + 1] == b'"' for one in seen)


def test_members_of_something_else_are_an_error() -> None:
    """What is no object has no members."""
    for text in (b'{"a": 1, 2}', b'{"a" 1}', b'{"a": 1', b'{"\xff": 1}'):
        with pytest.raises(DecodeError):
            list(json_scanner.members(text, 0))


def test_the_runs_of_a_page_are_found_before_the_page_ends() -> None:
    """An object is recognised as a page as soon as its list `data` begins."""
    text = b'{"object": "list", "first_id": {"data": [1]}, "data": ['
    assert json_scanner.list_of_page(text, 0, final=False) == ListOfPage("data", 55)
    for text in (
        b'{"object": "list"',
        b'{"data": {',
        b'{"status": "x", "data": [',
        b'{"id": "x", "data": [',
        b"[",
        b'{"a": NaN, "data": [',
        b'{"\xff": 1',
        b'{"runs": [{',
    ):
        assert json_scanner.list_of_page(text, 0, final=False) is None
    assert json_scanner.list_of_page(b'{"a": [1], "runs": [ {', 0, any_name=True) == ListOfPage("runs", 20)


@pytest.mark.parametrize("text", [b" \n,", b"\xef\xbb\xbf,\x1e\t"])
def test_separators_mean_nothing(text: bytes) -> None:
    """Whitespace, commas, record separators, byte order marks and, outside of lists, brackets mean nothing."""
    assert json_scanner.skip_separator(text + b"{", 0) == len(text)
    assert json_scanner.skip_brackets(text + b"]}" + text + b"{", 0) == 2 * len(text) + 2
    assert json_scanner.skip_separator(text + b"}", 0) == len(text)
