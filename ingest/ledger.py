"""The proof that decoding lost nothing: every key of the text is accounted for.

A JSON parser that meets a key twice keeps the last value and says nothing. Here each colon of the text must be one that
the decoded records explain: one per field that was set, and those inside their texts and their raw JSON. One colon
more, and a key was there twice (or is unknown to a record that does not forbid unknown fields). Counting bytes in
columns costs a small part of decoding; looking at each key would cost a multiple of it.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from runmart.models.records import ABSENT

_ESCAPED_COLON = b"\\u003"  # the start of \u003a, a colon that would be counted after decoding only


class Ledger:
    """Counts the colons that records of one type explain."""

    def __init__(self, record: type[Struct]) -> None:
        self._fields = [(attrgetter(field.name), field.type is Raw) for field in msgspec.structs.fields(record)]

    def colons(self, records: Sequence[Any]) -> int:
        """How many colons the JSON of `records` holds, given that no key is in it twice."""
        explained = 0
        for get, is_raw in self._fields:
            column = list(map(get, records))
            present = len(column) - column.count(ABSENT if is_raw else UNSET)
            explained += present
            if is_raw:
                explained += b"".join(column).count(b":")
            elif present:
                explained += "".join([text for text in column if text.__class__ is str]).count(":")
        return explained


def is_complete(text: bytes, explained: int) -> bool:
    """Whether `explained` colons are all that `text` has."""
    return text.count(b":") == explained and _ESCAPED_COLON not in text
