"""The members of a JSON object, none lost: names to values as sent."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from runmart.ingest.parse.json_scanner import members, skip_space

_ESCAPED_COLON = b"\\u003"  # the start of \u003a, a colon that would be counted after decoding only


def is_complete(text: bytes, explained: int) -> bool:
    """Whether `explained` colons are all that `text` has."""
    return text.count(b":") == explained and may_be_counted(text)


def may_be_counted(text: bytes) -> bool:
    """Whether no colon of `text` is escaped."""
    return b"\\" not in text or _ESCAPED_COLON not in text


Members = dict[str, Raw]

_MEMBERS: msgspec.json.Decoder[Members] = msgspec.json.Decoder(Members)


class UnfitError(Exception):
    """A run that cannot be stored: `reason`, and `json_path` from the run on."""

    def __init__(self, reason: str, json_path: str = "$") -> None:
        super().__init__(reason)
        self.reason = reason
        self.json_path = json_path


class UnaccountedError(Exception):
    """The ledger does not balance: something in the text is unknown, or there twice."""


def object_members(raw: bytes, path: str = "$") -> Members:
    """The members of a JSON object: name to value as sent.

    Raises:
        UnfitError: A name is there twice: one of its values would be lost.
        msgspec.DecodeError: `raw` is no JSON object.
    """
    found = _MEMBERS.decode(raw)
    explained = len(found) + sum(name.count(":") for name in found)
    explained += b"".join(found.values()).count(b":")
    if not is_complete(raw, explained):
        _refuse_repeated(raw, path)
    return found


def _refuse_repeated(raw: bytes, path: str) -> None:
    seen: set[str] = set()
    for name, _ in members(raw, skip_space(raw, 0)):
        if name in seen:
            raise UnfitError(f"the key `{name}` is there twice, and only one of its values could be kept", path)
        seen.add(name)


def json_object(values: Sequence[tuple[str, bytes]]) -> bytes | None:
    """A JSON object of names and values as sent, in order of names; None when there are none."""
    if not values:
        return None
    return b"{" + b",".join(msgspec.json.encode(name) + b":" + value for name, value in sorted(values)) + b"}"


def unfit(error: msgspec.DecodeError, path: str = "$") -> UnfitError:
    """What `error` says, with its JSON path put behind `path`."""
    reason, _, where = str(error).partition(" - at `$")
    if reason == "Number out of range":
        reason = "a number larger than any can be"
    return UnfitError(reason, path + where.rstrip("`"))
