r"""Proof that no key of a JSON object is repeated: msgspec keeps the last value of such a key and reports nothing.

Each key is followed by a colon. The decoded values explain some of the colons in a text: one for each member, those
within texts, and those within JSON that is kept as sent. Any other belongs to a repeated key. An escaped colon
(`\u003a`) is a colon after decoding only and could make up for one, so nothing is proved where there is any and texts
with colons were decoded. A key may be suspected wrongly; a repeated one is never missed.

The colons of records are counted by column, those of a text that many records share once. To encode the records instead
and count the colons there makes the conversion of runs a fifth to a third slower.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from runmart.models.columns import BINARY, VARCHAR
from runmart.models.record_columns import RecordColumns

_ENCODER = msgspec.json.Encoder()


class _Colons(NamedTuple):
    """Colons that decoded values explain."""

    certain: int
    """Behind keys, and in JSON kept as sent."""
    decoded: int
    """In decoded texts."""


def may_repeat_key(text: bytes, value: Any) -> bool:
    """Whether a key may be repeated in `text`; False is a proof that none is.

    Args:
        text: JSON.
        value: What was decoded from it. Nothing may be left out of it but repeated members.
    """
    return text.count(b":") != _ENCODER.encode(value).count(b":") or _has_escaped_colon(text)


def columns_may_repeat_key(texts: Sequence[bytes], columns: RecordColumns, around: Sequence[Any] = ()) -> bool:
    """Whether a key may be repeated in one of `texts`; False is a proof that none is.

    Args:
        texts: JSON.
        columns: The records decoded from them. JSON within them is not looked into.
        around: The pages that the records were in, without them.
    """
    colons = _colons(columns)
    explained = sum(colons) + sum(_ENCODER.encode(page).count(b":") for page in around)
    if sum(text.count(b":") for text in texts) != explained:
        return True
    return colons.decoded > 0 and any(map(_has_escaped_colon, texts))


def _colons(columns: RecordColumns) -> _Colons:
    certain = decoded = 0
    for name, arrow_type in columns.types.items():
        certain += columns.count_sent(name)
        if arrow_type is BINARY:
            certain += columns.count_character(name, ":")
        elif arrow_type is VARCHAR:
            decoded += columns.count_character(name, ":")
    return _Colons(certain, decoded)


def _has_escaped_colon(text: bytes) -> bool:
    return b"\\u003" in text and (b"\\u003a" in text or b"\\u003A" in text)
