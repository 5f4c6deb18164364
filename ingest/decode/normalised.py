"""Values as the API would write them: the quirks of a field and of the known members in it, and their spellings."""

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from runmart.ingest.parse.depth import refuse_deep
from runmart.ingest.parse.json_object import UnfitError, object_members, unfit
from runmart.ingest.parse.quoting import quoted
from runmart.models.quirks import normalise
from runmart.models.shapes import SHAPES, Shape
from runmart.models.spellings import Spellings
from runmart.models.wrappings import spoilt_by

_MEMBERS: msgspec.json.Decoder[dict[str, Raw]] = msgspec.json.Decoder(dict[str, Raw])
_ELEMENTS = msgspec.json.Decoder(list[Raw])
_FIELD_LEVEL = 2
_FULL = 3
_EMPTY = frozenset({b"{}", b"[]", b'""', b'"null"', b'"{}"', b'"[]"'})


def normalised(field: str, raw: bytes) -> bytes:
    """The JSON that `raw`, sent as `field` of a run, stands for; `raw` itself where it says so already.

    Raises:
        UnfitError: It is known to be spoilt, or nested too deep, or a repeated key would be lost.
    """
    value = _VALUES.get(field)
    if value is None:
        return normalise(field, raw)
    found = value.of(raw, f"$.{field}")
    if found is not raw:
        refuse_deep(found, _FIELD_LEVEL)
    return found


def renamed(members: dict[str, bytes], spellings: Spellings) -> dict[str, bytes]:
    """The members of an object, in order, under their known names.

    A known name comes before its spellings, and these come in order of names; but a value comes before an empty one,
    and that before null. What comes later keeps its own name, or is left out if it is null.
    """
    others = sorted(name for name in members if name not in spellings and spellings.known(name))
    if not others:
        return members
    chosen: dict[str, str] = {}
    for name in others:
        known = spellings.known(name) or name
        if _rank(members.get(chosen.get(known, known))) < _rank(members[name]):
            chosen[known] = name
    names = {name: known for known, name in chosen.items()}
    left_out = {name for name in others if name not in names and members[name] == b"null"} | chosen.keys()
    return {names.get(name, name): value for name, value in members.items() if name not in left_out}


def is_empty(raw: bytes) -> bool:
    """Whether a value says no more than that nothing is there."""
    return _rank(raw) < _FULL


def _rank(raw: bytes | None) -> int:
    if raw is None:
        return 0
    if raw == b"null":
        return 1
    return _FULL - (raw in _EMPTY)


class _Value:
    """A value of a shape, and its path in a record."""

    def __init__(self, path: str, shape: Shape) -> None:
        self._path = path
        self._type = shape if isinstance(shape, str) else None
        self._members: dict[str, _Value] = {}
        if isinstance(shape, Mapping):
            self._members = {name: _Value(f"{path}.{name}", of) for name, of in shape.items()}
        self._element = None if isinstance(shape, str | Mapping) else _Value(f"{path}[]", shape[0])
        self._spellings = Spellings(self._members)

    def of(self, raw: bytes, path: str) -> bytes:
        """The JSON that `raw` stands for."""
        found = normalise(self._path, raw)
        if self._type is not None:
            return found
        if found is not raw:
            refuse_deep(found, _FIELD_LEVEL)
        if (reason := spoilt_by(found)) is not None:
            raise UnfitError(f"{reason}; got {quoted(found)}", path)
        try:
            if self._members and found[:1] == b"{":
                return self._object(found, path)
            if self._element and found[:1] == b"[":
                return self._list(self._element, found, path)
        except msgspec.DecodeError as error:
            raise unfit(error, path) from None
        return found

    def _object(self, raw: bytes, path: str) -> bytes:
        sent = {name: bytes(value) for name, value in _MEMBERS.decode(raw).items()}
        known = renamed(sent, self._spellings)
        found = {
            name: self._members[name].of(value, f"{path}.{name}") if name in self._members else value
            for name, value in known.items()
        }
        if known is sent and all(found[name] is value for name, value in sent.items()):
            return raw
        object_members(raw, path)
        return b"{" + b",".join(msgspec.json.encode(name) + b":" + value for name, value in found.items()) + b"}"

    def _list(self, element: "_Value", raw: bytes, path: str) -> bytes:
        sent = [bytes(one) for one in _ELEMENTS.decode(raw)]
        found = [element.of(one, f"{path}[{index}]") for index, one in enumerate(sent)]
        if all(one is other for one, other in zip(found, sent, strict=True)):
            return raw
        return b"[" + b",".join(found) + b"]"


_VALUES = {field: _Value(field, shape) for field, shape in SHAPES.items()}
