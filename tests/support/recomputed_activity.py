"""The views of threads, tools, errors, open runs and periods, in plain Python; the statistics are scipy's."""

import hashlib
import math
import random
from collections.abc import Sequence
from typing import Any

from scipy import stats as scipy_stats

from tests.support.recomputed_costs import Row, Tables, grouped_by, run_costs

stats: Any = scipy_stats
WEEK = 604_800
FAILURES = ("failed", "expired", "incomplete")
TERMINAL = (*FAILURES, "completed", "cancelled")


def random_bookkeeping(random_: random.Random) -> Tables:
    """Random rows of the tables `loads` and `rejects`."""
    loads: list[Row] = []
    for number in range(1, 8):
        counts = {name: random_.randrange(50) for name in ("inputs", "observations", "rejected", "new_runs", "steps")}
        times = {"started_at": 1_700_000_000 + number * 60, "finished_at": 1_700_000_030 + number * 60}
        state = random_.choice(("done", "failed"))
        load = {"load_id": number, "command": "ingest", "source": random_.choice("abc"), "state": state}
        seconds = random_.choice((0.0, 2.5))
        loads.append({**load, **times, **counts, "seconds": seconds, "updated_runs": 1, "unchanged": 2})
    rejects: list[Row] = []
    for number in range(40):
        reason, path = random_.choice(("too deep", "no id")), random_.choice(("$", "$.data[3].id", "$[12][0]", "$.a"))
        reject = {"reject_id": number, "load_id": random_.randrange(1, 8), "source": random_.choice("ab")}
        where = {"input": random_.choice(("/1", "/2")), "observed_at": random_.randrange(1000), "position": number}
        rejects.append({**reject, **where, "reason": reason, "json_path": path, "items": random_.choice((1, 500))})
    return {"loads": loads, "rejects": rejects}


def error_summary(tables: Tables, facts: Sequence[Row]) -> list[Row]:
    """Expected rows of the view `error_summary`."""
    said = {one["run_id"]: one.get("message") for one in tables["errors"] if one["kind"] == "last_error"}
    failures = [{**row, "message": said.get(row["run_id"])} for row in facts if row["is_failure"]]

    def code(row: Row) -> str | None:
        return row["incomplete_reason"] if row["error_code"] is None else row["error_code"]

    def summary(rows: list[Row]) -> Row:
        times = _present(rows, "created_at")
        found: Row = {"runs": len(rows), "share": len(rows) / len(failures)}
        found |= {"first_at": min(times, default=None), "last_at": max(times, default=None)}
        return {**found, "sample_message": max(_present(rows, "message"), default=None)}

    names = ("status", "code", "model", "assistant_id")
    return grouped_by(
        failures, lambda row: (row["status"], code(row), row["model"], row["assistant_id"]), names, summary
    )


def open_runs(tables: Tables) -> list[Row]:
    """Expected rows of the view `open_runs`."""
    names = ("run_id", "source", "thread_id", "assistant_id", "model", "status")
    instants = ("created_at", "expires_at", "observed_at")
    return [
        {
            **{name: run[name] for name in names},
            **{name: None if run[name] is None else float(run[name]) for name in instants},
            "is_overdue": None if run["expires_at"] is None else run["expires_at"] < 1_790_000_000,
        }
        for run in tables["runs"]
        if run["status"] not in TERMINAL
    ]


def thread_activity(facts: Sequence[Row]) -> list[Row]:
    """Expected rows of the view `thread_activity`."""

    def summary(rows: list[Row]) -> Row:
        times, durations = _present(rows, "created_at"), _present(rows, "run_seconds")
        tokens = _present(rows, "total_tokens")
        return {
            "runs": len(rows),
            "open_runs": sum(not row["is_terminal"] for row in rows),
            "failures": sum(row["is_failure"] for row in rows),
            "assistants": len({row["assistant_id"] for row in rows} - {None}),
            "first_run_at": min(times, default=None),
            "last_run_at": max(times, default=None),
            "total_tokens": sum(tokens) if tokens else None,
            "run_seconds": math.fsum(durations) if durations else None,
        }

    return grouped_by(facts, lambda row: (row["source"], row["thread_id"]), ("source", "thread_id"), summary)


