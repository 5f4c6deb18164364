"""Shapes: the members that the fields of runs and steps have, as far as they are known, and the type of each.

Wherever JSON is decoded or kept, these members are found under any of their spellings, and their values in any of the
forms that `quirks` knows. Other members stay as they were sent.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

Shape: TypeAlias = "str | Mapping[str, Shape] | Sequence[Shape]"
"""The type of a value, the members of an object, or the elements of a list (one shape for all)."""

_TYPES = ("count", "text", "flag", "any")
_DETAILS = {"cached_tokens": "count", "cache_write_tokens": "count", "reasoning_tokens": "count"}
_ANY: Mapping[str, Shape] = {}
"""An object of which no member is known."""
_FUNCTION = {"name": "text", "description": "text", "strict": "flag", "parameters": _ANY}
_CALL = {"id": "text", "type": "text", "function": {"name": "text", "arguments": "any"}}
_APPROVAL = {"id": "text", "type": "text", "name": "text", "arguments": "any", "server_label": "text"}

SHAPES: Mapping[str, Shape] = {
    "required_action": {
        "type": "text",
        "submit_tool_outputs": {"tool_calls": [_CALL]},
        "submit_tool_approval": {"tool_calls": [_APPROVAL]},
    },
    "last_error": {"code": "text", "message": "text"},
    "incomplete_details": {"reason": "text"},
    "usage": {
        "prompt_tokens": "count",
        "completion_tokens": "count",
        "total_tokens": "count",
        "prompt_tokens_details": _DETAILS,
        "prompt_token_details": _DETAILS,
        "completion_tokens_details": _DETAILS,
        "completion_token_details": _DETAILS,
        "input_tokens": "count",
        "output_tokens": "count",
        "input_tokens_details": _DETAILS,
        "input_token_details": _DETAILS,
        "output_tokens_details": _DETAILS,
        "output_token_details": _DETAILS,
        "prompt_cache_hit_tokens": "count",
        "prompt_cache_miss_tokens": "count",
        "cached_tokens": "count",
        "reasoning_tokens": "count",
    },
    "truncation_strategy": {"type": "text", "last_messages": "count"},
    "tool_choice": {"type": "text", "function": {"name": "text"}},
    "response_format": {
        "type": "text",
        "json_schema": {"name": "text", "description": "text", "strict": "flag", "schema": _ANY},
    },
    "tools": [
        {
            "type": "text",
            **_FUNCTION,
            "function": _FUNCTION,
            "openapi": _FUNCTION,
            "azure_function": {"function": _FUNCTION},
            "connected_agent": _FUNCTION,
        }
    ],
    "metadata": _ANY,
    "step_details": {"type": "text", "tool_calls": [{"type": "text"}]},
}
"""The fields that are objects or lists."""


def leaves(field: str) -> list[str]:
    """The paths of the values within a field, itself left out, that are in no list; none of a field without a shape."""
    found = {path for of in _TYPES for path in paths(of, field, SHAPES.get(field, ""))}
    return sorted(path.removeprefix(f"{field}.") for path in found if "[]" not in path)


def paths(of: type | str, path: str = "", shape: Shape = SHAPES) -> Iterator[str]:
    """The paths, such as `usage.prompt_tokens` or `tools[].type`, of all values within fields that are of one type.

    Args:
        of: A type of values; `dict` for objects.
        path: The path of `shape`.
        shape: Where to look.
    """
    if shape == of or (path and isinstance(of, type) and isinstance(shape, of)):
        yield path
    if isinstance(shape, Mapping):
        for name, member in shape.items():
            yield from paths(of, f"{path}.{name}" if path else name, member)
    elif not isinstance(shape, str):
        yield from paths(of, f"{path}[]", shape[0])
