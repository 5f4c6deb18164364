"""Every recorded payload of the Responses API is decoded, skipped by its kind, or rejected with a reason."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from runmart.ingest.decode.decoder import Decoder
from runmart.ingest.parse.blocks import Block
from runmart.ingest.transform.redact import Redactor
from runmart.models.record_specs import RESPONSE, RUN
from runmart.models.redaction_policy import CONTENT_FIELDS, RedactionPolicy, Rule
from runmart.models.response_record import WAITING_ITEMS
from tests.support.paths import RESPONSES
from tests.support.payloads import ORIGIN, Seen, decode
from tests.support.recorded_responses import FILES, FOLDERS, MANIFEST, conversation, named, responses, usage

KINDS = (RUN, RESPONSE)


class Held(NamedTuple):
    """Expected numbers of a folder of payloads."""

    files: int
    responses: int
    items: int
    """Items of their outputs."""
    rejects: int
    others: int
    """Objects that are skipped: conversations and their items, events of items, errors."""


EXPECTED = {
    "agent-framework": Held(35, 38, 24, 0, 788),
    "llama-stack": Held(2, 2, 3, 0, 0),
    "openai-dotnet": Held(128, 64, 86, 0, 1796),
    "openai-openapi": Held(40, 17, 13, 1, 26),
    "openinference": Held(15, 19, 22, 0, 533),
    "openllmetry": Held(35, 47, 44, 0, 410),
    "openresponses": Held(1, 1, 1, 0, 0),
    "pydantic-ai": Held(170, 204, 269, 0, 1098),
    "ruby-openai": Held(24, 13, 9, 0, 50),
}

SENT = {
    "status": "status",
    "model": "model",
    "previous_response_id": "previous_run_id",
    "background": "background",
    "service_tier": "service_tier",
    "max_output_tokens": "max_completion_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "parallel_tool_calls": "parallel_tool_calls",
}
"""Fields that are stored as sent, and their columns."""


def read(data: bytes) -> Seen:
    """What decoding a payload returns; rows of `runs` also have the fields that have no column yet, and items."""
    seen = decode(data, decoder=Decoder(KINDS))
    further: dict[int, dict[str, Any]] = {}
    for found in Decoder(KINDS).decode([(Block(data), ORIGIN)]).observations:
        columns = [found.columns.array(name).to_pylist() for name in FURTHER]
        written = dict(zip(found.usage.runs.to_pylist(), found.usage.cache_write_tokens.to_pylist(), strict=True))
        items: list[list[Any]] = [[] for _ in found.positions]
        if (of := found.output) is not None:
            parts = (of.runs, of.positions, of.ids, of.types, of.statuses, of.names)
            for run, *item in zip(*(part.to_pylist() for part in parts), strict=True):
                items[run].append(tuple(item))
        for place, (position, *values) in enumerate(zip(found.positions, *columns, strict=True)):
            named_values = dict(zip(FURTHER, values, strict=True))
            further[position] = named_values | {"items": items[place], "written": written.get(place)}
    for row in seen.rows["runs"]:
        row.update(further[row["observed_position"]])
    return seen


FURTHER = ("previous_run_id", "assistant_version", "service_tier", "background", "waits_for_client")


def read_one(sent: dict[str, Any]) -> dict[str, Any]:
    """The row of a response."""
    seen = read(json.dumps(sent).encode())
    assert seen.rejects == []
    [row] = seen.rows["runs"]
    return row


def of_file(file: str) -> Held:
    """The numbers of one payload."""
    seen = read((RESPONSES / file).read_bytes())
    items = sum(len(row["items"]) for row in seen.rows["runs"])
    return Held(1, len(seen.ids), items, len(seen.rejects), seen.skipped.total())


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_payload_ends_as_responses_skips_or_rejects(folder: str) -> None:
    """Every payload gives the expected numbers; those of responses and items are what Python's `json` finds."""
    files = [file for file in FILES if file.startswith(f"{folder}/")]
    found = Held(*map(sum, zip(*map(of_file, files), strict=True)))
    assert found == EXPECTED[folder]
    sent = [one for file in files for one in responses(file)]
    assert (found.responses, found.items) == (len(sent), sum(len(one.get("output") or []) for one in sent))