def tool_usage(tables: Tables, facts: Sequence[Row]) -> list[Row]:
    """Expected rows of the view `tool_usage`."""
    by_id = {row["run_id"]: row for row in facts}
    offered = {(tool["run_id"], tool["type"], tool.get("name")) for tool in tables["tools"]}
    rows = [{**by_id[run_id], "type": kind, "name": name} for run_id, kind, name in offered]

    def rate(some: list[Row]) -> tuple[int, float | None]:
        ended = sum(row["is_terminal"] for row in some)
        return ended, sum(row["is_failure"] for row in some) / ended if ended else None

    def summary(some: list[Row]) -> Row:
        ids = {row["run_id"] for row in some}
        ended, failure_rate = rate(some)
        others = [row for row in facts if row["model"] == some[0]["model"] and row["run_id"] not in ids]
        ended_without, failure_rate_without = rate(others)
        found: Row = {"runs": len(some), "assistants": len({row["assistant_id"] for row in some} - {None})}
        found |= {"terminal_runs": ended, "failure_rate": failure_rate}
        return {**found, "terminal_runs_without": ended_without, "failure_rate_without": failure_rate_without}

    return grouped_by(rows, lambda row: (row["type"], row["name"], row["model"]), ("type", "name", "model"), summary)


def tools_digest(tables: Tables, run_id: str) -> str | None:
    """The digest of a run's tools, whose descriptions, parameters and configurations are null."""
    parts: list[str] = []
    for tool in sorted((one for one in tables["tools"] if one["run_id"] == run_id), key=lambda one: one["position"]):
        strict = {None: "-", True: "true", False: "false"}[tool.get("strict")]
        texts = [tool["type"], tool.get("name"), None, None, None]
        parts.append("|".join([strict, *("-" if text is None else _md5(text) for text in texts)]))
    return _md5(",".join(parts)) if parts else None


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def gen_ai_runs(tables: Tables, facts: Sequence[Row]) -> list[Row]:
    """Expected rows of the view `gen_ai_runs`, with OpenTelemetry's attribute names."""
    runs = {run["run_id"]: run for run in tables["runs"]}
    written = {usage["run_id"]: usage["cache_write_tokens"] for usage in tables["usage"]}
    return [
        {
            "gen_ai_response_id": row["run_id"],
            "gen_ai_conversation_id": row["thread_id"],
            "gen_ai_provider_name": "openai",
            **_agent(row, runs[row["run_id"]]["assistant_version"]),
            "gen_ai_request_model": row["model"],
            "gen_ai_response_model": row["model"] if row["object"] == "response" else None,
            **{f"gen_ai_request_{name}": runs[row["run_id"]].get(name) for name in ("temperature", "top_p")},
            "gen_ai_request_max_tokens": runs[row["run_id"]].get("max_completion_tokens"),
            "gen_ai_usage_input_tokens": row["prompt_tokens"],
            "gen_ai_usage_output_tokens": row["completion_tokens"],
            "gen_ai_usage_cache_read_input_tokens": row["cached_prompt_tokens"],
            "gen_ai_usage_cache_creation_input_tokens": written.get(row["run_id"]),
            "gen_ai_usage_reasoning_output_tokens": row["reasoning_tokens"],
            "gen_ai_response_finish_reasons": (
                [row["incomplete_reason"] or row["status"]] if row["is_terminal"] else None
            ),
            "error_type": row["error_code"] or (row["status"] if row["is_failure"] else None),
            "start_time": row["created_at"] if row["started_at"] is None else row["started_at"],
            "end_time": row["finished_at"],
            "source": row["source"],
        }
        for row in facts
    ]


def _agent(row: Row, version: str | None) -> Row:
    """A run's agent is told by its id, a response's by its name; a response without one is a chat."""
    is_response = row["object"] == "response"
    return {
        "gen_ai_operation_name": "chat" if is_response and row["assistant_id"] is None else "invoke_agent",
        "gen_ai_agent_id": None if is_response else row["assistant_id"],
        "gen_ai_agent_name": row["assistant_id"] if is_response else None,
        "gen_ai_agent_version": version if is_response and row["assistant_id"] is not None else None,
    }


