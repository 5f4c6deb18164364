"""The views of metadata, required tool calls and changes of assistants, in plain Python."""

import json
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Any, cast

from tests.support.recomputed_costs import Row, Tables, run_costs

TOOL = ("position", "type", "name", "description", "strict", "parameters", "config")


def _text(value: Any) -> str | None:
    """A string as it is, any other JSON value as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))


def _member(value: Any, name: str) -> Any:
    """A member of an object; None if the value is no object."""
    return cast(dict[str, Any], value).get(name) if isinstance(value, dict) else None


def required_tool_calls(tables: Tables) -> list[Row]:
    """Expected rows of the view `required_tool_calls`."""
    rows: list[Row] = []
    for run in tables["runs"]:
        action = json.loads(run["required_action"] or "{}")
        asked = [_member(_member(action, f"submit_tool_{what}"), "tool_calls") for what in ("outputs", "approval")]
        for call in (call for calls in asked if isinstance(calls, list) for call in cast(list[Any], calls)):
            function = _member(call, "function")
            name, arguments = (
                _member(call, what) if _member(function, what) is None else _member(function, what)
                for what in ("name", "arguments")
            )
            if _member(call, "id") is None and name is None:
                continue
            rows.append(
                {
                    **{
                        name: run[name] for name in ("run_id", "source", "thread_id", "assistant_id", "model", "status")
                    },
                    "is_waiting": run["status"] == "requires_action",
                    **{name: None if run[name] is None else float(run[name]) for name in ("created_at", "expires_at")},
                    "tool_call_id": _member(call, "id"),
                    "type": _member(call, "type"),
                    "name": _text(name),
                    "arguments": _text(arguments),
                    "server_label": _text(_member(call, "server_label")),
                }
            )
    return sorted(rows, key=lambda row: (row["run_id"], row["tool_call_id"] or ""))


def metadata_usage(tables: Tables, facts: Sequence[Row]) -> list[Row]:
    """Expected rows of the view `metadata_usage`."""
    sent = {run["run_id"]: json.loads(run["metadata"] or "{}") for run in tables["runs"]}
    costs = {row["run_id"]: row for row in run_costs(tables)}
    groups: dict[tuple[str, str | None], list[Row]] = {}
    for row in facts:
        metadata = sent[row["run_id"]]
        entries: Row = cast(Row, metadata) if isinstance(metadata, dict) else {}
        for key, value in entries.items():
            groups.setdefault((key, _text(value)), []).append(row)
    rows: list[Row] = []
    for (key, value), some in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or "")):
        used = [costs[row["run_id"]] for row in some if row["run_id"] in costs]
        tokens = [one["total_tokens"] for one in used if one["total_tokens"] is not None]
        priced = [one for one in used if one["is_priced"]]
        row: Row = {"key": key, "value": value, "runs": len(some), "failures": sum(one["is_failure"] for one in some)}
        row |= {"runs_with_usage": len(used), "total_tokens": sum(tokens) if tokens else None}
        currencies = {one["currency"] for one in priced}
        row |= {"unpriced_runs": len(used) - len(priced), "currency": None, "cost": None}
        if len(currencies) == 1:
            row |= {"currency": currencies.pop(), "cost": sum(one["cost"] for one in priced)}
        rows.append(row)
    return rows


def assistant_changes(tables: Tables, facts: Sequence[Row]) -> list[Row]:
    """Expected rows of the view `assistant_changes`: groups of consecutive runs of one configuration."""
    sent = {run["run_id"]: run for run in tables["runs"]}
    costs = {row["run_id"]: row for row in run_costs(tables)}
    tools: dict[str, list[tuple[Any, ...]]] = {}
    for tool in tables["tools"]:
        of_run = tools.setdefault(tool["run_id"], [])
        of_run.append(tuple(tool.get(name) for name in TOOL))
        of_run.sort(key=lambda one: one[0])
    rows: list[Row] = []
    assistants = {(row["source"], row["assistant_id"]) for row in facts if row["assistant_id"] is not None}
    for source, assistant in sorted(assistants):
        runs = [row for row in facts if (row["source"], row["assistant_id"]) == (source, assistant)]
        runs = sorted((row for row in runs if row["created_at"] is not None), key=_place)
        stretches: list[list[Row]] = [runs[:1]]
        changes: list[tuple[bool, bool, bool]] = []
        for before, after in pairwise(runs):
            first, second = sent[before["run_id"]], sent[after["run_id"]]
            change = (
                first["model"] != second["model"],
                first["instructions"] != second["instructions"],
                tools.get(before["run_id"]) != tools.get(after["run_id"]),
            )
            if any(change):
                changes.append(change)
                stretches.append([])
            stretches[-1].append(after)
        for change, (before, after) in zip(changes, pairwise(stretches), strict=True):
            row: Row = {"source": source, "assistant_id": assistant, "changed_at": after[0]["created_at"]}
            row |= dict(zip(("is_model_changed", "are_instructions_changed", "are_tools_changed"), change, strict=True))
            row |= {"model_before": before[0]["model"], "model_after": after[0]["model"]}
            for name, some in (("before", before), ("after", after)):
                row |= {f"{key}_{name}": value for key, value in _measures(some, costs).items()}
            rows.append(row)
    return rows


def _place(row: Row) -> tuple[float, str]:
    return row["created_at"], row["run_id"]


def _measures(runs: Sequence[Row], costs: dict[str, Row]) -> Row:
    ended = [row["is_failure"] for row in runs if row["is_terminal"]]
    seconds = [row["run_seconds"] for row in runs if row["status"] == "completed" and row["run_seconds"] is not None]
    priced = [costs[row["run_id"]] for row in runs if row["run_id"] in costs and costs[row["run_id"]]["is_priced"]]
    is_in_one = len({one["currency"] for one in priced}) == 1
    return {
        "runs": len(runs),
        "failure_rate": sum(ended) / len(ended) if ended else None,
        "run_seconds_p50": median(seconds) if seconds else None,
        "cost_per_run": sum(one["cost"] for one in priced) / len(priced) if is_in_one else None,
    }
