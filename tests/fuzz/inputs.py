"""Inputs of the fuzzer: from a grammar of pieces that meet in files, and mutations of recorded payloads."""

import json
from random import Random
from typing import Any

from tests.support.paths import REALDATA, RESPONSES

_STATUSES = ["completed", "failed", "queued", "in_progress", "done"]
_WORDS = ["", "a", "é", "\U0001f600", '"', "\\", "\n", "{", "]", "run_1", "thread.run", "null", ": ", "NaN"]
_FRAGMENTS = [
    *(b"{ } [ ] , : \" \\ \n \r\n \n\n \t \x1e \x00 \xff 12 -1.5e3 tru null true NaN Infinity \\ud83d".split(b" ")),
    b"\xef\xbb\xbf", b"data: ", b"data:", b"event: thread.run.created\n", b"event: x\n", b"id: 5\n", b"retry: 1\n",
    b": ping\n", b": ", b"[DONE]", b"...", b"INFO ", b"run=", b"[INFO] ", b"2024-09-25 10:15:12 ", b"{'id': 'run_1'}",
    b'{"object":"list","data":[', b'{"runs":[', b'{"data":{', b'"has_more":false}', b'],"has_more":false}', b"[[",
    b'"id":"run_x",', b'{"id":"', b'{"a":1}', b"[1,2]", b'["thread.run.queued",',
    b'{"event":"thread.run.queued","data":', b'{"type":"response.created","response":', b"event: response.queued\n",
    b'{"object":"thread","id":"t"}', b'{"id":"step_1","object":"thread.run.step","status":"completed","run_id":"r"}',
]  # fmt: skip
_PAYLOADS = sorted(
    path for folder in (REALDATA, RESPONSES) for path in folder.glob("*/*") if path.stat().st_size < 8000
)
_SHARE_OF_RESPONSES = 0.3


