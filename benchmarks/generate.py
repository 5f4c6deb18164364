"""Generates realistic ListRuns pages: the same seed and counts give the same bytes.

Proportions (statuses, lifecycles, tool lists, instructions, metadata, usage with details) are meant to be believable; a
run takes about 2.2 KB, as recorded ones with instructions and function tools do. What the runs of an assistant have in
common is written once and repeated, so that millions of runs take minutes.
"""

import argparse
import json
import random
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

STATUSES = ("completed", "failed", "expired", "cancelled", "incomplete", "requires_action", "in_progress", "queued")
WEIGHTS = (860, 50, 20, 20, 20, 10, 10, 10)
OPEN = frozenset({"requires_action", "in_progress", "queued"})
MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-4-turbo", "gpt-3.5-turbo", "o3-mini", "gpt-4.1")
ERRORS = (
    ("rate_limit_exceeded", "Rate limit reached for the model. Try again in 20 s."),
    ("server_error", "Sorry, something went wrong."),
    ("invalid_prompt", 'The prompt was refused: it names "a person".'),
)
TEXT = """You help customers of a shop answer politely in their language use the tools for orders refunds and stock
never invent a price ask back when an order number is missing keep to the policy and sum up at the end"""
WORDS = TEXT.split()
ACCENTED = ("é", "für", "señor", "größe", "漢字", "naïve")
FIRST_CREATED_AT = 1_722_470_400  # 2024-08-01
SECONDS_BETWEEN = 15
PAGE_RUNS = 100
ASSISTANTS = 200


class Assistant(NamedTuple):
    """The fields that all runs of an assistant share, as JSON."""

    assistant_id: str
    model: str
    is_reasoning: bool
    shared: str
    """Model, instructions, tools, settings: members of the run, behind a comma."""


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def assistants(random_: random.Random, count: int) -> list[Assistant]:
    """Assistants with different instructions and tools."""
    return [_assistant(random_) for _ in range(count)]


def _assistant(random_: random.Random) -> Assistant:
    model = random_.choice(MODELS)
    sentences = [" ".join(random_.choices(WORDS, k=random_.randint(5, 14))) for _ in range(random_.randint(2, 15))]
    if random_.random() < 0.15:
        sentences.append(" ".join(random_.choices(ACCENTED, k=5)))
    instructions = 'Rules:\n- "' + '"\n- '.join(sentences)
    shared = {
        "model": model,
        "instructions": instructions,
        "tools": [_tool(random_, number) for number in range(random_.choice((0, 1, 1, 2, 2, 3, 4)))],
        "tool_resources": {"code_interpreter": {"file_ids": []}},
        "temperature": random_.choice((1.0, 1.0, 0.2, 0.7)),
        "top_p": 1.0,
        "max_completion_tokens": random_.choice((None, None, 4096)),
        "max_prompt_tokens": None,
        "truncation_strategy": random_.choice(
            ({"type": "auto", "last_messages": None}, {"type": "last_messages", "last_messages": 10})
        ),
        "response_format": _response_format() if random_.random() < 0.1 else "auto",
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning_effort": "medium" if model == "o3-mini" else None,
    }
    return Assistant(f"asst_{random_.getrandbits(96):024x}", model, model == "o3-mini", "," + _json(shared)[1:-1])


def _response_format() -> dict[str, Any]:
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


def _tool(random_: random.Random, number: int) -> dict[str, Any]:
    kind = random_.random()
    if kind < 0.15:
        return {"type": "code_interpreter"}
    if kind < 0.3:
        ranking = {"ranker": "default_2024_08_21", "score_threshold": 0.0}
        return {"type": "file_search", "file_search": {"max_num_results": 20, "ranking_options": ranking}}
    properties = {
        name: {"type": "string", "description": " ".join(random_.choices(WORDS, k=8))}
        for name in random_.sample(("order_id", "customer", "city", "date", "amount", "reason"), random_.randint(1, 5))
    }
    function = {
        "name": f"look_up_{number}_{random_.choice(WORDS)}",
        "description": " ".join(random_.choices(WORDS, k=14)) + ".",
        "parameters": {
            "type": "object",
            "properties": properties,
            "required": sorted(properties),
            "additionalProperties": False,
        },
        "strict": random_.random() < 0.5,
    }
    return {"type": "function", "function": function}


class Life(NamedTuple):
    """The lifecycle of a run."""

    status: str
    created_at: int
    started_at: int | None
    ended_at: int


def runs(count: int, seed: int = 1, first: int = 0, again: float = 0.0) -> Iterator[str]:
    """The JSON of observations of `count` runs, oldest first.

    Args:
        count: How many runs.
        seed: Other seeds give other runs of the same assistants.
        first: How many runs came before: in time, these follow them.
        again: The share of open runs that is seen once more, after it has ended; 0 to 1.
    """
    known = assistants(random.Random(1), ASSISTANTS)
    random_ = random.Random(f"{seed} {first}")
    seen_again: list[str] = []
    for number in range(first, first + count):
        assistant = known[int(random_.paretovariate(0.6)) % len(known)]
        life = _life(random_, FIRST_CREATED_AT + number * SECONDS_BETWEEN)
        run_id, thread_id = f"run_{random_.getrandbits(96):024x}", f"thread_{random_.getrandbits(96):024x}"
        yield _run(random_, assistant, life, run_id, thread_id)
        if life.status in OPEN and random_.random() < again:
            ended = life._replace(status="completed", started_at=life.started_at or life.created_at + 1)
            seen_again.append(_run(random_, assistant, ended, run_id, thread_id))
        if len(seen_again) >= PAGE_RUNS:
            yield from seen_again
            seen_again = []
    yield from seen_again


