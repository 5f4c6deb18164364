"""JSON objects as names and values as sent; no member is lost unnoticed."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from runmart.ingest.parse.json_scanner import members, skip_space
from runmart.ingest.parse.repeated_keys import may_repeat_key

Members = dict[str, Raw]

_MEMBERS: msgspec.json.Decoder[Members] = msgspec.json.Decoder(Members)


class UnfitError(Exception):
    """A record that cannot be stored: `reason`, and `json_path` from the record on."""

    def __init__(self, reason: str, json_path: str = "$") -> None:
        super().__init__(reason)
        self.reason = reason
        self.json_path = json_path


def object_members(raw: bytes, path: str = "$") -> Members:
    """The members of a JSON object: name to value as sent.

    Raises:
        UnfitError: A name is repeated: one of its values would be lost.
        msgspec.DecodeError: `raw` is no JSON object.
    """
    found = _MEMBERS.decode(raw)
    if may_repeat_key(raw, found):
        _refuse_repeated(raw, path)
    return found


def _refuse_repeated(raw: bytes, path: str) -> None:
    seen: set[str] = set()
    for member in members(raw, skip_space(raw, 0)):
        if member.name in seen:
            reason = f"the key `{member.name}` is there twice, and only one of its values could be kept"
            raise UnfitError(reason, path)
        seen.add(member.name)


def json_object(values: Sequence[tuple[str, bytes]]) -> bytes | None:
    """A JSON object of names and values as sent, in order of names; None when there are none."""
    if not values:
        return None
    return b"{" + b",".join(msgspec.json.encode(name) + b":" + value for name, value in sorted(values)) + b"}"


def unfit(error: msgspec.DecodeError, path: str = "$") -> UnfitError:
    """The reason that `error` states, with its JSON path behind `path`."""
    reason, _, where = str(error).partition(" - at `$")
    if reason == "Number out of range":
        reason = "a number larger than any can be"
    return UnfitError(reason, path + where.rstrip("`"))
