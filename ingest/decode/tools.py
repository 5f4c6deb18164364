"""The tools offered to a run."""

import msgspec
from msgspec import Raw

from runmart.ingest.decode.json_text import compact
from runmart.ingest.decode.normalised import normalised
from runmart.ingest.parse.json_object import Members, json_object, object_members, unfit
from runmart.models.observations import OfferedTool
from runmart.models.quirks import NOTHING
from runmart.models.records import ABSENT, TOOL_DEFINITIONS, FunctionDefinition

_FUNCTION = msgspec.json.Decoder(FunctionDefinition)
_TOOLS = msgspec.json.Decoder(list[Raw])


def tools(sent: bytes) -> tuple[OfferedTool, ...]:
    """The tools of one run.

    Raises:
        UnfitError: A tool does not fit, or has a repeated key.
    """
    text = normalised("tools", sent)
    if not text or text in NOTHING:
        return ()
    try:
        raws = _TOOLS.decode(text)
    except msgspec.DecodeError as error:
        raise unfit(error, "$.tools") from None
    return tuple(_tool(position, bytes(raw)) for position, raw in enumerate(raws))


def _tool(position: int, text: bytes) -> OfferedTool:
    path = f"$.tools[{position}]"
    try:
        members = object_members(text, path)
        kind: str | None = msgspec.json.decode(members.pop("type", Raw(b"null")), type=str | None)
        definition, config = _definition(members, TOOL_DEFINITIONS.get(kind or "", ()), path)
    except msgspec.DecodeError as error:
        raise unfit(error, path) from None
    if kind == _REMOTE:
        config = [(name, value) for name, value in config if name not in _SECRETS or value == b"null"]
    parameters = None if definition.parameters in (ABSENT, _NULL) else compact(bytes(definition.parameters))
    return OfferedTool(
        position,
        kind,
        definition.name,
        definition.description,
        definition.strict,
        parameters,
        json_object(config),
    )


_NULL = Raw(b"null")
_REMOTE = "mcp"
_SECRETS = frozenset({"authorization", "headers"})
"""What a request may hold for the tools of a server; OpenAI does not send it back. Hashes of it are no use either."""
_DEFINED = ("name", "description", "strict", "parameters")


def _definition(
    members: Members, inner: tuple[str, ...], path: str
) -> tuple[FunctionDefinition, list[tuple[str, bytes]]]:
    """A tool's function definition, found along the path `inner`, and all of its other members.

    A tool without that path is flat, as in the Responses API.
    """
    if not inner or members.get(inner[0], _NULL) == _NULL:
        known = [(name, bytes(members[name])) for name in _DEFINED if name in members]
        rest = [(name, compact(bytes(value))) for name, value in members.items() if name not in _DEFINED]
        try:
            return _FUNCTION.decode(json_object(known) or b"{}"), rest
        except msgspec.DecodeError as error:
            raise unfit(error, path) from None
    head, *tail = inner
    path = f"{path}.{head}"
    found, rest = _definition(object_members(bytes(members[head]), path), tuple(tail), path)
    others = [(name, compact(bytes(value))) for name, value in members.items() if name != head]
    if rest:
        others.append((head, json_object(rest) or b"{}"))
    return found, others
