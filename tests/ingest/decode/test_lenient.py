"""Lenient decoder: each bad item gives a clear reason, and nothing is lost."""

import json
from typing import Any

import pytest

from tests.support.payloads import decode, page, reject_of, run

DEEP = "[" * 10_000 + "]" * 10_000

MISFITS: dict[str, tuple[str, str, str]] = {
    # what: (the bad run's field as sent, reason, JSON path behind the run's)
    "NaN": (
        '"temperature": NaN',
        (
            "not JSON: NaN at byte 75, as pandas and Python's json write a missing number; write null instead (pandas: "
            "`to_json`, or `where(frame.notna(), None)`)"
        ),
        "",
    ),
    "an unknown word": ('"model": yes', "not JSON: invalid character `yes}` (byte 69)", ""),
    "half a surrogate pair": (
        r'"model": "\ud83d!"',
        "not JSON: half of a surrogate pair (such as \\ud83d without its other half)",
        "",
    ),
    "half a surrogate pair in metadata": (
        r'"metadata": {"a": "\ude00"}',
        "not JSON: half of a surrogate pair (such as \\ud83d without its other half)",
        "",
    ),
    "nesting": (f'"metadata": {{"a": {DEEP}}}', "nested too deep, more than 128 levels", ""),
    "a number beyond all": ('"temperature": 1e999', "a number larger than any can be", ".temperature"),
    "20 digits": (
        '"max_prompt_tokens": 12345678901234567890',
        "Expected `int` <= 9223372036854775807",
        ".max_prompt_tokens",
    ),
    "20 digits of tokens": (
        '"usage": {"total_tokens": 12345678901234567890}',
        "Expected `int` <= 9223372036854775807",
        ".usage.total_tokens",
    ),
    "the year 57000": (
        '"created_at": 1736700000000000',
        "`1736700000000000` is no instant: after the year 9999, even if it counts milliseconds",
        ".created_at",
    ),
    "no time zone": (
        '"started_at": "2023-11-04T05:26:32"',
        "no offset from UTC: `2023-11-04T05:26:32`; expected Unix seconds, or RFC 3339 with an offset such as Z",
        ".started_at",
    ),
    "a text for a number": ('"top_p": "high"', "Expected `float | null`, got `str`", ".top_p"),
    "a list for a model": ('"model": ["a", "b"]', "Expected `str | null`, got `array`", ".model"),
    "a number for metadata": ('"metadata": 12', "Expected an object or null, got `12`", ".metadata"),
    "a number for a choice": ('"tool_choice": 12', "Expected a text or an object or null, got `12`", ".tool_choice"),
    "a text among tools": ('"tools": ["a"]', "Expected `object`, got `str`", ".tools[0]"),
    "a tool's name": ('"tools": [{}, {"name": 1}]', "Expected `str | null`, got `int`", ".tools[1].name"),
    "a function's strictness": (
        '"tools": [{"type": "function", "function": {"strict": 1}}]',
        "Expected `bool | null`, got `int`",
        ".tools[0].function.strict",
    ),
    "a text for usage": ('"usage": "much"', "Expected `object`, got `str`", ".usage"),
    "cached tokens": (
        '"usage": {"prompt_tokens_details": {"cached_tokens": "x"}}',
        "Expected `int | null`, got `str`",
        ".usage.prompt_tokens_details.cached_tokens",
    ),
    "an error's code": ('"last_error": {"code": 500}', "Expected `str | null`, got `int`", ".last_error.code"),
    "a required action": (
        '"required_action": {"submit_tool_outputs": {"tool_calls": [{"id": 1}]}}',
        "Expected `str | null`, got `int`",
        ".required_action.submit_tool_outputs.tool_calls[0].id",
    ),
    "a key twice": (
        '"model": "a", "model": "b"',
        "the key `model` is there twice, and only one of its values could be kept",
        "",
    ),
}


@pytest.mark.parametrize("what", MISFITS)
def test_one_bad_run_does_not_lose_its_page(what: str) -> None:
    """A run that cannot be stored is rejected with its reason, JSON path and text; the other runs are loaded."""
    field, reason, path = MISFITS[what]
    bad = '{"id": "run_2", "object": "thread.run", "status": "queued", ' + field + "}"
    data = page(run(1), run(2), run(3)).replace(json.dumps(run(2)).encode(), bad.encode())
    seen = decode(data)
    assert seen.ids == ["run_1", "run_3"]
    assert [row["observed_position"] for row in seen.rows["runs"]] == [0, 2]
    [reject] = seen.rejects
    assert (reject.reason, reject.json_path) == (reason, "$.data[1]" + path)
    assert (reject.position, reject.line, reject.raw) == (1, 1, bad.encode())


def test_a_run_that_is_not_utf_8_is_kept_byte_for_byte() -> None:
    """Invalid UTF-8 in one run rejects that run; its bytes are kept."""
    data = page(run(1), run(2, model="M"), run(3)).replace(b'"M"', b'"M\xff"')
    seen = decode(data)
    assert seen.ids == ["run_1", "run_3"]
    [reject] = seen.rejects
    assert reject.reason == "not UTF-8 at byte 74: invalid start byte"
    assert b'"M\xff"' in reject.raw


