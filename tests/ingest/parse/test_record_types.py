"""Record types that adopt the unknown fields of a server."""

import msgspec
import pytest

from runmart.ingest.parse.record_types import MAX_ADOPTED, RecordTypes


def _unknown(types: RecordTypes, text: bytes) -> msgspec.ValidationError:
    with pytest.raises(msgspec.ValidationError) as unknown:
        types.pages.decode(text)
    return unknown.value


def _page(name: str) -> bytes:
    return b'{"data": [{"id": "a", "status": "b", "%s": [1, 2]}]}' % name.encode()


def test_an_unknown_field_becomes_a_field() -> None:
    """An unknown field that a server sends is adopted as a raw-JSON field."""
    types = RecordTypes()
    assert types.adopt(_unknown(types, _page("effort")), in_page=True)
    [record] = types.pages.decode(_page("effort")).data
    [(name, attribute)] = types.adopted
    assert (name, bytes(getattr(record, attribute))) == ("effort", b"[1, 2]")


def test_an_unknown_field_of_a_page_is_one_of_the_page() -> None:
    """An unknown field of a page is adopted by the type of the page, not of the run."""
    types = RecordTypes()
    text = b'{"data": [], "next": 1}'
    assert types.adopt(_unknown(types, text), in_page=True)
    assert (types.pages.decode(text).data, types.adopted) == ([], [])


@pytest.mark.parametrize("name", ["a:b", 'a\\"b', "a`b", "\\u00e9`", "a\\nb", ""])
def test_names_with_colons_or_escapes_are_not_adopted(name: str) -> None:
    """A name with a colon or an escape is not adopted, but left to the lenient decoder."""
    types = RecordTypes()
    assert not types.adopt(_unknown(types, _page(name)), in_page=True)


def test_names_that_are_data_are_not_adopted() -> None:
    """At most MAX_ADOPTED unknown fields are adopted."""
    types = RecordTypes()
    for number in range(MAX_ADOPTED):
        assert types.adopt(_unknown(types, _page(f"field_{number}")), in_page=True)
    assert not types.adopt(_unknown(types, _page("one_more")), in_page=True)


def test_other_errors_adopt_nothing() -> None:
    """An error other than an unknown field adopts nothing."""
    types = RecordTypes()
    assert not types.adopt(_unknown(types, b'{"data": [{"id": 1}]}'), in_page=True)
