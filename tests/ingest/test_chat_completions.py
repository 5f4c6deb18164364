"""Chat completions, stored by the server or saved by a client, become runs: their choices tell the status."""

import json
from typing import Any

import pytest

from runmart.ingest.decode.decoder import Decoder
from runmart.ingest.parse.blocks import Block
from runmart.ingest.pull.client import Response
from runmart.ingest.pull.responses import page
from runmart.ingest.transform.redact import Redactor
from runmart.ingest.transform.redact_reasons import path_without_names, reason_without_content
from runmart.models.redaction_policy import CONTENT_FIELDS, RedactionPolicy, Rule
from runmart.models.tables.steps import item_batch
from tests.support.paths import RESPONSES
from tests.support.payloads import ORIGIN, Seen, decode
from tests.support.recorded_responses import MANIFEST

STORED_LISTS = [row["file"] for row in MANIFEST if row["kind"] == "stored_completion_list"]

SENT = {
    "id": "run_id",
    "object": "object",
    "model": "model",
    "temperature": "temperature",
    "top_p": "top_p",
    "service_tier": "service_tier",
}
"""Fields that are stored as sent, and their columns."""

EXTRA = ("request_id", "seed", "presence_penalty", "frequency_penalty", "system_fingerprint", "input_user")
"""Fields without a column."""


def choice(finish_reason: str | None, **message: Any) -> dict[str, Any]:
    """An answer that ended for a reason."""
    said = {"role": "assistant", "content": "secret", **message}
    return {"index": 0, "finish_reason": finish_reason, "message": said}