class Source:
    """Draws inputs from a source of randomness."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._count = 0

    def input(self) -> bytes:
        """An input."""
        text = self._mutated_payload() if self._random.random() < 0.2 else self._grown()
        return self._mutated(text) if self._random.random() < 0.3 else text

    def pick(self, *values: Any) -> Any:
        """One of some values."""
        return self._random.choice(values)

    def _grown(self) -> bytes:
        parts = [
            self._random.choice([self._value, self._value, self._fragment])() for _ in range(self.pick(1, 2, 3, 6, 12))
        ]
        return self.pick(b"", b"\n", b"\n", b",", b" ", b"\n\n").join(parts)

    def _fragment(self) -> bytes:
        return self._random.choice(_FRAGMENTS)

    def _run(self) -> dict[str, Any]:
        self._count += 1
        run: dict[str, Any] = {"id": f"{self.pick('run_', 'run_', '')}{self._count}"}
        if self._random.random() < 0.8:
            run["object"] = "thread.run"
        run["status"] = self._random.choice(_STATUSES)
        more: dict[str, Any] = {
            "assistant_id": "asst_1",
            "created_at": 1_727_259_300,
            "usage": {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3},
            "metadata": {self._random.choice(_WORDS): self._random.choice(_WORDS)},
            "tools": [{"type": "function", "function": {"name": self._random.choice(_WORDS)}}],
            "x": self._random.choice(_WORDS),
            "instructions": self._random.choice(_WORDS),
            "last_error": None,
            "data": [{"a": 1}],
        }
        for name in self._random.sample(sorted(more), self.pick(0, 1, 3)):
            run[name] = more[name]
        return run

    def _response(self) -> dict[str, Any]:
        self._count += 1
        response: dict[str, Any] = {"id": f"resp_{self._count}", "object": "response"}
        response["status"] = self._random.choice(_STATUSES)
        more: dict[str, Any] = {
            "created_at": 1_764_241_200.0,
            "conversation": {"id": "conv_1"},
            "usage": {"input_tokens": 2, "output_tokens": 1, "output_tokens_details": {"reasoning_tokens": 1}},
            "metadata": {self._random.choice(_WORDS): self._random.choice(_WORDS)},
            "tools": [{"type": "function", "name": self._random.choice(_WORDS)}],
            "output": [{"type": "function_call", "name": "f", "call_id": "c"}, {"type": "message", "content": []}],
            "text": {"format": {"type": "text"}},
            "x": self._random.choice(_WORDS),
            "error": None,
        }
        for name in self._random.sample(sorted(more), self.pick(0, 1, 3)):
            response[name] = more[name]
        return response

    def _record(self) -> dict[str, Any]:
        return self._response() if self._random.random() < _SHARE_OF_RESPONSES else self._run()

    def _other(self) -> Any:
        thread: dict[str, Any] = {"object": "thread", "id": "t", "runs": []}
        nested: dict[str, Any] = {"a": [1, {"b": None}]}
        return self.pick({}, nested, thread, {"id": "x", "status": "y"}, 1, "a", None, self._neighbour())

    def _neighbour(self) -> dict[str, Any]:
        """A record of another kind, of which something may be missing or odd."""
        word, number = self._random.choice(_WORDS), self.pick(0, 12, "12", -1, 1e300, None)
        chat = {"id": "c", "object": "chat.completion", "created": number, "choices": [{"finish_reason": word}]}
        graph = {"run_id": "r", "thread_id": "t", "assistant_id": "a", "status": self.pick("success", "pending", word)}
        metadata = self.pick(None, word, "{}", {"usage_object": {"prompt_tokens": number}, "status": word})
        log = {"request_id": "q", "call_type": "c", "spend": number, "startTime": number, "endTime": word}
        found = self.pick(chat, {**graph, "updated_at": number}, {**log, "prompt_tokens": number, "metadata": metadata})
        if self._random.random() < 0.3:
            del found[self._random.choice(sorted(found))]
        return found

    def _value(self) -> bytes:
        indent, is_ascii = self.pick(None, None, None, 1), self.pick(True, False)

        def write(value: Any) -> str:
            return json.dumps(value, ensure_ascii=is_ascii, indent=indent)

        found = [
            self._record() if self._random.random() < 0.75 else self._other() for _ in range(self.pick(0, 1, 2, 4))
        ]
        one = found[0] if found else self._record()
        page = {"object": "list", "data": found, "has_more": False}
        text = write(
            self.pick(
                one, found, page, [page, one], {"runs": found}, {"value": found, "n": 1}, {"data": {"data": found}},
                {str(number): value for number, value in enumerate(found)},
                {"event": self.pick("thread.run.created", "x"), "data": one}, ["thread.run.queued", one, None],
                {"ThreadRunCreated": one}, {"type": "response.completed", "response": one},
                {"object": "thread", "id": "t", "runs": found}, {"log": write(one) + "\n"},
                {"_source": one}, [found], write(one), {"response": {"body": page}},
            )
        )  # fmt: skip
        events = "event: response.completed\ndata: ", "event: thread.run.created\ndata: ", "event: x\n"
        prefix = self.pick("", "", "", "data: ", *events, "INFO ", "run=")
        return (prefix + text + ("\n\n" if prefix[:1] in {"d", "e"} and prefix else "")).encode()

    def _mutated_payload(self) -> bytes:
        return self._mutated(self._random.choice(_PAYLOADS).read_bytes())

    def _mutated(self, text: bytes) -> bytes:
        for _ in range(self.pick(1, 1, 2, 4)):
            start = self._random.randint(0, len(text))
            end = min(len(text), start + self.pick(0, 1, 1, 5, 40, 400))
            new = self.pick(b"", b"", self._fragment(), bytes([self._random.randrange(256)]), text[start:end] * 2)
            text = text[:start] + new + text[end:]
            if self._random.random() < 0.1:
                text = text[: self._random.randint(0, len(text))]
        return text
