"""Kinds of rejects."""

import pytest

from runmart.ingest.parse.reject_kinds import kind

SAME = (
    ("not UTF-8 at byte 17: invalid start byte", "not UTF-8 at byte 4021: invalid start byte"),
    ("not JSON: invalid character (byte 224)", "not JSON: invalid character (byte 1)"),
    ("expected a run, got `[INFO] started`", "expected a run, got `a `quoted` word\nand a line`"),
    ("Expected Unix seconds, got `2024-09-25 10:15`", "Expected Unix seconds, got `12.5 days`"),
    ("the key `model` is there twice", "the key `a.b 3` is there twice"),
    ("says 'x y' and \"z\"", "says 'other' and \"thing\""),
)
OTHER = (
    ("Expected `int`, got `str`", "Expected `str`, got `int`"),
    ("not UTF-8 at byte 17: invalid start byte", "not UTF-8 at byte 17: unexpected end of data"),
    ("it isn't a run, or can't be", "it isn't a page, or can't be"),
)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_quotes_and_numbers_make_no_kind(one: str, other: str) -> None:
    """Rejects whose reasons differ in what they quote, or in numbers, are of one kind."""
    assert kind(one) == kind(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_other_reasons_are_other_kinds(one: str, other: str) -> None:
    """Rejects whose reasons say something else are of other kinds."""
    assert kind(one) != kind(other)


def test_a_kind_is_short() -> None:
    """A reason that quotes a text without marks does not make kinds as long as texts."""
    assert len(kind("x" * 10_000_000)) == 200