def _life(random_: random.Random, created_at: int) -> Life:
    status = random_.choices(STATUSES, WEIGHTS)[0]
    started_at = None if status == "queued" else created_at + int(random_.expovariate(0.5))
    return Life(status, created_at, started_at, created_at + int(random_.lognormvariate(2.2, 0.8)) + 2)


def _run(random_: random.Random, assistant: Assistant, life: Life, run_id: str, thread_id: str) -> str:
    status, created_at, started_at, ended_at = life
    action = _required_action(random_) if status == "requires_action" else "null"
    error = "null"
    if status == "failed":
        code, message = random_.choice(ERRORS)
        error = _json({"code": code, "message": message})
    details = '{"reason":"max_completion_tokens"}' if status == "incomplete" else "null"
    usage = _usage(random_, assistant) if status in {"completed", "incomplete", "failed"} else "null"
    return (
        f'{{"id":"{run_id}","object":"thread.run","created_at":{created_at}'
        f',"assistant_id":"{assistant.assistant_id}","thread_id":"{thread_id}","status":"{status}"'
        f',"started_at":{_or_null(started_at)},"expires_at":{created_at + 600 if status in OPEN else "null"}'
        f',"cancelled_at":{ended_at if status == "cancelled" else "null"}'
        f',"failed_at":{ended_at if status == "failed" else "null"}'
        f',"completed_at":{ended_at if status in {"completed", "incomplete"} else "null"}'
        f',"required_action":{action},"last_error":{error},"incomplete_details":{details}'
        f',"metadata":{_metadata(random_)},"usage":{usage}{assistant.shared}}}'
    )


def _or_null(value: int | None) -> int | str:
    return "null" if value is None else value


def _metadata(random_: random.Random) -> str:
    members = (
        f'"customer":"c{random_.randrange(100_000)}"',
        f'"channel":"{random_.choice(("web", "mail", "app"))}"',
        f'"trace_id":"{random_.getrandbits(64):016x}"',
        f'"batch":"{random_.randrange(50)}"',
    )
    return "{" + ",".join(members[: random_.choice((0, 2, 2, 3, 4))]) + "}"


def _usage(random_: random.Random, assistant: Assistant) -> str:
    prompt, completion = int(random_.lognormvariate(7, 1)), int(random_.lognormvariate(5, 1))
    cached = prompt // 2 // 128 * 128
    reasoning = completion // 3 if assistant.is_reasoning else 0
    return (
        f'{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{prompt + completion}'
        f',"prompt_token_details":{{"cached_tokens":{cached}}}'
        f',"completion_tokens_details":{{"reasoning_tokens":{reasoning}}}}}'
    )


def _required_action(random_: random.Random) -> str:
    arguments = json.dumps({"order_id": str(random_.randrange(10**6))})
    call = {"id": f"call_{random_.getrandbits(96):024x}", "type": "function"}
    function = {"name": "look_up_0_order", "arguments": arguments}
    calls = [{**call, "function": function}]
    return _json({"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": calls}})


def page(data: list[str]) -> str:
    """A page as the API answers it."""
    first, last = data[0][7:35], data[-1][7:35]
    return f'{{"object":"list","data":[{",".join(data)}],"first_id":"{first}","last_id":"{last}","has_more":true}}'


def write_pages(folder: Path, found: Iterable[str], page_runs: int = PAGE_RUNS) -> None:
    """Write runs as page files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    found, number = iter(found), 0
    while data := list(islice(found, page_runs)):
        number += 1
        (folder / f"page-{number:06d}.json").write_text(page(data), encoding="utf-8")


def write_lines(path: Path, found: Iterable[str]) -> None:
    """Write runs as JSON Lines."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(run + "\n" for run in found)


def main() -> None:
    """Command line: FOLDER COUNT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path, help="a folder for pages, or a file for JSON Lines")
    parser.add_argument("count", type=int, help="runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--page", type=int, default=PAGE_RUNS, help="runs per page")
    parser.add_argument("--first", type=int, default=0, help="runs that came before")
    parser.add_argument("--again", type=float, default=0.0, help="share of open runs that is seen again, ended")
    parser.add_argument("--lines", action="store_true", help="one file of JSON Lines")
    arguments = parser.parse_args()
    found = runs(arguments.count, arguments.seed, arguments.first, arguments.again)
    if arguments.lines:
        write_lines(arguments.target, found)
    else:
        write_pages(arguments.target, found, arguments.page)


if __name__ == "__main__":
    main()