@pytest.mark.parametrize(
    "data", [b'{"id": "run_1", "object": "\xff", "status": "queued"}', b'{"\xff": 1, "id": "run_1"}']
)
def test_a_key_that_is_not_utf_8_is_reported(data: bytes) -> None:
    """Invalid UTF-8 is reported wherever it occurs."""
    assert reject_of(data).reason.startswith("not UTF-8 at byte ")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"status": "queued", "assistant_id": "a"}', "Object missing required field `id`"),
        ('{"id": "run_1"}', "Object missing required field `status`"),
        ('{"object": "thread.run"}', "Object missing required field `id`"),
        ('{"id": null, "status": "queued", "required_action": null}', "Expected `str`, got `null`"),
        ('{"id": "", "status": "queued", "agent_id": "a"}', "Expected `str` of length >= 1"),
        ("12", "expected a run or a page, that is a JSON object, got `12`"),
        ("hello, world", "expected a run or a page, that is a JSON object, got `hello, world`"),
        ("\x89PNG\x00", "expected a run or a page, that is a JSON object, got `\\x89PNG\\x00`"),
        ('[["run_1"]]', 'expected a run or a page, that is a JSON object, got `"run_1"`'),
        ('{"id": "run_1", "stat', "the text ends in the middle of a value: a truncated download?"),
        ('{"a": ' + DEEP + "}", "nested too deep, more than 128 levels"),
        (DEEP, "nested too deep, more than 128 levels"),
    ],
)
def test_what_is_no_run_is_rejected_in_words_for_people(text: str, reason: str) -> None:
    """The reason of a reject names what was expected and what was found."""
    reject = reject_of(text.encode())
    assert reject.reason == reason


def test_pages_within_pages_are_followed_down_to_a_limit() -> None:
    """Nested pages and arrays give up their runs; no nesting ends in a traceback."""
    sent = b'{"id": "run_1", "status": "queued"}'
    for opening, closing in ((b'{"data": [', b"]}"), (b"[", b"]")):
        assert decode(opening * 60 + sent + closing * 60).ids == ["run_1"]
        assert reject_of(opening * 200 + sent + closing * 200).reason == "nested too deep, more than 128 levels"


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ({"id": "step_1", "object": "thread.run.step", "status": "completed"}, "thread.run.step"),
        ({"id": "msg_1", "object": "thread.message", "status": "completed"}, "thread.message"),
        ({"id": "thread_1", "object": "thread"}, "thread"),
        ({"id": "asst_1", "object": "assistant"}, "assistant"),
        ({"id": "resp_1", "object": "response", "deleted": True}, "response.deleted"),
        ({"id": "resp_1", "object": "response.compaction", "status": "completed"}, "response.compaction"),
        ({"error": {"message": "No run found", "type": "invalid_request_error"}}, "error"),
        ({"error": "Unauthorized"}, "error"),
        ({"id": "x", "object": "eval.run", "status": "completed", "model": "m"}, "eval.run"),
        ({"id": "x", "object": "container", "status": "running", "expires_at": 1}, "container"),
        ({"id": "x", "object": "vector_store.file_batch", "status": "completed"}, "vector_store.file_batch"),
        ({"id": "x", "object": "organization.costs.result", "status": "y"}, "organization.costs.result"),
        ({"id": "m", "type": "message", "status": "completed", "role": "user"}, "conversation.item"),
        ({"id": "r", "type": "reasoning", "status": "completed"}, "conversation.item"),
        ({"id": "f", "type": "function_call", "status": "completed", "call_id": "c"}, "conversation.item"),
        ({"id": "msg_1", "role": "user", "thread_id": "t", "run_id": None, "status": "completed"}, "unknown"),
        ({"id": "msg_1", "run_id": "run_1", "assistant_id": "a", "status": "completed"}, "unknown"),
        ({"id": "0192", "run_type": "llm", "status": "success"}, "unknown"),
        ({"id": "a", "status": "succeeded"}, "unknown"),
        ({"a": 1}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_other_objects_are_counted_and_skipped(item: dict[str, Any], kind: str) -> None:
    """Steps, messages, threads and error responses are skipped, and counted by kind."""
    seen = decode(page(run(1), item, run(2)))
    assert (seen.ids, seen.rejects, seen.skipped) == (["run_1", "run_2"], [], {kind: 1})
    assert decode(json.dumps(item).encode()).skipped == {kind: 1}


@pytest.mark.parametrize("sent", ["run", "thread_run", None])
def test_a_servers_own_word_for_a_run_is_a_run(sent: str | None) -> None:
    """An object with an unknown `object` is a run if it shows what only runs have."""
    [row] = decode(
        page({"id": "run_1", "status": "queued", "object": sent} if sent else {"id": "run_1", "status": "x"})
    ).rows["runs"]
    assert (row["run_id"], row["object"]) == ("run_1", sent)


def test_a_run_with_a_list_named_data_is_no_page() -> None:
    """An object whose `object` says that it is a run is one, even with a list in `data`."""
    [row] = decode(b'{"id": "run_1", "object": "thread.run", "status": "queued", "data": [{"a": 1}]}').rows["runs"]
    assert row["extra"] == '{"data":[{"a": 1}]}'
    seen = decode(b'{"id": "run_1", "status": "queued", "data": [{"id": "a", "object": "thread.run", "status": "b"}]}')
    assert (seen.ids, seen.pages) == (["run_1"], 0)
    assert (
        reject_of(b'{"id": "run_1", "object": "thread.run", "data": []}').reason
        == "Object missing required field `status`"
    )


def test_places_count_everything() -> None:
    """Positions in an input count runs, rejects and skipped items; lines are numbered from 1."""
    bad = {"id": "run_bad"}
    items = [run(0), {"id": "x", "object": "thread.message"}, bad, run(3), bad]
    seen = decode("\n".join(map(json.dumps, items)).encode())
    assert [row["observed_position"] for row in seen.rows["runs"]] == [0, 3]
    assert [(reject.position, reject.line) for reject in seen.rejects] == [(2, 3), (4, 5)]
    seen = decode(json.dumps({"data": items}, indent=1).encode())
    assert [(reject.position, reject.line) for reject in seen.rejects] == [(2, 12), (4, 20)]
