"""Reasons for instants that cannot be stored, in better words than a decoder's."""

from collections.abc import Collection, Mapping

from runmart.ingest.parse.json_object import UnfitError
from runmart.ingest.parse.quoting import quoted
from runmart.models.quirks import INSTANTS, normalise
from runmart.models.records import YEAR_ONE
from runmart.models.wrappings import parsed_time, rfc3339

STEP_INSTANTS = frozenset({*INSTANTS, "expired_at"})


def explained(error: UnfitError, sent: Mapping[str, bytes], instants: Collection[str] = STEP_INSTANTS) -> UnfitError:
    """`error`, with the reason for an instant; other errors stay as they are.

    Args:
        error: Why a record cannot be decoded.
        sent: The values of its fields as sent.
        instants: The fields that are instants.
    """
    name = error.json_path.removeprefix("$.")
    if name in instants and error.reason.startswith("Expected"):
        return UnfitError(_no_instant(sent[name]), error.json_path)
    return error


def _no_instant(sent: bytes) -> str:
    if parsed_time(sent) is not None and not rfc3339(sent):
        wanted = "expected Unix seconds, or RFC 3339 with an offset such as Z"
        return f"no offset from UTC: {quoted(sent[1:-1])}; {wanted}"
    try:
        is_early = float(normalise("created_at", sent)) < YEAR_ONE
    except ValueError:
        return f"Expected Unix seconds, got {quoted(sent)}"
    where = "before the year 1" if is_early else "after the year 9999, even if it counts milliseconds"
    return f"{quoted(sent)} is no instant: {where}"