def test_every_payload_is_counted() -> None:
    """The manifest names every file, with its origin and its licence."""
    assert sorted(FILES) == sorted(str(path.relative_to(RESPONSES)) for path in RESPONSES.glob("*/*"))
    assert {row["licence"] for row in MANIFEST} == {"MIT", "Apache-2.0"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_stored_field_is_what_was_sent(folder: str) -> None:
    """Each stored field of each recorded response comes back as it was sent, tokens above all."""
    for file in (one for one in FILES if one.startswith(f"{folder}/")):
        seen = read((RESPONSES / file).read_bytes())
        rows = sorted(seen.rows["runs"], key=lambda row: row["observed_position"])
        tokens = {row["observation"]: row for row in seen.rows["usage"]}
        tools = Counter(row["observation"] for row in seen.rows["tools"])
        for row, sent in zip(rows, responses(file), strict=True):
            _assert_same(row, sent)
            of_run = tokens.get(row["observation"])
            names = ("prompt", "cached_prompt", "completion", "reasoning", "total")
            found = None if of_run is None else (*(of_run[f"{name}_tokens"] for name in names), row["written"])
            assert found == usage(sent), file
            assert (row["tool_count"], tools[row["observation"]]) == (len(sent.get("tools") or []),) * 2


def _assert_same(row: dict[str, Any], sent: dict[str, Any]) -> None:
    """A row of `runs` holds what was sent."""
    words: dict[Any, str] = {"complete": "completed"}
    assert (row["run_id"], row["object"]) == (sent["id"], "response")
    for name, column in SENT.items():
        value: Any = sent.get(name)
        assert row[column] == (words.get(value, value) if name == "status" else value), (name, sent["id"])
    for name in ("created_at", "completed_at"):
        stored = None if row[name] is None else row[name].timestamp()
        assert stored == sent.get(name), (name, sent["id"])
    assert (row["thread_id"], row["assistant_id"], row["assistant_version"]) == (conversation(sent), *named(sent))
    instructions = sent.get("instructions")
    stored = row["instructions"]
    assert (json.loads(stored) if isinstance(instructions, list) else stored) == instructions
    text: dict[str, Any] = sent.get("text") or {}
    assert json.loads(row["response_format"] or "null") == text.get("format")
    assert row["truncation_type"] == sent.get("truncation")
    assert json.loads(row["metadata"] or "null") == sent.get("metadata")
    output: list[dict[str, Any]] = sent.get("output") or []
    assert row["waits_for_client"] == any(one["type"] in WAITING_ITEMS for one in output)
    extra = json.loads(row["extra"] or "{}")
    assert extra.keys().isdisjoint({"output", "output_text", "input", "usage", "status"})
    for name in sent.keys() - SENT.keys() - STORED:
        assert extra[name] == sent[name]


STORED = frozenset(
    {"id", "object", "created_at", "completed_at", "conversation", "instructions", "text", "truncation", "metadata"}
    | {"output", "output_text", "input", "tools", "tool_choice", "usage", "error", "incomplete_details"}
    | {"agent", "agent_reference", "prompt"}
)
"""Fields that are checked on their own, or not stored."""


def test_items_of_outputs_have_no_texts() -> None:
    """Each item has its place, id, type, status and name, and nothing of what was said."""
    output = [
        {"type": "reasoning", "id": "rs_1", "summary": [{"text": "secret"}]},
        {"type": "message", "id": "msg_1", "status": "completed", "content": [{"text": "secret"}]},
        {"type": "function_call", "id": "fc_1", "status": "completed", "name": "look_up", "arguments": "secret"},
    ]
    row = read_one(response("resp_1", conversation={"id": "conv_1"}, agent={"name": "helper"}, output=output))
    assert row["items"] == [
        (0, "rs_1", "reasoning", None, None),
        (1, "msg_1", "message", "completed", None),
        (2, "fc_1", "function_call", "completed", "look_up"),
    ]
    assert (row["thread_id"], row["assistant_id"], "secret" in repr(row)) == ("conv_1", "helper", False)


@pytest.mark.parametrize(
    ("items", "waits"),
    [
        ([], False),
        ([{"type": "message"}], False),
        ([{"type": "function_call", "call_id": "c"}], True),
        ([{"type": "function_call", "call_id": "c"}, {"type": "function_call_output", "call_id": "c"}], False),
        ([{"type": "mcp_approval_request", "id": "a"}], True),
        ([{"type": "web_search_call", "id": "w"}], False),
    ],
)
def test_a_response_waits_for_its_client(items: Sequence[dict[str, Any]], *, waits: bool) -> None:
    """A call that the server has not answered itself waits for the client; so does a request to approve one."""
    assert read_one(response("resp_1", output=items))["waits_for_client"] is waits


def response(response_id: str, status: str = "completed", **fields: Any) -> dict[str, Any]:
    """A response."""
    return {"id": response_id, "object": "response", "status": status, "created_at": 1_800_000_000, **fields}


@pytest.mark.parametrize(
    ("fields", "reason", "path"),
    [
        ({"output": {}}, "", ""),
        ({"output": "text"}, "Expected `array | null`, got `str`", "$.output"),
        ({"output": [{"type": 1}]}, "Expected `str | null`, got `int`", "$.output[0].type"),
        ({"error": {"code": 500}}, "Expected `str | null`, got `int`", "$.error.code"),
        ({"conversation": {"id": 12}}, "Expected `str | null`, got `int`", "$.conversation"),
        ({"max_output_tokens": "x"}, "Expected `int | null`, got `str`", "$.max_output_tokens"),
        ({"usage": {"input_tokens_details": {"cache_write_tokens": "x"}}}, "Expected `int | null`, got `str`", ""),
    ],
)
def test_a_response_that_cannot_be_stored_is_a_reject(fields: dict[str, Any], reason: str, path: str) -> None:
    """Reason and JSON path are in the words of what was sent."""
    sent = json.dumps(response("resp_1", **fields)).encode()
    seen = read(sent)
    if not reason:
        assert seen.ids == ["resp_1"]
        return
    [reject] = seen.rejects
    assert reason in reject.reason
    assert path in reject.json_path


def test_many_responses_are_decoded_by_one_call() -> None:
    """Pages and lines of responses go the fast way, also with fields that no declaration has."""
    lines = b"\n".join(json.dumps(response(f"resp_{number}", store=True)).encode() for number in range(50))
    whole = Decoder(KINDS).parse(Block(lines), ORIGIN).whole
    assert whole is not None
    assert len(whole.records) == 50


def test_runs_and_responses_are_read_from_one_page() -> None:
    """What an object is, it says itself."""
    sent = {"data": [{"id": "run_1", "object": "thread.run", "status": "queued"}, response("resp_1")]}
    seen = decode(json.dumps(sent).encode())
    assert (sorted(seen.ids), seen.skipped) == (["resp_1", "run_1"], {})


@pytest.mark.parametrize("rule", ["hash", "drop"])
def test_nothing_of_what_was_said_is_in_a_saved_response(rule: Rule) -> None:
    """Texts of outputs, inputs and instructions are in no saved response whose content is redacted."""
    said: dict[str, Any] = {
        "output": [{"type": "message", "content": [{"text": "secret"}]}],
        "output_text": "secret",
        "input": "secret",
    }
    sent = response("resp_1", **said, instructions="secret", prompt={"id": "p", "variables": {"a": "secret"}})
    redactor = Redactor(RedactionPolicy(dict.fromkeys(CONTENT_FIELDS, rule), b"0123456789abcdef"), KINDS)
    saved = redactor.document(json.dumps(sent).encode())
    assert saved is not None
    assert (b"secret" in saved, json.loads(saved)["id"]) == (False, "resp_1")
