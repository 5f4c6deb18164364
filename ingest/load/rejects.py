"""Rows of `runmart.rejects`: the text of a reject is stored as text, or in Base64 when it is not UTF-8."""

import base64
from typing import Any

from runmart.models.observations import Reject

WITHHELD = "withheld"
"""The encoding of a reject whose text was not stored, since it could not be redacted."""


def reject_row(reject_id: int, load_id: int, address: str, reject: Reject) -> tuple[Any, ...]:
    """The row of a reject; `address` is that of its input."""
    origin = reject.origin
    where = (origin.source, address, reject.position, reject.line, origin.observed_at)
    text = (None, WITHHELD) if reject.is_withheld else _readable(reject.raw)
    return (reject_id, load_id, *where, reject.reason, reject.json_path, *text)


def _readable(raw: bytes) -> tuple[str | None, str | None]:
    """The text and its encoding; None twice when the input could not be read at all."""
    if not raw:
        return None, None
    try:
        return raw.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode(), "base64"


def raw_bytes(text: str, encoding: str) -> bytes:
    """The bytes of a stored reject."""
    return base64.b64decode(text) if encoding == "base64" else text.encode()