def completion(*choices: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A completion."""
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_800_000_000, "choices": choices, **fields}


def call(name: str, **fields: Any) -> dict[str, Any]:
    """A call of a function."""
    return {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": "secret"}, **fields}


def read(*sent: dict[str, Any]) -> Seen:
    """What a page of completions holds."""
    return decode(json.dumps({"object": "list", "data": sent}).encode())


@pytest.mark.parametrize("others", [[], [{"x": float("inf")}]])
def test_a_completion_in_a_line_of_a_batch_says_so(others: list[Any]) -> None:
    """Batches of completions cost half as much, too; decoded by one call, and line by line."""
    answers = [{"status_code": 200, "body": completion(choice("stop"), id=f"chatcmpl-{one}")} for one in range(2)]
    lines = [{"custom_id": f"order {one}", "response": answer, "error": None} for one, answer in enumerate(answers)]
    seen = decode("\n".join(map(json.dumps, [*lines, *others])).encode())
    assert [(row["is_batch"], json.loads(row["extra"])) for row in seen.rows["runs"]] == [
        (True, {"custom_id": "order 0"}),
        (True, {"custom_id": "order 1"}),
    ]


def row_of(sent: dict[str, Any]) -> dict[str, Any]:
    """The row of a completion, decoded whole and piece by piece, with its errors."""
    rows: list[dict[str, Any]] = []
    for other in ({}, {"x": float("inf")}):  # JSON has no infinity: the page is decoded piece by piece
        seen = read(sent, *([other] if other else []))
        [row] = seen.rows["runs"]
        rows.append(row | {"errors": [(one["kind"], one["code"]) for one in seen.rows["errors"]]})
    assert rows[0] == rows[1]
    return rows[0]


def items_of(sent: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The steps of a completion."""
    names = ["step_id", "item_id", "position", "type", "name", "status"]
    [found] = Decoder().decode([(Block(json.dumps(sent).encode()), ORIGIN)]).observations
    batch = item_batch(found)
    assert batch is not None
    rows: list[dict[str, Any]] = batch.select(names).to_pylist()
    return [tuple(row.values()) for row in rows]


def test_every_stored_completion_is_a_run() -> None:
    """Each of the recorded lists holds its completions and nothing else; none is skipped or rejected."""
    counts = {file: len(json.loads((RESPONSES / file).read_bytes())["data"]) for file in STORED_LISTS}
    assert (len(counts), sum(counts.values())) == (13, 230)
    for file, count in counts.items():
        seen = decode((RESPONSES / file).read_bytes())
        assert (len(seen.ids), seen.rejects, seen.skipped) == (count, [], {})


def test_every_stored_field_is_what_was_sent() -> None:
    """Each field of each recorded completion comes back: as a column, as a child row, or in `extra`."""
    for file in STORED_LISTS:
        data = (RESPONSES / file).read_bytes()
        seen = decode(data)
        tokens = {row["observation"]: row for row in seen.rows["usage"]}
        for row, sent in zip(seen.rows["runs"], json.loads(data)["data"], strict=True):
            assert {name: row[column] for name, column in SENT.items()} == {name: sent[name] for name in SENT}
            assert row["created_at"].timestamp() == sent["created"]
            assert json.loads(row["metadata"]) == sent["metadata"]
            assert json.loads(row["extra"]) == {name: sent[name] for name in EXTRA}
            used = tokens[row["observation"]]
            assert {name: used[name] for name in sent["usage"]} == sent["usage"]
            [answer] = sent["choices"]
            assert row["waits_for_client"] == (answer["finish_reason"] == "tool_calls")
            assert (row["status"], row["tool_count"]) == ("completed", len(sent["tools"] or []))
            assert [row[name] for name in ("started_at", "completed_at", "failed_at", "cancelled_at")] == [None] * 4


def test_stored_completions_are_decoded_by_one_call() -> None:
    """Pages of completions go the fast way, also with fields that no declaration has."""
    whole = Decoder().parse(Block((RESPONSES / STORED_LISTS[0]).read_bytes()), ORIGIN).whole
    assert whole is not None
    assert len(whole.records) == 20


@pytest.mark.parametrize(
    ("reasons", "status", "errors"),
    [
        (["stop"], "completed", []),
        (["tool_calls"], "completed", []),
        (["function_call"], "completed", []),
        (["length"], "incomplete", [("incomplete_details", "max_output_tokens")]),
        (["content_filter"], "incomplete", [("incomplete_details", "content_filter")]),
        (["insufficient_system_resource"], "incomplete", [("incomplete_details", "insufficient_system_resource")]),
        (["error"], "failed", []),
        (["eos"], "eos", []),
        (["stop", "length", "stop"], "incomplete", [("incomplete_details", "max_output_tokens")]),
        (["length", "error"], "failed", []),
        (["eos", "stop"], "eos", []),
        (["eos", "content_filter"], "incomplete", [("incomplete_details", "content_filter")]),
    ],
)
def test_the_choice_that_ended_worst_tells_the_status(reasons: list[str], status: str, errors: list[Any]) -> None:
    """A reason that nobody knows is the status, as an unknown status of a run is."""
    row = row_of(completion(*map(choice, reasons)))
    assert (row["status"], row["errors"]) == (status, errors)


@pytest.mark.parametrize(
    ("choices", "waits"),
    [
        ([choice("stop")], False),
        ([choice("tool_calls", tool_calls=[call("f")])], True),
        ([choice("function_call", function_call={"name": "f", "arguments": "{}"})], True),
        ([choice("stop", tool_calls=[call("f")])], True),
        ([choice("length", tool_calls=[call("f")])], False),
        ([choice("stop"), choice("tool_calls")], True),
    ],
)
def test_a_completion_that_ends_in_calls_waits_for_its_client(choices: list[dict[str, Any]], *, waits: bool) -> None:
    """So does one that was made to call a tool, which ends in `stop`; a call that was cut off is none."""
    assert row_of(completion(*choices))["waits_for_client"] is waits


def test_choices_and_their_calls_are_steps() -> None:
    """Each choice is a message, each call an item of the type that a response has for it; texts are not stored."""
    first = choice("tool_calls", tool_calls=[call("f"), {"id": "c", "type": "custom", "custom": {"name": "g"}}])
    sent = completion(first, choice("function_call", function_call={"name": "h", "arguments": "secret"}))
    assert items_of(sent) == [
        ("chatcmpl-1/0", None, 0, "message", None, None),
        ("chatcmpl-1/1", "call_f", 1, "function_call", "f", None),
        ("chatcmpl-1/2", "c", 2, "custom_tool_call", "g", None),
        ("chatcmpl-1/3", None, 3, "message", None, None),
        ("chatcmpl-1/4", None, 4, "function_call", "h", None),
    ]
    assert "secret" not in repr(row_of(sent))


def test_tools_and_settings_are_stored() -> None:
    """The columns of a run that a completion has as well."""
    tools = [{"type": "function", "function": {"name": "f", "strict": True, "parameters": {"type": "object"}}}]
    seen = read(completion(choice("stop"), tools=tools, tool_choice="auto", response_format={"type": "json_object"}))
    [row], [tool] = seen.rows["runs"], seen.rows["tools"]
    assert (row["tool_choice"], row["response_format"]) == ('"auto"', '{"type":"json_object"}')
    assert (tool["name"], tool["strict"], tool["parameters"]) == ("f", True, '{"type":"object"}')


@pytest.mark.parametrize(
    ("fields", "reason", "path"),
    [
        ({"choices": []}, "a chat completion without choices", "$.data[0].choices"),
        ({"choices": None}, "a chat completion without choices", "$.data[0].choices"),
        ({"choices": [choice("stop"), choice(None)]}, "a choice without a `finish_reason`", "$.data[0].choices[1]"),
        ({"choices": {"a": 1}}, "Expected `array`, got `object`", "$.data[0].choices"),
        ({"choices": [{"finish_reason": 1}]}, "Expected `str | null`, got `int`", "$.data[0].choices[0].finish_reason"),
        ({"created": "soon"}, 'Expected Unix seconds, got `"soon"`', "$.data[0].created"),
    ],
)
def test_a_completion_that_cannot_be_stored_is_a_reject(fields: dict[str, Any], reason: str, path: str) -> None:
    """One that does not tell its status is rejected alone, and the others of its page are stored."""
    seen = read(completion(choice("stop"), **fields), completion(choice("stop"), id="chatcmpl-2"))
    [reject] = seen.rejects
    assert (seen.ids, reject.json_path) == (["chatcmpl-2"], path)
    assert reason in reject.reason


def test_chunks_and_deleted_completions_are_skipped() -> None:
    """They are counted by their kind."""
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [{"delta": {"content": "a"}}]}
    deleted = {"id": "chatcmpl-1", "object": "chat.completion.deleted", "deleted": True}
    seen = read(chunk, deleted)
    assert (seen.ids, seen.rejects) == ([], [])
    assert seen.skipped == {"chat.completion.chunk": 1, "chat.completion.deleted": 1}


