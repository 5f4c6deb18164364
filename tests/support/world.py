"""The world of the test server: threads whose runs advance, and faults that are set by tests."""

import random
import time
from collections import Counter
from itertools import count
from typing import Any, Literal

import msgspec

Run = dict[str, Any]
Cursor = Literal["behind", "later", "by time", "ignored"]
"""What `after` asks for: the items behind it; those created later, whatever the order; those created later in the
order; nothing."""

ENDS = ("completed", "completed", "completed", "failed", "cancelled", "expired", "incomplete")
_TOOLS: list[Run] = [
    {"type": "code_interpreter"},
    {"type": "function", "function": {"name": "look_up", "description": "Look something up", "parameters": {}}},
]


class Settings(msgspec.Struct):
    """Behaviour of the server; shares are probabilities from 0 to 1."""

    seed: int = 0
    advance_every: int = 0
    """Requests after which something happens in the world; 0 for never."""
    page_cap: int = 100
    throttled: float = 0.0
    retry_after: str = "0"
    """Seconds, or `date`."""
    storm: int = 0
    """The number of requests that are throttled from now on."""
    storm_status: int = 429
    broken: float = 0.0
    reset: float = 0.0
    slow: float = 0.0
    truncated: float = 0.0
    lying_has_more: float = 0.0
    """`has_more` is false though more is to come."""
    always_more: bool = False
    """`has_more` is true though nothing is to come."""
    repeated: float = 0.0
    """The first page comes instead of the one that was asked for."""
    after: Cursor = "behind"
    """What `after` means."""
    ascending: bool = False
    """`order` is ignored."""
    bare: bool = False
    """Lists are bare arrays, without paging."""
    skew_seconds: float = 0.0
    """Runs of a thread are dated by clocks that differ so much; the list is ordered by these dates."""
    clock_offset: float = 0.0
    """Of the `Date` header."""
    redirect_to: str = ""
    redirected: list[str] = []
    """The threads that are redirected; all requests when there are none."""
    refusal: str = ""
    """The body of the answer to all requests, with `GIVEN` for the key that was given."""
    refusal_status: int = 400
    refuses_list: bool = True
    """Whether the list of threads is refused too."""
    missing: list[str] = []
    forbidden: list[str] = []
    malformed: list[str] = []
    """Threads."""
    spent: bool = False
    """The headers say that no request is left for 0.3 s."""
    delay_seconds: float = 0.0
    lists_threads: bool = True
    gives_runs: bool = True
    """Whether single runs can be asked for."""
    ends_behind_cursor: bool = False
    """Whether open runs end when runs behind a cursor are requested."""
    steps_cap: int = 100
    """Steps per page, whatever is asked for."""
    steps_status: int = 0
    """Of the answer to requests for steps, where it is no success."""
    steps_failing: list[str] = []
    """The runs of which it is; all for none."""
    unknown_status: int = 404
    """Of the answer to requests for, or behind, a run that is not there."""
    nameless_threads: int = 0
    """How many of the first threads are listed without their ids."""


