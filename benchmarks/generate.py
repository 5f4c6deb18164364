"""Makes realistic ListRuns pages: the same seed and numbers give the same bytes.

Proportions (statuses, lifecycles, tool lists, instructions, metadata, usage with details) are meant to be believable;
a run takes about 2 KB, as recorded ones with instructions and function tools do.
"""

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STATUSES = (
    "completed",
    "failed",
    "expired",
    "cancelled",
    "incomplete",
    "requires_action",
    "in_progress",
    "queued",
)
WEIGHTS = (860, 50, 20, 20, 20, 10, 10, 10)
MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-4-turbo", "gpt-3.5-turbo", "o3-mini", "gpt-4.1")
TEXT = """You help customers of a shop answer politely in their language use the tools for orders refunds and stock
never invent a price ask back when an order number is missing keep to the policy and sum up at the end"""
WORDS = TEXT.split()
FIRST_CREATED_AT = 1_722_470_400  # 2024-08-01
PAGE_RUNS = 100


def assistants(random_: random.Random, count: int) -> list[dict[str, Any]]:
    """What the runs of each assistant have in common."""
    return [
        {
            "assistant_id": f"asst_{random_.getrandbits(96):024x}",
            "model": random_.choice(MODELS),
            "instructions": " ".join(random_.choices(WORDS, k=random_.randint(20, 120))),
            "tools": [_tool(random_, number) for number in range(random_.choice((0, 1, 1, 2, 3)))],
        }
        for _ in range(count)
    ]


def _tool(random_: random.Random, number: int) -> dict[str, Any]:
    if random_.random() < 0.25:
        return {"type": random_.choice(("code_interpreter", "file_search"))}
    properties = {
        name: {"type": "string", "description": " ".join(random_.choices(WORDS, k=6))}
        for name in random_.sample(("order_id", "customer", "city", "date", "amount", "reason"), 3)
    }
    function = {
        "name": f"look_up_{number}_{random_.choice(WORDS)}",
        "description": " ".join(random_.choices(WORDS, k=12)),
        "strict": random_.random() < 0.5,
        "parameters": {"type": "object", "properties": properties, "required": sorted(properties)},
    }
    return {"type": "function", "function": function}


def runs(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """`count` runs, oldest first."""
    random_ = random.Random(seed)
    known = assistants(random_, 200)
    for number in range(count):
        yield _run(random_, known[int(random_.paretovariate(0.6)) % len(known)], FIRST_CREATED_AT + number * 15)


def _run(random_: random.Random, assistant: dict[str, Any], created_at: int) -> dict[str, Any]:
    status = random_.choices(STATUSES, WEIGHTS)[0]
    started_at = None if status == "queued" else created_at + int(random_.expovariate(0.5))
    ended_at = created_at + int(random_.lognormvariate(2.2, 0.8)) + 2
    prompt, completion = int(random_.lognormvariate(7, 1)), int(random_.lognormvariate(5, 1))
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_token_details": {"cached_tokens": prompt // 2 // 128 * 128},
        "completion_tokens_details": {"reasoning_tokens": completion // 3 if assistant["model"] == "o3-mini" else 0},
    }
    return {
        "id": f"run_{random_.getrandbits(96):024x}",
        "object": "thread.run",
        "created_at": created_at,
        "assistant_id": assistant["assistant_id"],
        "thread_id": f"thread_{random_.getrandbits(96):024x}",
        "status": status,
        "started_at": started_at,
        "expires_at": created_at + 600,
        "cancelled_at": ended_at if status == "cancelled" else None,
        "failed_at": ended_at if status == "failed" else None,
        "completed_at": ended_at if status in {"completed", "incomplete"} else None,
        "required_action": _required_action(random_) if status == "requires_action" else None,
        "last_error": {"code": "rate_limit_exceeded", "message": "Rate limit reached."} if status == "failed" else None,
        "model": assistant["model"],
        "instructions": assistant["instructions"],
        "tools": assistant["tools"],
        "tool_resources": {"code_interpreter": {"file_ids": []}},
        "metadata": {
            "customer": f"c{random_.randrange(10_000)}",
            "channel": random_.choice(("web", "mail", "app")),
        },
        "temperature": 1.0,
        "top_p": 1.0,
        "max_completion_tokens": None,
        "max_prompt_tokens": None,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "incomplete_details": {"reason": "max_completion_tokens"} if status == "incomplete" else None,
        "usage": usage if status in {"completed", "incomplete", "failed"} else None,
        "response_format": "auto",
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    }


def _required_action(random_: random.Random) -> dict[str, Any]:
    function = {
        "name": "look_up_0_order",
        "arguments": json.dumps({"order_id": str(random_.randrange(10**6))}),
    }
    call = {"id": f"call_{random_.getrandbits(96):024x}", "type": "function", "function": function}
    return {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [call]}}


def page(data: list[dict[str, Any]]) -> dict[str, Any]:
    """A page as the API answers it."""
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"],
        "last_id": data[-1]["id"],
        "has_more": True,
    }


def write_pages(folder: Path, count: int, seed: int = 1, page_runs: int = PAGE_RUNS) -> None:
    """Write `count` runs as page files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    data: list[dict[str, Any]] = []
    for number, run in enumerate(runs(count, seed), 1):
        data.append(run)
        if len(data) == page_runs or number == count:
            text = json.dumps(page(data), separators=(",", ":"))
            (folder / f"page-{number // page_runs:06d}.json").write_text(text)
            data = []


def main() -> None:
    """Command line: FOLDER COUNT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--page", type=int, default=PAGE_RUNS, help="runs per page")
    arguments = parser.parse_args()
    write_pages(arguments.folder, arguments.count, arguments.seed, arguments.page)


if __name__ == "__main__":
    main()