def test_completions_in_saved_bodies_are_found() -> None:
    """So are those within objects of no known kind."""
    sent = {"log": [{"answer": completion(choice("stop"))}, {"body": json.dumps(completion(choice("stop"), id="b"))}]}
    assert decode(json.dumps(sent).encode()).ids == ["chatcmpl-1", "b"]


@pytest.mark.parametrize("rule", ["hash", "drop"])
def test_redacted_completions_can_be_read_again(rule: Rule) -> None:
    """Nothing of what was said is in a saved answer whose content is redacted, but its status and its calls are."""
    sent = completion(choice("length", tool_calls=[call("f")], refusal="secret"), usage={"total_tokens": 3})
    redactor = Redactor(RedactionPolicy(dict.fromkeys(CONTENT_FIELDS, rule), b"0123456789abcdef"))
    saved = redactor.document(json.dumps({"object": "list", "data": [sent]}).encode())
    assert saved is not None
    assert b"secret" not in saved
    [redacted] = json.loads(saved)["data"]
    assert row_of(redacted) == row_of(sent)
    assert items_of(redacted) == items_of(sent)


def test_a_reason_names_what_is_missing_where_content_is_redacted() -> None:
    """Names of the API are no content."""
    [reject] = read(completion(choice(None))).rejects
    assert "`finish_reason`" in reason_without_content(reject.reason)
    assert path_without_names(reject.json_path) == "$.data[0].choices[0]"


def test_a_pull_takes_a_completion_as_ended() -> None:
    """It has no status, and it does not change: a pull need not look it up again."""
    body = (RESPONSES / STORED_LISTS[0]).read_bytes()
    found = page(Response("", body, 1_800_000_000_000_000), Decoder())
    assert (len(found.items), any(item.is_open for item in found.items)) == (20, False)
