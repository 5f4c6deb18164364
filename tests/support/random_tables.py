"""Random rows of all tables, with many nulls, for the tests of views."""

import json
import random
from typing import Any

from tests.support.recomputed_activity import random_bookkeeping
from tests.support.recomputed_costs import random_prices
from tests.support.recomputed_migration import random_deployments
from tests.support.recomputed_reconciliation import random_usage
from tests.support.recomputed_turns import random_responses

Row = dict[str, Any]

TERMINAL = ("completed", "failed", "cancelled", "expired", "incomplete")

BEGINNINGS = (1_700_000_000, 1_750_000_000, 1_770_000_000)

METADATA = (
    "{}",
    '{"team":"a","n":1}',
    '{"team":"b","nested":{"x":[1,"y"]},"none":null}',
    '{"team":"a","k/~ \\u00e9":"v \\"quoted\\""}',
    '{"flag":true}',
    # What is no object has no keys.
    *("null", '"team"', "7", '["team",{"team":"a"}]'),
)
ACTIONS = (
    '{"type":"submit_tool_outputs","submit_tool_outputs":{"tool_calls":[]}}',
    '{"type":"other"}',
    '{"type":"submit_tool_outputs","submit_tool_outputs":{"tool_calls":null}}',
    json.dumps(
        {
            "type": "submit_tool_outputs",
            "submit_tool_outputs": {
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
                    {"id": "call_2", "type": "function", "function": {"name": "g", "arguments": {"a": 1}}},
                    {"id": "call_3"},
                ]
            },
        }
    ),
    # What is not as it should be: no row where there is no call, and never an error.
    *("null", '"other"', "[1]", '{"submit_tool_outputs":"x"}', '{"submit_tool_outputs":{"tool_calls":{"id":"x"}}}'),
    '{"submit_tool_outputs":{"tool_calls":[null,1,"x",[{"id":"x"}],{},{"id":null,"function":null}]}}',
    '{"submit_tool_outputs":{"tool_calls":[{"id":"call_4","function":"f"},{"id":"call_5","function":["f"]}]}}',
    '{"submit_tool_outputs":{"tool_calls":[{"function":{"name":"h","arguments":"{"}}]}}',
)

GROWING = ("age_seconds", "unseen_seconds", "created_seconds_ago", "observed_seconds_ago", "pulled_seconds_ago")
"""Columns that depend on the moment of asking."""


_OF_RUN = dict.fromkeys(("assistant_version", "service_tier", "is_batch"))


def _of_response(random_: random.Random) -> Row:
    """Columns that only responses have; two of them decide about rates."""
    return {
        "assistant_version": random_.choice(("2", None)),
        "service_tier": random_.choice(("default", "auto", "flex", "priority", "fast", "scale", None)),
        "is_batch": random_.choice((None, False, True)),
    }


