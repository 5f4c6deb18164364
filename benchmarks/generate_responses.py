"""Generates realistic responses of the Responses API: the same seed and counts give the same bytes.

They are those of the assistants of `generate`, after a migration: instructions and tools are the same. A quarter ends
in a call of a function; a response takes about 2.6 KB with its output.
"""

import json
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from generate import ASSISTANTS, FIRST_CREATED_AT, SECONDS_BETWEEN, WORDS, Assistant, assistants

STATUSES = ("completed", "incomplete", "failed", "in_progress")
WEIGHTS = (940, 30, 20, 10)


class Agent(NamedTuple):
    """The fields that all responses of an assistant share, as JSON: members of the response, behind a comma."""

    model: str
    shared: str


def _agent(assistant: Assistant) -> Agent:
    known: dict[str, Any] = json.loads(f"{{{assistant.shared[1:]}}}")
    tools = [{"type": "function", **tool["function"]} for tool in known["tools"] if "function" in tool]
    shared = {
        "model": known["model"],
        "instructions": known["instructions"],
        "tools": tools,
        "tool_choice": "auto",
        "temperature": known["temperature"],
        "top_p": 1.0,
        "max_output_tokens": known["max_completion_tokens"],
        "truncation": "disabled",
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "reasoning": {"effort": known["reasoning_effort"], "summary": None},
        "parallel_tool_calls": True,
        "background": False,
        "service_tier": "default",
        "store": True,
        "agent_reference": {"type": "agent_reference", "name": assistant.assistant_id[5:17], "version": "3"},
        "user": None,
    }
    return Agent(known["model"], "," + json.dumps(shared, separators=(",", ":"), ensure_ascii=False)[1:-1])


def responses(count: int, seed: int = 1) -> Iterator[str]:
    """The JSON of `count` responses, oldest first."""
    agents = [_agent(one) for one in assistants(random.Random(1), ASSISTANTS)]
    random_ = random.Random(f"{seed} responses")
    for number in range(count):
        agent = agents[int(random_.paretovariate(0.6)) % len(agents)]
        yield _response(random_, agent, FIRST_CREATED_AT + number * SECONDS_BETWEEN)


def _response(random_: random.Random, agent: Agent, created_at: int) -> str:
    status = random_.choices(STATUSES, WEIGHTS)[0]
    completed_at = created_at + int(random_.lognormvariate(1.2, 0.8)) + 1 if status == "completed" else "null"
    error = '{"code":"server_error","message":"Sorry, something went wrong."}' if status == "failed" else "null"
    details = '{"reason":"max_output_tokens"}' if status == "incomplete" else "null"
    return (
        f'{{"id":"resp_{random_.getrandbits(192):048x}","object":"response","created_at":{created_at}'
        f',"status":"{status}","completed_at":{completed_at},"error":{error},"incomplete_details":{details}'
        f',"previous_response_id":null,"conversation":{{"id":"conv_{random_.getrandbits(96):024x}"}}'
        f',"metadata":{{"customer":"c{random_.randrange(100_000)}"}}'
        f',"output":{_output(random_) if status != "in_progress" else "[]"}'
        f',"usage":{_usage(random_) if status != "in_progress" else "null"}{agent.shared}}}'
    )


def _output(random_: random.Random) -> str:
    items: list[dict[str, Any]] = [{"id": f"rs_{random_.getrandbits(96):024x}", "type": "reasoning", "summary": []}]
    if random_.random() < 0.25:
        call = {"type": "function_call", "status": "completed", "call_id": f"call_{random_.getrandbits(96):024x}"}
        arguments = json.dumps({"order_id": str(random_.randrange(10**6))})
        items.append({"id": f"fc_{random_.getrandbits(96):024x}", **call, "name": "look_up", "arguments": arguments})
    else:
        text = " ".join(random_.choices(WORDS, k=random_.randint(20, 120)))
        content: list[dict[str, Any]] = [{"type": "output_text", "annotations": [], "logprobs": [], "text": text}]
        message: dict[str, Any] = {"type": "message", "status": "completed", "role": "assistant", "content": content}
        items.append({"id": f"msg_{random_.getrandbits(96):024x}", **message})
    return json.dumps(items, separators=(",", ":"))


def _usage(random_: random.Random) -> str:
    prompt, completion = int(random_.lognormvariate(7, 1)), int(random_.lognormvariate(5, 1))
    return (
        f'{{"input_tokens":{prompt},"input_tokens_details":{{"cached_tokens":{prompt // 2 // 128 * 128}}}'
        f',"output_tokens":{completion},"output_tokens_details":{{"reasoning_tokens":{completion // 3}}}'
        f',"total_tokens":{prompt + completion}}}'
    )