def data_freshness(tables: Tables) -> list[Row]:
    """Expected rows of the view `data_freshness`."""

    def summary(rows: list[Row]) -> Row:
        of_source = [load for load in tables["loads"] if load["source"] == rows[0]["source"]]
        last = max(of_source, key=lambda load: load["load_id"], default=None)
        return {
            "runs": len(rows),
            "open_runs": sum(row["status"] not in TERMINAL for row in rows),
            "last_created_at": max(map(float, _present(rows, "created_at")), default=None),
            "last_observed_at": max(map(float, _present(rows, "observed_at")), default=None),
            "last_load_at": None if last is None else float(last["started_at"]),
            "last_load_state": None if last is None else last["state"],
            "is_pulled": False,
            "last_pull_at": None,
        }

    return grouped_by(tables["runs"], lambda row: (row["source"],), ("source",), summary)


def load_history(tables: Tables) -> list[Row]:
    """Expected rows of the view `load_history`."""
    return [
        {
            **{name: float(value) if name.endswith("_at") else value for name, value in load.items()},
            "reject_rate": _share(load["rejected"], load["observations"] + load["rejected"]),
            "observations_per_second": load["observations"] / load["seconds"] if load["seconds"] else None,
        }
        for load in tables["loads"]
    ]


def reject_summary(tables: Tables) -> list[Row]:
    """Expected rows of the view `reject_summary`."""
    places = {"$": "$", "$.data[3].id": "$.data[].id", "$[12][0]": "$[][]", "$.a": "$.a"}

    def summary(rows: list[Row]) -> Row:
        loads = [row["load_id"] for row in rows]
        return {
            "rejects": sum(row["items"] for row in rows),
            "inputs": len({row["input"] for row in rows}),
            "first_load_id": min(loads),
            "last_load_id": max(loads),
            "last_observed_at": float(max(row["observed_at"] for row in rows)),
            "sample_input": min(row["input"] for row in rows),
        }

    names = ("source", "reason", "place")
    return grouped_by(
        tables["rejects"], lambda row: (row["source"], row["reason"], places[row["json_path"]]), names, summary
    )


def period_comparison(tables: Tables, facts: Sequence[Row]) -> list[Row]:
    """Expected rows of the view `period_comparison`; its statistical tests are scipy's."""
    newest = max(_present(facts, "created_at"))
    costs = {row["run_id"]: row["cost"] for row in run_costs(tables)}
    dated = [{**row, "cost": costs.get(row["run_id"])} for row in facts if row["created_at"] is not None]
    this = [row for row in dated if newest - row["created_at"] < WEEK]
    last = [row for row in dated if WEEK <= newest - row["created_at"] < 2 * WEEK]
    rows = [_measure("runs", [len(this), len(last)], [len(this), len(last)], len(this) + len(last))]
    ended: list[list[bool]] = [[bool(row["is_failure"]) for row in some if row["is_terminal"]] for some in (this, last)]
    if ended[0] or ended[1]:
        counts = [len(some) for some in ended]
        rates = [sum(some) / len(some) if some else None for some in ended]
        pooled = sum(map(sum, ended)) / sum(counts)
        variance = pooled * (1 - pooled) * (1 / counts[0] + 1 / counts[1]) if all(counts) else None
        rows.append(_measure("failure_rate", rates, counts, variance))
    timed = [[row for row in some if row["status"] == "completed"] for some in (this, last)]
    for name, pairs in (("run_seconds", timed), ("total_tokens", [this, last]), ("cost", [this, last])):
        values = [_present(some, name) for some in pairs]
        if values[0] or values[1]:
            means = [math.fsum(some) / len(some) if some else None for some in values]
            row = _measure(name, means, list(map(len, values)), None)
            if min(map(len, values)) > 1:
                row["z"] = float(stats.ttest_ind(*values, equal_var=False).statistic)
                row["is_significant"] = abs(row["z"]) > stats.norm.ppf(0.975)
            rows.append(row)
    return sorted(rows, key=lambda row: row["measure"])


def _measure(name: str, values: Sequence[Any], counts: Sequence[int], variance: float | None) -> Row:
    (this, last), (this_count, last_count) = values, counts
    difference = None if this is None or last is None else this - last
    z = difference / math.sqrt(variance) if difference is not None and variance else None
    return {
        "measure": name,
        "this_week": this,
        "last_week": last,
        "difference": difference,
        "this_count": this_count,
        "last_count": last_count,
        "z": z,
        "is_significant": None if z is None else abs(z) > stats.norm.ppf(0.975),
    }


def _present(rows: Sequence[Row], name: str) -> list[Any]:
    return [row[name] for row in rows if row[name] is not None]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
