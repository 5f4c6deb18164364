"""Runs rebuilt from the tables, and runs as sent after the documented normalisations, for comparison."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

Row = Mapping[str, Any]
RunObject = dict[str, Any]

INSTANTS = ("created_at", "started_at", "expires_at", "completed_at", "failed_at", "cancelled_at")
OBJECTS = ("required_action", "last_error", "incomplete_details", "usage", "truncation_strategy")
CHOICES = ("tool_choice", "response_format")
AS_THEY_ARE = (
    *("object", "thread_id", "assistant_id", "status", "model", "instructions", "parallel_tool_calls"),
    *("temperature", "top_p", "max_prompt_tokens", "max_completion_tokens"),
)
FIELDS = ("id", *AS_THEY_ARE, *INSTANTS, *OBJECTS, *CHOICES, "metadata", "tools")
"""The 27 fields of a run."""

DEFINED = ("name", "description", "strict", "parameters")
DEFINED_IN = {"function": "function", "openapi": "openapi", "connected_agent": "connected_agent"}


def rebuilt(run: Row, usage: Row | None, tools: Sequence[Row], errors: Sequence[Row]) -> RunObject:
    """A run rebuilt from its rows, without nulls."""
    built: RunObject = {"id": run["run_id"], **{name: run[name] for name in AS_THEY_ARE}}
    built |= {name: _seconds(run[name]) for name in INSTANTS}
    built |= {name: _json(run[name]) for name in ("tool_choice", "response_format", "metadata", "required_action")}
    strategy = {"type": run["truncation_type"], "last_messages": run["truncation_last_messages"]}
    built["truncation_strategy"] = without_absent(strategy) or None
    for error in errors:
        names = ("code", "message") if error["kind"] == "last_error" else ("reason",)
        built[error["kind"]] = without_absent(dict(zip(names, (error["code"], error["message"]), strict=False)))
    built["usage"] = None if usage is None else _usage(usage)
    built["tools"] = [_tool(tool) for tool in sorted(tools, key=lambda tool: tool["position"])] or None
    return without_absent(built | _object(run["extra"]))


def _usage(row: Row) -> dict[str, Any]:
    counts = {name: row[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
    return without_absent(counts | _object(row["details"]))


def _tool(row: Row) -> dict[str, Any]:
    definition = without_absent({**{name: row[name] for name in DEFINED}, "parameters": _json(row["parameters"])})
    config = _object(row["config"])
    inner = DEFINED_IN.get(row["type"])
    if inner is None:
        return without_absent({"type": row["type"], **definition, **config})
    return without_absent({"type": row["type"], **config, inner: {**definition, **config.get(inner, {})}})


def _json(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _object(text: str | None) -> dict[str, Any]:
    return {} if text is None else json.loads(text)


def _seconds(instant: datetime | None) -> float | None:
    return None if instant is None else instant.timestamp()


def without_absent(sent: Mapping[str, Any]) -> dict[str, Any]:
    """An object without its nulls: a missing field is null."""
    return {name: value for name, value in sent.items() if value is not None}


def normalised(sent: RunObject) -> RunObject:
    """A run as sent, after the documented normalisations, without nulls."""
    run: RunObject = {
        name: None if value in ("null", "") and name not in AS_THEY_ARE else value for name, value in sent.items()
    }
    if "agent_id" in run and run.get("assistant_id") is None:
        run["assistant_id"] = run.pop("agent_id")
    for name in (*OBJECTS, *CHOICES, *INSTANTS, "tools"):
        if run.get(name) in ({}, [], 0, False):
            run[name] = None
    for name in ("last_error", "incomplete_details", "usage", "truncation_strategy"):
        if run.get(name) is not None:
            run[name] = without_absent(run[name])
    offered: list[dict[str, Any]] = run.get("tools") or []
    run["tools"] = [_tool_without_absent(tool) for tool in offered] or None
    return without_absent(run)


def _tool_without_absent(tool: dict[str, Any]) -> dict[str, Any]:
    inner = DEFINED_IN.get(tool["type"])
    return without_absent({**tool, inner: without_absent(tool[inner])} if inner else tool)
