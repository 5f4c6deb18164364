"""The limit on nesting: what is nested deeper is rejected, whatever the stack would hold."""

from runmart.ingest.parse.json_object import UnfitError
from runmart.ingest.parse.reasons import TOO_DEEP
from runmart.models.depth import MAX_DEPTH, is_deeper


def refuse_deep(text: bytes, level: int = 1) -> None:
    """Refuse a text that begins on some level of a record, itself the first, and goes beyond the last.

    Raises:
        UnfitError: It does.
    """
    if is_deeper(text, MAX_DEPTH + 1 - level):
        raise UnfitError(TOO_DEEP)
