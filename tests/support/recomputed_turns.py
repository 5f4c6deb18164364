"""Turns, in plain Python, one response at a time."""

import random
from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]
Tables = dict[str, list[Row]]

MOST_SERIOUS = ("failed", "expired", "incomplete", "cancelled", "open", "completed")
ENDED = ("failed", "expired", "incomplete", "cancelled", "completed")
FAILURES = ("failed", "expired", "incomplete")
TOKENS = (
    *("prompt_tokens", "cached_prompt_tokens", "cache_write_tokens", "completion_tokens", "reasoning_tokens"),
    "total_tokens",
)


def random_responses(random_: random.Random, count: int) -> list[Row]:
    """Responses in chains, branches and circles, by previous response and by conversation, in two sources."""
    rows: list[Row] = []
    for number, second in enumerate(random_.sample(range(2 * count), count)):
        assistant_id = random_.choice((None, "agent_1", "agent_2"))
        # Several in the same second, but not of the same assistant, whose changes have no order then.
        created_at = 1_770_000_000 + (second if assistant_id else second // 5 * 5)
        others = [f"resp_{random_.randrange(count):05}", f"resp_{max(0, number - 1):05}", None, None, "resp_gone"]
        seconds = random_.choice((None, None, random_.randrange(9000) / 1000))
        rows.append(
            {
                "run_id": f"resp_{number:05}",
                "object": "response",
                "source": random_.choice(("a", "a", "b")),
                "status": random_.choice(("completed", "completed", "completed", "failed", "incomplete", "queued")),
                "previous_run_id": random_.choice(others),
                "thread_id": random_.choice((None, None, f"conv_{random_.randrange(1 + count // 4)}")),
                "waits_for_client": random_.choice((None, False, True, True)),
                "assistant_id": assistant_id,
                "assistant_version": random_.choice((None, "1")),
                "model": random_.choice((None, "gpt-4o", "gpt-4")),
                "metadata": random_.choice((None, '{"team":"a"}', '{"team":"b"}')),
                "instructions": random_.choice((None, "Be  kind.\n", "Be brief.")),
                "created_at": random_.choice((None, *[created_at] * 9)),
                "completed_at": random_.choice((None, created_at + random_.randrange(9))),
                "duration_seconds": seconds,
                "latency_source": None if seconds is None else "collector",
                "observed_at": 1_800_000_001 + number,
                **dict.fromkeys(("started_at", "expires_at", "failed_at", "cancelled_at", "required_action")),
                **dict.fromkeys(("temperature", "top_p", "max_completion_tokens")),
            }
        )
    return rows


def turn_runs(tables: Tables) -> list[Row]:
    """Expected rows of the view `turn_runs`."""
    responses = {run["run_id"]: run for run in tables["runs"] if run.get("object") == "response"}
    links = _links(responses)
    followed = {predecessor for predecessor, _ in links.values()}
    roots = {run_id: _root(run_id, links) for run_id in responses}
    created = {run["run_id"]: run["created_at"] for run in tables["runs"]}
    rows: list[Row] = []
    for run in tables["runs"]:
        run_id, previous = run["run_id"], run.get("previous_run_id")
        root = roots.get(run_id)
        is_response = run_id in responses
        link = links.get(run_id, (None, None)) if root is not None else (None, None)
        is_head = root == run_id and run_id in followed
        is_known = previous in responses and responses[previous]["source"] == run["source"]
        waits = bool(run.get("waits_for_client")) and run_id not in followed
        rows.append(
            {
                "run_id": run_id,
                "turn_id": root or run_id,
                "source": run["source"],
                "object": run.get("object"),
                "predecessor_id": link[0],
                "linked_by": link[1],
                "is_linked": is_response and (link[0] is not None or is_head),
                "is_answered": run_id in followed,
                "is_predecessor_missing": is_response and previous is not None and not is_known,
                "turn_created_at": _instant(created.get(root or run_id)),
                "is_waiting": waits if is_response else run["status"] == "requires_action",
            }
        )
    return rows


def _instant(created_at: float | None) -> float | None:
    return None if created_at is None else float(created_at)


def _links(responses: dict[str, Row]) -> dict[str, tuple[str, str]]:
    """The response that each one answers, and how that is known."""
    found: dict[str, tuple[str, str]] = {}
    for run_id, run in responses.items():
        previous = responses.get(run["previous_run_id"] or "")
        if previous is not None and previous["source"] == run["source"] and previous["run_id"] != run_id:
            if previous["waits_for_client"]:
                found[run_id] = previous["run_id"], "previous_response"
        elif run["previous_run_id"] is None and run["thread_id"] is not None and run["created_at"] is not None:
            earlier = [
                one
                for one in responses.values()
                if (one["source"], one["thread_id"]) == (run["source"], run["thread_id"])
                and one["created_at"] is not None
                and _place(one) < _place(run)
            ]
            last = max(earlier, key=_place, default=None)
            if last is not None and last["waits_for_client"]:
                found[run_id] = last["run_id"], "conversation"
    return found


def _place(run: Row) -> tuple[Any, ...]:
    return run["created_at"], not run["waits_for_client"], run["run_id"]


def _root(run_id: str, links: dict[str, tuple[str, str]]) -> str | None:
    """The first of a chain; None where it ends in a circle."""
    seen: set[str] = set()
    while run_id in links:
        if run_id in seen:
            return None
        seen.add(run_id)
        run_id = links[run_id][0]
    return run_id


def turns(tables: Tables, facts: Sequence[Row], costs: Sequence[Row]) -> list[Row]:
    """Expected rows of the view `turns`."""
    runs = {run["run_id"]: run for run in tables["runs"]}
    times, usage = ({row["run_id"]: row for row in rows} for rows in (facts, tables["usage"]))
    priced = {row["run_id"]: row for row in costs if row["cost"] is not None}
    calls = tool_calls(tables)
    members: dict[str, list[Row]] = {}
    for row in turn_runs(tables):
        members.setdefault(row["turn_id"], []).append(row)
    return [
        {**_turn(some, runs, times, usage, priced), "tool_calls": calls.get(turn_id)}
        for turn_id, some in sorted(members.items())
    ]


def tool_calls(tables: Tables) -> dict[str, int]:
    """The tool calls of each turn whose steps are known."""
    turn_of = {row["run_id"]: row["turn_id"] for row in turn_runs(tables)}
    found: dict[str, int] = {}
    for step in tables["steps"]:
        if step["run_id"] in turn_of:
            is_call = (step["type"] or "").endswith("_call")
            turn_id = turn_of[step["run_id"]]
            found[turn_id] = found.get(turn_id, 0) + (1 if is_call else step["tool_calls"] or 0)
    return found


def _turn(
    members: list[Row],
    runs: dict[str, Row],
    times: dict[str, Row],
    usage: dict[str, Row],
    priced: dict[str, Row],
) -> Row:
    ids = [row["run_id"] for row in members]
    [head] = [row for row in members if row["run_id"] == row["turn_id"]]
    first, is_response = runs[head["run_id"]], head["object"] == "response"
    is_chain = len(members) > 1
    last = [row["run_id"] for row in members if not (is_chain and row["is_answered"])]
    ranked = [(_rank(status), status) for status in (_status(row, runs[row["run_id"]]) for row in members)]
    status = min(ranked)[1]
    ended = status in ENDED
    spans = [_span(runs[one], times[one], head) for one in last]
    ends = [times[one]["finished_at"] for one in last]
    reported = [usage[one] for one in ids if one in usage]
    known_costs = [priced[one] for one in ids if one in priced]
    is_priced = len(known_costs) == len(ids) and len({row["currency"] for row in known_costs}) == 1
    seconds = max(span for span in spans if span is not None) if ended and None not in spans else None
    seconds = None if seconds is None or seconds < 0 else seconds
    how = sorted({row["linked_by"] for row in members if row["linked_by"]})
    answered = [row["predecessor_id"] for row in members if row["predecessor_id"]]
    all_ends = [times[one]["finished_at"] for one in ids if times[one]["finished_at"] is not None]
    is_measured = not is_chain and first.get("latency_source") in {"collector", "header"}
    return {
        **{name: first.get(name) for name in ("source", "object", "thread_id", "assistant_id", "assistant_version")},
        **{name: first.get(name) for name in ("model", "metadata")},
        "turn_id": head["run_id"],
        "has_several_models": len({runs[one]["model"] for one in ids} - {None}) > 1,
        "status": status,
        "is_terminal": ended,
        "is_failure": status in FAILURES,
        "is_waiting": any(row["is_waiting"] for row in members),
        "linked_by": None if not is_response else "none" if not how else how[0] if len(how) == 1 else "both",
        "is_predecessor_missing": head["is_predecessor_missing"],
        "runs": len(ids),
        "model_calls": len(ids) if is_response else None,
        "branches": len(answered) - len(set(answered)),
        "runs_with_usage": len(reported),
        **{name: total([row.get(name) for row in reported]) for name in TOKENS},
        "is_priced": is_priced,
        "currency": known_costs[0]["currency"] if is_priced else None,
        "cost": sum(row["cost"] for row in known_costs) if is_priced else None,
        "created_at": head["turn_created_at"],
        "finished_at": max(all_ends) if ended and None not in ends else None,
        "turn_seconds": seconds,
        "resolution_seconds": None if seconds is None else 0.001 if is_measured else 1.0,
    }


def _status(row: Row, run: Row) -> str:
    return "requires_action" if row["is_waiting"] and run["status"] == "completed" else run["status"]


def _rank(status: str) -> int:
    return MOST_SERIOUS.index(status if status in ENDED else "open")


def _span(run: Row, times: Row, head: Row) -> float | None:
    """Seconds from the creation of the first of a turn to the end of a run."""
    own = run.get("duration_seconds")
    own = times["total_seconds"] if own is None else own
    if run["run_id"] == head["run_id"] or own is None:
        return own
    if run["created_at"] is None or head["turn_created_at"] is None:
        return None
    return run["created_at"] - head["turn_created_at"] + own


def total(values: Sequence[int | None]) -> int | None:
    """The sum of the values that are not null; None without any."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None
