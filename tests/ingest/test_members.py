"""The members of a JSON object, none lost."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import DecodeError

from runmart.ingest.parse.json_object import UnfitError, json_object, object_members


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=5), st.booleans())
def test_members_are_kept_as_sent(sent: dict[str, str], ascii_only: bool) -> None:
    """Names to values, the values byte for byte; put together again they are the same object, in order of names."""
    found = object_members(json.dumps(sent, ensure_ascii=ascii_only).encode())
    assert {name: bytes(value) for name, value in found.items()} == {
        name: json.dumps(value, ensure_ascii=ascii_only).encode() for name, value in sent.items()
    }
    text = json_object([(name, bytes(value)) for name, value in found.items()])
    assert text is None if not sent else list(json.loads(text or b"").items()) == sorted(sent.items())


@pytest.mark.parametrize("text", [b'{"a": 1, "a": 1}', b'{"a": 1, "\\u0061": 2}', b'{"a:b": 1, "a:b": ":"}'])
def test_a_name_that_is_there_twice_is_refused(text: bytes) -> None:
    """One of its values would be lost."""
    with pytest.raises(UnfitError, match="is there twice, and only one of its values could be kept") as refused:
        object_members(text, "$.usage")
    assert refused.value.json_path == "$.usage"


@pytest.mark.parametrize("text", [b"[]", b"1", b'"a"', b"null"])
def test_only_objects_have_members(text: bytes) -> None:
    """Anything else is refused."""
    with pytest.raises(DecodeError):
        object_members(text)
