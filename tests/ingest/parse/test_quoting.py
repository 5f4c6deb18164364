"""Pieces of texts in messages."""

import pytest

from runmart.ingest.parse.quoting import quoted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"abc", "`abc`"),
        ("caf\u00e9 \u2615".encode(), "`caf\u00e9 \u2615`"),
        ("\ufeff{".encode(), r"`\ufeff{`"),
        ("a\u200bb\u00a0c".encode(), r"`a\u200bb\xa0c`"),
        (b"\x00\x1b[1m\x7f", r"`\x00\x1b[1m\x7f`"),
        (b"a\tb\r\nc", r"`a\tb\r\nc`"),
        (b"\x89PNG\xff", r"`\x89PNG\xff`"),
        ("\u202eabc".encode(), r"`\u202eabc`"),
        ("\U000e0041".encode(), r"`\U000e0041`"),
        (b"", "``"),
    ],
)
def test_nothing_that_is_there_is_invisible(text: bytes, shown: str) -> None:
    """Invisible and control characters and bytes that are no UTF-8 are escaped."""
    assert quoted(text) == shown


def test_long_texts_are_cut_between_characters() -> None:
    """At most so many characters are shown, and none is cut in two."""
    assert quoted("\u20ac".encode() * 100, limit=5) == "`" + "\u20ac" * 5 + "`"
    assert quoted("a\U0001f600".encode() * 100, limit=4) == "`a\U0001f600a\U0001f600`"
    assert len(quoted(b"x" * 10_000_000)) == 42
