"""Hypothesis strategies of runs and inputs."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

Run = dict[str, Any]
Writer = Callable[[Any], bytes]

NOTHING: dict[str, Any] = {}
TEXTS = st.one_of(
    st.sampled_from(["", "gpt-4o", "a:b", '"quoted": \\', "\U0001f600", "é: ü", "\n\t", "null", "{", "]"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, width=32), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=5,
)
COUNTS = st.one_of(st.none(), st.integers(0, 10**6))
INSTANTS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.integers(1_600_000_000, 1_800_000_000),
    st.sampled_from([0, 1_699_075_592.25, 1_699_075_592_123, "1699075592", "2023-11-04T05:26:32Z", NOTHING]),
)


def _is_unknown(name: str) -> bool:
    return name not in KNOWN


UNKNOWN = st.one_of(
    st.sampled_from(["reasoning_effort", "tool_resources", "a:b", 'q"', "naïve", "\U0001f600", "", "x-y.z", "extra_0"]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5),
).filter(_is_unknown)


def _sometimes(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def _merged(sent: dict[str, Any], unknown: dict[str, Any]) -> dict[str, Any]:
    return {**unknown, **sent}


def _with_unknown(known: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        _merged,
        known,
        st.one_of(st.just({}), st.just({}), st.dictionaries(UNKNOWN, VALUES, max_size=2)),
    )


DETAILS = st.one_of(st.none(), _sometimes(cached_tokens=COUNTS, reasoning_tokens=COUNTS, audio_tokens=COUNTS))
USAGES = _with_unknown(
    _sometimes(
        prompt_tokens=COUNTS,
        completion_tokens=COUNTS,
        total_tokens=COUNTS,
        prompt_tokens_details=DETAILS,
        prompt_token_details=DETAILS,
        completion_tokens_details=DETAILS,
        input_tokens=COUNTS,
        output_tokens=COUNTS,
    )
)
FUNCTIONS = _with_unknown(
    _sometimes(name=TEXTS, description=TEXTS, strict=st.one_of(st.none(), st.booleans()), parameters=VALUES)
)
TOOLS: st.SearchStrategy[Any] = st.one_of(
    _with_unknown(st.fixed_dictionaries({"type": st.just("function"), "function": FUNCTIONS})),
    _with_unknown(st.fixed_dictionaries({"type": st.sampled_from(["code_interpreter", "file_search", "mcp"])})),
    st.fixed_dictionaries(
        {
            "type": st.just("azure_function"),
            "azure_function": st.fixed_dictionaries({}, optional={"function": FUNCTIONS}),
        }
    ),
)
CHOICES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([None, "auto", NOTHING, "null"]), st.dictionaries(TEXTS, VALUES, max_size=2)
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(["created_at", "started_at", "expires_at", "completed_at", "failed_at", "cancelled_at"], INSTANTS),
    **dict.fromkeys(["thread_id", "assistant_id", "agent_id", "model", "instructions"], st.one_of(st.none(), TEXTS)),
    **dict.fromkeys(["max_prompt_tokens", "max_completion_tokens"], COUNTS),
    **dict.fromkeys(["temperature", "top_p"], st.one_of(st.none(), st.floats(0, 2), st.integers(0, 2))),
    **dict.fromkeys(["tool_choice", "response_format"], CHOICES),
    "parallel_tool_calls": st.sampled_from([None, True, False]),
    "metadata": st.one_of(st.none(), st.dictionaries(TEXTS, VALUES, max_size=3)),
    "usage": st.one_of(st.none(), USAGES),
    "last_error": st.one_of(st.none(), _with_unknown(_sometimes(code=TEXTS, message=TEXTS))),
    "incomplete_details": st.one_of(st.none(), _with_unknown(_sometimes(reason=TEXTS))),
    "truncation_strategy": st.one_of(st.none(), _with_unknown(_sometimes(type=TEXTS, last_messages=COUNTS))),
    "required_action": st.one_of(
        st.none(),
        st.just(
            {
                "type": "submit_tool_outputs",
                "submit_tool_outputs": {
                    "tool_calls": [
                        {"id": "call_1", "type": "function", "function": {"name": "a", "arguments": '{"b": 1}'}},
                        {"id": "call_2", "type": "function", "function": {"name": "a", "arguments": "{}"}},
                    ]
                },
            }
        ),
    ),
    "tools": st.one_of(st.none(), st.lists(TOOLS, max_size=3)),
}
KNOWN = frozenset(FIELDS) | {"id", "object", "status", "data", "prompt_tokens", "type", "code", "message", "reason"} | {
    "input_tokens_details", "output_tokens_details", "name", "description", "strict", "parameters", "function"
}  # fmt: skip
STATUSES = st.sampled_from(["completed", "failed", "queued", "in_progress", "a:b"])


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """Runs with any subset of the fields, some null, with quirks, or unknown."""
    number = draw(st.integers(0, 10**9))
    fields = draw(_with_unknown(st.fixed_dictionaries({}, optional=FIELDS)))
    sent = {"object": "thread.run"} if draw(st.integers(0, 9)) else {}
    return {"id": f"run_{number:09}", **sent, "status": draw(STATUSES), **fields}


@st.composite
def plain_runs(draw: st.DrawFn) -> Run:
    """Runs as servers write them, without quirks and unknown fields."""
    number = draw(st.integers(0, 10**9))
    fields = draw(_sometimes(model=TEXTS, created_at=st.integers(1, 2**31), usage=_sometimes(prompt_tokens=COUNTS)))
    return {"id": f"run_{number:09}", "object": "thread.run", "status": "completed", **fields}


@st.composite
def others(draw: st.DrawFn) -> Run:
    """Items of a page that are no runs: values of a wrong type, and other objects."""
    return draw(
        st.sampled_from(
            [
                {"id": "run_bad", "object": "thread.run", "status": "queued", "tools": [{"type": 1}]},
                {"id": "run_bad", "object": "thread.run", "status": None},
                {"id": "step_1", "object": "thread.run.step", "status": "completed"},
                {"id": "msg_1", "object": "thread.message", "data": "a: b"},
                {"error": {"message": "No run found"}},
                {"something": "else"},
            ]
        )
    )


def _writer(*, ascii_only: bool, indent: int | None = None, is_compact: bool = False) -> Writer:
    separators = (",", ":") if is_compact else None
    return lambda value: json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=separators).encode()


WRITERS = st.builds(
    _writer, ascii_only=st.booleans(), indent=st.sampled_from([None, None, 0, 2]), is_compact=st.booleans()
)
ONE_LINE = st.builds(_writer, ascii_only=st.booleans())


def as_page(found: Sequence[Run]) -> dict[str, Any]:
    """A page of runs."""
    return {"object": "list", "data": list(found), "first_id": "a:b", "has_more": False}


def _pages(found: Sequence[Run]) -> list[dict[str, Any]]:
    return [as_page(found[:2]), as_page(found[2:])]


def _event(item: Run, write: Writer) -> bytes:
    kind = item.get("object", "thread.run")
    return f"event: {kind}.completed\n".encode() + b"data: " + write(item) + b"\n\n"


@st.composite
def inputs(draw: st.DrawFn, items: st.SearchStrategy[Run]) -> bytes:
    """Inputs in any supported format."""
    found = draw(st.lists(items, min_size=1, max_size=5))
    write, one_line = draw(WRITERS), draw(ONE_LINE)
    shapes: dict[str, Callable[[], bytes]] = {
        "page": lambda: write(as_page(found)),
        "documents": lambda: b"\n".join(map(write, found)),
        "array": lambda: write(found),
        "array of pages": lambda: write(_pages(found)),
        "lines": lambda: b"\n".join(map(one_line, found)) + b"\n",
        "lines of pages": lambda: b"\n".join(map(one_line, _pages(found))),
        "events": lambda: b"".join(_event(item, one_line) for item in found) + b"event: done\ndata: [DONE]\n\n",
    }
    return shapes[draw(st.sampled_from(sorted(shapes)))]()
