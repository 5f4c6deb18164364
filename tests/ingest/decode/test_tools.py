"""The tools offered to a run, as rows."""

import json
from typing import Any

import pytest

from tests.support.payloads import decode, page, run

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
DEFINITION = {"name": "f", "description": "does: it", "strict": True, "parameters": SCHEMA}


def _row(tool: Any) -> dict[str, Any]:
    seen = decode(page(run(1, tools=[tool])))
    assert seen.rejects == []
    [row] = seen.rows["tools"]
    for name in ("parameters", "config"):
        row[name] = None if row[name] is None else json.loads(row[name])
    return {
        name: value
        for name, value in row.items()
        if name not in {"observation", "run_id", "run_created_at", "position"}
    }


def _expected(kind: str | None, config: Any = None, **defined: Any) -> dict[str, Any]:
    return {
        "type": kind,
        **dict.fromkeys(["name", "description", "strict", "parameters"]),
        **defined,
        "config": config,
    }


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        ({"type": "function", "function": DEFINITION}, _expected("function", **DEFINITION)),
        ({"type": "function", **DEFINITION}, _expected("function", **DEFINITION)),
        ({"type": "function", "function": None, "name": "f"}, _expected("function", {"function": None}, name="f")),
        (
            {"type": "function", "function": {**DEFINITION, "defer": True}, "cache": {"a": 1}},
            _expected("function", {"cache": {"a": 1}, "function": {"defer": True}}, **DEFINITION),
        ),
        ({"type": "function", "function": {"name": "f", "strict": None}}, _expected("function", name="f")),
        ({"type": "code_interpreter"}, _expected("code_interpreter")),
        (
            {"type": "file_search", "file_search": {"max_num_results": 5}},
            _expected("file_search", {"file_search": {"max_num_results": 5}}),
        ),
        (
            {"type": "azure_function", "azure_function": {"function": DEFINITION, "input_binding": {"a": 1}}},
            _expected("azure_function", {"azure_function": {"input_binding": {"a": 1}}}, **DEFINITION),
        ),
        (
            {"type": "azure_function", "azure_function": {"input_binding": {"a": 1}}},
            _expected("azure_function", {"azure_function": {"input_binding": {"a": 1}}}),
        ),
        (
            {"type": "openapi", "openapi": {"name": "f", "spec": {"a": 1}, "auth": {"type": "anonymous"}}},
            _expected("openapi", {"openapi": {"spec": {"a": 1}, "auth": {"type": "anonymous"}}}, name="f"),
        ),
        ({"type": "mcp", "server_label": "x"}, _expected("mcp", {"server_label": "x"})),
        ({"name": "f"}, _expected(None, name="f")),
        ({}, _expected(None)),
    ],
)
def test_a_tool_is_a_row_and_nothing_of_it_is_lost(tool: dict[str, Any], expected: dict[str, Any]) -> None:
    """Name, description, strict and parameters have columns; the tool's other settings are in `config`."""
    assert _row(tool) == expected


def test_tools_are_numbered_from_0_in_each_run() -> None:
    """Each tool offered to a run is a row, in the run's order."""
    tools = [{"type": "code_interpreter"}, {"type": "function", "function": {"name": "f"}}]
    rows = decode(page(run(1, tools=tools), run(2), run(3, tools=tools[:1]))).rows["tools"]
    assert [(row["run_id"], row["position"], row["name"]) for row in rows] == [
        ("run_1", 0, None),
        ("run_1", 1, "f"),
        ("run_3", 0, None),
    ]


def test_parameters_keep_their_numbers_and_escapes() -> None:
    """JSON loses nothing but insignificant whitespace."""
    tool = rb'{"type": "function", "function": {"parameters": {"a":  1.50, "b": "\u00e9"}}}'
    [row] = decode(b'{"id": "run_1", "status": "x", "tools": [%s]}' % tool).rows["tools"]
    assert row["parameters"] == r'{"a":1.50,"b":"\u00e9"}'


@pytest.mark.parametrize("headers", [{"X-Token": "s3cret"}, {}, "X-Token: s3cret"])
def test_the_token_of_a_server_is_not_stored(headers: Any) -> None:
    """A server may send back what it was given, a token and headers among it; a schema keeps its names."""
    server = {"type": "mcp", "server_label": "wiki", "authorization": "s3cret", "headers": headers}
    assert _row(server) == _expected("mcp", {"server_label": "wiki"})
    usual = {"authorization": None, "headers": None}
    assert _row({"type": "mcp", **usual}) == _expected("mcp", usual)
    named = {"type": "object", "properties": {"authorization": {"type": "string"}}, "required": ["authorization"]}
    assert _row({"type": "function", **DEFINITION, "parameters": named})["parameters"] == named
