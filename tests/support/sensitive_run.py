"""A run with a recognisable word in each field that may hold content."""

from typing import Any

SECRET = "Zanzibar"  # noqa: S105 - no password
SECRETIVE: dict[str, Any] = {
    "instructions": SECRET,
    "metadata": {"who": SECRET, "n": [SECRET]},
    "tools": [
        {"type": "function", "function": {"name": "f", "description": SECRET, "parameters": {"title": SECRET}}},
        {"type": "mcp", "name": "m", "server_description": SECRET, "headers": {"authorization": SECRET}},
        {"type": "openapi", "openapi": {"name": "o", "spec": {"info": SECRET}, "auth": SECRET}},
        {"type": "azure_function", "azure_function": {"function": {"name": "a"}, "input_binding": {"q": SECRET}}},
    ],
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"title": SECRET}}},
    "required_action": {
        "type": "submit_tool_outputs",
        "submit_tool_outputs": {
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": SECRET}, "output": SECRET}
            ]
        },
    },
    "last_error": {"code": "server_error", "message": SECRET, "param": SECRET},
    "incomplete_details": {"reason": "max_prompt_tokens", "text": SECRET},
    "truncation_strategy": {"type": "auto", "note": SECRET},
    "tool_choice": {"type": "function", "function": {"name": "f", "note": SECRET}},
    "usage": {"prompt_tokens": 3, "note": SECRET, "prompt_tokens_details": {"cached_tokens": 1, "note": SECRET}},
    "reasoning": {"summary": SECRET},
    "note": SECRET,
}