def random_tables(random_: random.Random, count: int) -> dict[str, list[Row]]:
    """Runs in every status with their child rows, with many nulls."""

    def maybe(value: Any, chance: float = 0.85) -> Any:
        return value if random_.random() < chance else None

    tables: dict[str, list[Row]] = {"runs": [], "usage": [], "tools": [], "errors": [], "steps": []}
    for number in range(count):
        of = random_.choice((None, "thread.run", "thread.run", "response", "response"))
        source = random_.choice((None, "collector", "collector_seconds", "header")) if of == "response" else None
        run_id, created_at = f"run_{number:05}", random_.choice(BEGINNINGS) + random_.randrange(1_500_000)
        tables["runs"].append(
            {
                "run_id": run_id,
                "object": of,
                "duration_seconds": round(random_.uniform(0, 30), 3) if source else None,
                "latency_source": source,
                **dict.fromkeys(("previous_run_id", "waits_for_client")),
                "thread_id": maybe(f"thread_{random_.randrange(30)}"),
                "temperature": maybe(0.5),
                "top_p": None,
                "instructions": maybe(random_.choice(("Be kind.", "Be brief."))),
                "metadata": maybe(random_.choice(METADATA)),
                "required_action": maybe(random_.choice(ACTIONS), 0.3),
                "max_completion_tokens": maybe(100),
                "observed_at": 1_800_000_001 + number,
                "source": random_.choice(("a", "b")),
                "status": random_.choice((*TERMINAL, "completed", "completed", "queued", "requires_action", "odd")),
                "model": maybe(random_.choice(("gpt-4o", "gpt-4", "o3-mini"))),
                "assistant_id": maybe(f"asst_{random_.randrange(8)}"),
                "created_at": maybe(created_at),
                "started_at": maybe(created_at + round(random_.uniform(-3, 30), 3), 0.85 if of != "response" else 0),
                "completed_at": maybe(created_at + random_.randrange(90), 0.7),
                "failed_at": maybe(created_at + random_.randrange(90), 0.5),
                "cancelled_at": maybe(created_at + random_.randrange(90), 0.3),
                "expires_at": maybe(created_at + 600),
            }
        )
        tables["runs"][-1] |= _of_response(random_) if of == "response" else _OF_RUN
        if random_.random() < 0.8:
            prompt, completion = random_.randrange(5000), random_.randrange(900)
            tables["usage"].append(
                {
                    "run_id": run_id,
                    "prompt_tokens": maybe(prompt, 0.95),
                    "cached_prompt_tokens": maybe(random_.randrange(prompt + 1), 0.5),
                    "cache_write_tokens": maybe(random_.randrange(prompt // 3 + 1), 0.3),
                    "completion_tokens": maybe(completion, 0.95),
                    "reported_cost": maybe(random_.randrange(99) / 64, 0.2),
                    "reported_cost_currency": random_.choice(("USD", None)),
                    "reasoning_tokens": maybe(completion // 2, 0.3),
                    "total_tokens": maybe(prompt + completion, 0.95),
                }
            )
        for position in range(random_.choice((0, 0, 1, 3))):
            name = random_.choice((None, "look_up", "add"))
            tool = {"run_id": run_id, "position": position, "type": "function", "name": name}
            tables["tools"].append({**tool, "strict": random_.choice((None, False, True))})
        for place in range(random_.choice((0, 1, 2))):
            ended = random_.choice(("completed", "completed", "failed", "in_progress"))
            tables["steps"].append(
                {
                    "step_id": f"step_{number}_{place}",
                    "run_id": maybe(run_id, 0.95),
                    "type": random_.choice(("message_creation", "tool_calls", None)),
                    "status": ended,
                    "created_at": maybe(created_at),
                    "completed_at": maybe(created_at + round(random_.uniform(-1, 30), 3)),
                    "tool_calls": maybe(random_.randrange(4), 0.5),
                    "position": None,
                    "name": None,
                }
            )
        for position in range(random_.choice((0, 0, 0, 4))):
            kind = random_.choice(("message", "web_search_call", "odd_call", "free_call", "function_call"))
            step: Row = {"step_id": f"{run_id}/{position}", "run_id": run_id, "type": kind, "status": "completed"}
            step |= {"name": random_.choice((None, "search", "open_page")), "position": position}
            tables["steps"].append(step | dict.fromkeys(("created_at", "completed_at", "tool_calls")))
        for kind in ("last_error", "incomplete_details"):
            if random_.random() < 0.2:
                tables["errors"].append({"run_id": run_id, "kind": kind, "code": random_.choice(("x", "y", None))})
                tables["errors"][-1]["message"] = random_.choice(("Sorry.", "Slow down.", None))
    _add_responses(random_, tables, count // 2)
    others = random_prices(random_) | random_bookkeeping(random_) | random_usage(random_, BEGINNINGS)
    return tables | others | random_deployments()


def _add_responses(random_: random.Random, tables: dict[str, list[Row]], count: int) -> None:
    """Add linked responses, in the order of their ids, with tokens and an item each."""
    responses = random_responses(random_, count)
    tables["runs"] = [run | _of_response(random_) for run in responses] + tables["runs"]
    no_tokens = ("cached_prompt_tokens", "reasoning_tokens", "total_tokens", "reported_cost", "reported_cost_currency")
    for run in responses:
        run_id = run["run_id"]
        if random_.random() < 0.8:
            tokens = {"prompt_tokens": 100, "completion_tokens": random_.randrange(90)}
            written = random_.choice((None, 7))
            tables["usage"].append(
                {**dict.fromkeys(no_tokens), "run_id": run_id, **tokens, "cache_write_tokens": written}
            )
        kind = random_.choice(("function_call", "message", "mcp_call"))
        item: Row = {"step_id": f"{run_id}/0", "run_id": run_id, "type": kind, "status": "completed", "position": 0}
        no_item = ("name", "created_at", "completed_at", "tool_calls")
        tables["steps"].append({**dict.fromkeys(no_item), **item})