class World:
    """The threads and their runs."""

    def __init__(
        self,
        threads: int = 0,
        runs: int = 0,
        seed: int = 0,
        settings: Settings | None = None,
        *,
        hours: float = 12.0,
        busy: int = 0,
    ) -> None:
        """A world that began `hours` ago, whose first thread has as many runs as `busy` others beside its own."""
        self.settings = settings or Settings()
        self._random = random.Random(seed)
        self.faults = random.Random(self.settings.seed)
        self._ids = count(1)
        self.started = int(time.time() - hours * 3600)
        self.now = float(self.started)
        self.threads: dict[str, list[Run]] = {f"thread_{number:06}": [] for number in range(threads)}
        self.by_id: dict[str, Run] = {}
        self.open: list[Run] = []
        self.records: dict[str, list[Run]] = {"responses": [], "completions": []}
        self.requests: Counter[str] = Counter()
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        names = list(self.threads)
        names += names[:1] * busy
        for _ in range(runs):
            self.add_run(self._random.choice(names))
            while len(self.open) > runs // 100 + 1:
                self._step_one()

    def chance(self, share: float) -> bool:
        """Whether a fault of this probability occurs now."""
        return share > 0 and self.faults.random() < share

    def add_run(self, thread_id: str, **fields: Any) -> Run:
        """Add a new run to a thread."""
        self.now += self._random.choice((0, 0, 1, 7))
        skew = self._random.uniform(-1, 1) * self.settings.skew_seconds
        created = int(self.now + skew)
        run: Run = {
            "id": f"run_{next(self._ids):08}",
            "object": "thread.run",
            "created_at": created,
            "assistant_id": f"asst_{self._random.randrange(20)}",
            "thread_id": thread_id,
            "status": "queued",
            "started_at": None,
            "expires_at": created + 600,
            "cancelled_at": None,
            "failed_at": None,
            "completed_at": None,
            "required_action": None,
            "last_error": None,
            "incomplete_details": None,
            "model": self._random.choice(("gpt-4o", "gpt-4o-mini")),
            "instructions": "Answer briefly.",
            "tools": _TOOLS,
            "metadata": {"ticket": str(self._random.randrange(1000))},
            "usage": None,
            "temperature": 1.0,
            "top_p": 1.0,
            "max_prompt_tokens": None,
            "max_completion_tokens": None,
            "truncation_strategy": {"type": "auto", "last_messages": None},
            "tool_choice": "auto",
            "parallel_tool_calls": True,
            "response_format": "auto",
            **fields,
        }
        self.threads.setdefault(thread_id, []).append(run)
        self.by_id[run["id"]] = run
        if run["status"] not in ENDS:
            self.open.append(run)
        return run

    def add_response(self, created: int, status: str = "completed", kind: str = "responses", **fields: Any) -> Run:
        """Add a new response, which has ended a second after it was created."""
        number = next(self._ids)
        response: Run = {
            "id": f"resp_{number:08}",
            "object": "response",
            "created_at": created,
            "completed_at": created + 1 if status == "completed" else None,
            "status": status,
            "model": "gpt-5-mini",
            "conversation": {"id": f"conv_{number % 7}"},
            "agent_reference": {"type": "agent_reference", "name": f"agent_{number % 2}", "version": "3"},
            "output": [{"type": "message", "id": f"msg_{number:08}", "status": "completed", "role": "assistant"}],
            "usage": {"input_tokens": number, "output_tokens": 5, "total_tokens": number + 5},
            **fields,
        }
        self.records[kind].append(response)
        return response

    def add_completion(self, created: int, **fields: Any) -> Run:
        """Add a stored chat completion."""
        number = next(self._ids)
        completion: Run = {
            "id": f"chatcmpl-{number:08}",
            "object": "chat.completion",
            "created": created,
            "model": "gpt-4o-mini",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": number, "completion_tokens": 2, "total_tokens": number + 2},
            **fields,
        }
        self.records["completions"].append(completion)
        return completion

    def _step_one(self) -> None:
        place = self._random.randrange(len(self.open))
        run = self.open[place]
        now = int(self.now)
        if run["status"] == "queued":
            run |= {"status": "in_progress", "started_at": max(now, run["created_at"])}
        elif run["status"] == "in_progress" and self._random.random() < 0.1:
            call = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
            action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [call]}}
            run |= {"status": "requires_action", "required_action": action}
        else:
            self.end(run, self._random.choice(ENDS))

    def end(self, run: Run, status: str) -> None:
        """End a run."""
        now = max(int(self.now) + 1, run["created_at"] + 1)
        prompt, completion = self._random.randrange(5000), self._random.randrange(500)
        usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
        run |= {"status": status, "required_action": None, "usage": usage}
        if status in ("completed", "failed", "cancelled"):
            run[f"{status}_at"] = now
        if status == "failed":
            run["last_error"] = {"code": "server_error", "message": "Sorry."}
        if status == "incomplete":
            run |= {"incomplete_details": {"reason": "max_completion_tokens"}, "completed_at": now}
        if run in self.open:
            self.open.remove(run)

    def advance(self, steps: int) -> None:
        """Change the state of some runs, and add new ones."""
        names = list(self.threads)
        for _ in range(steps):
            self.now += self._random.choice((0, 1, 3))
            if names and (not self.open or self._random.random() < 0.3):
                self.add_run(self._random.choice(names))
            else:
                self._step_one()

    def finish(self) -> None:
        """End all open runs, except a few."""
        for run in list(self.open)[::2]:
            self.end(run, "completed")

    def steps(self, run_id: str) -> list[Run]:
        """The steps of a run."""
        run = self.by_id[run_id]
        common = {
            "object": "thread.run.step",
            "created_at": run["started_at"] or run["created_at"],
            "assistant_id": run["assistant_id"],
            "thread_id": run["thread_id"],
            "run_id": run_id,
            "expired_at": None,
            "cancelled_at": None,
            "failed_at": None,
            "completed_at": run["completed_at"],
            "last_error": None,
            "status": "completed" if run["status"] == "completed" else "in_progress",
            "usage": run["usage"],
        }
        calls = [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}", "output": "1"}}]
        tools = {"type": "tool_calls", "tool_calls": calls}
        message = {"type": "message_creation", "message_creation": {"message_id": "msg_1"}}
        return [
            {"id": f"step_{run_id}_{place}", **common, "type": details["type"], "step_details": details}
            for place, details in enumerate((tools, message))
        ]
