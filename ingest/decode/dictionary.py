"""Dictionary decoder: decodes each distinct text of a column once, in this batch and in later ones."""

from collections.abc import Callable
from typing import Generic, TypeVar

from runmart.models.observations import Distinct
from runmart.models.record_columns import DictionaryColumn

Value = TypeVar("Value")

_MAX_BYTES = 4 << 20
"""Limit of the texts that are remembered, in bytes; their values take a multiple of it."""


class DictionaryDecoder(Generic[Value]):
    """Decodes the texts of a column by `parse`, and remembers the values."""

    def __init__(self, parse: Callable[[bytes], Value]) -> None:
        self._parse = parse
        self._known: dict[bytes, Value] = {}
        self._bytes = 0

    def decode(self, texts: DictionaryColumn) -> Distinct[Value]:
        """The values of a column of JSON texts (shape: n).

        Raises:
            Exception: Whatever `parse` raises.
        """
        return Distinct(texts.array.indices, list(map(self.decode_one, texts.distinct)))

    def decode_one(self, text: bytes) -> Value:
        """The value of one text."""
        if text in self._known:
            return self._known[text]
        value = self._parse(text)
        self._bytes += len(text)
        if self._bytes > _MAX_BYTES:
            self._known.clear()
            self._bytes = len(text)
        self._known[text] = value
        return value
