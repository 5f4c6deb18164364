"""A second kind of record, declared here: its Struct and its spec are all that the stages need."""

import json
import re
from typing import Any

import msgspec
import pytest
from msgspec import UNSET, Raw, Struct, UnsetType, field

from runmart.ingest.decode.decoder import Decoder
from runmart.ingest.parse.blocks import Block
from runmart.ingest.transform.redact import Redactor
from runmart.models.record_spec import RecordSpec
from runmart.models.record_specs import RUN, SPECS
from runmart.models.records import ABSENT, Instant, Int64, NonEmpty
from runmart.models.redaction_policy import RedactionPolicy
from runmart.models.statuses import TERMINAL_STATUSES
from tests.support.payloads import ORIGIN, Seen, decode, page, reject_of, run


class BatchRecord(Struct, forbid_unknown_fields=True, gc=False):
    """A made-up record with the differences that kinds of records have: other names, texts within objects."""

    id: NonEmpty
    status: NonEmpty
    object: str | UnsetType | None = UNSET
    created_at: Instant | UnsetType | None = field(name="queued_at", default=UNSET)
    completed_at: Instant | UnsetType | None = UNSET
    model: str | UnsetType | None = UNSET
    max_completion_tokens: Int64 | UnsetType | None = field(name="max_output_tokens", default=UNSET)
    thread_id: Raw = field(name="conversation", default=ABSENT)
    last_error: Raw = field(name="error", default=ABSENT)
    truncation_strategy: Raw = field(name="truncation", default=ABSENT)
    response_format: Raw = field(name="text", default=ABSENT)
    instructions: Raw = field(name="prompt", default=ABSENT)
    tools: Raw = ABSENT
    metadata: Raw = ABSENT
    usage: Raw = ABSENT


def _member(name: str, sent: bytes) -> bytes:
    members = msgspec.json.decode(sent, type=dict[str, Raw]) if sent[:1] == b"{" else {}
    return bytes(members.get(name, sent))


BATCH = RecordSpec(
    object="batch",
    record=BatchRecord,
    events=re.compile(r"batch\.\w+\Z"),
    event_member="batch",
    terminal_statuses=("done",),
    common=frozenset(
        {"object", "status", "model", "thread_id", "last_error", "truncation_strategy", "response_format"}
    ),
    long=frozenset({"instructions", "tools", "usage"}),
    meanings={
        "thread_id": lambda sent: _member("id", sent),
        "response_format": lambda sent: _member("format", sent),
        "truncation_strategy": lambda sent: b'{"type":' + sent + b"}" if sent[:1] == b'"' else sent,
    },
    content={"instructions": "instructions"},
)
KINDS = (RUN, BATCH)
SENT: dict[str, Any] = {
    "id": "batch_1",
    "object": "batch",
    "status": "done",
    "queued_at": 1_700_000_000,
    "completed_at": 1_700_000_007,
    "model": "a:b",
    "max_output_tokens": 9,
    "conversation": {"id": "conv_1"},
    "error": {"code": "slow", "message": "It was: slow."},
    "truncation": "auto",
    "text": {"format": {"type": "text"}, "verbosity": "low"},
    "prompt": "Be kind.",
    "tools": [{"type": "function", "name": "look_up", "strict": True}],
    "metadata": {"team": "a"},
    "usage": {"input_tokens": 5, "output_tokens": 6, "total_tokens": 11},
    "output": [{"text": "Yes: I am."}],
}
ROW: dict[str, Any] = {
    "run_id": "batch_1",
    "object": "batch",
    "status": "done",
    "thread_id": "conv_1",
    "assistant_id": None,
    "model": "a:b",
    "instructions": "Be kind.",
    "max_completion_tokens": 9,
    "max_prompt_tokens": None,
    "temperature": None,
    "parallel_tool_calls": None,
    "started_at": None,
    "truncation_type": "auto",
    "response_format": '{"type":"text"}',
    "tool_choice": None,
    "tool_count": 1,
    "metadata": '{"team":"a"}',
    "extra": (
        '{"conversation":{"id":"conv_1"},"output":[{"text":"Yes: I am."}],'
        '"text":{"format":{"type":"text"},"verbosity":"low"}}'
    ),
}


class _Lenient(Decoder):
    """A decoder that decodes every record alone."""

    def _whole(self, block: Block) -> None:  # noqa: ARG002
        return None


def _text(*items: dict[str, Any], separator: str = "\n") -> bytes:
    return separator.join(json.dumps(item, separators=(",", ":")) for item in items).encode()


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def _is_batch(seen: Seen) -> bool:
    [row] = seen.rows["runs"]
    [usage], [tool], [error] = seen.rows["usage"], seen.rows["tools"], seen.rows["errors"]
    assert {name: row[name] for name in ROW} == ROW
    assert (row["created_at"].timestamp(), row["completed_at"].timestamp()) == (1_700_000_000, 1_700_000_007)
    assert [usage[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")] == [5, 6, 11]
    assert (tool["name"], tool["strict"], error["code"], error["message"]) == ("look_up", True, "slow", "It was: slow.")
    return seen.rejects == [] and seen.skipped == {}


@pytest.mark.parametrize("kind", [Decoder, _Lenient])
@pytest.mark.parametrize(
    "data",
    [
        b'{"object":"list","data":[' + _text(SENT) + b'],"has_more":false}',
        _text(SENT),
        b"[" + _text(SENT) + b"]",
        _event("batch.completed", {"type": "batch.completed", "batch": SENT}),
    ],
    ids=["page", "object", "array", "event"],
)
def test_a_record_of_a_second_kind_becomes_a_run(kind: type[Decoder], data: bytes) -> None:
    """A page, a single object, an array and an event of the kind fill the tables, decoded whole or alone."""
    assert _is_batch(decode(data, decoder=kind(KINDS)))


def test_a_block_of_the_second_kind_is_decoded_by_one_call() -> None:
    """The fast path serves each kind: its records have a column for a field that the spec does not declare."""
    decoder = Decoder(KINDS)
    for items in ([SENT] * 3, [run(1, effort="high")] * 2, [SENT] * 2):
        [found] = decoder.decode([(Block(page(*items)), ORIGIN)]).observations
        assert (len(found), "extra_0" in found.columns) == (len(items), True)


@pytest.mark.parametrize("kind", [Decoder, _Lenient])
def test_each_record_is_read_by_its_own_kind(kind: type[Decoder]) -> None:
    """Runs and records of another kind may come mixed, in any order; what does not say what it is, is a run."""
    unnamed = {"id": "run_2", "status": "queued", "thread_id": "thread_2"}
    items = [run(1, thread_id="thread_1"), SENT, unnamed, {**SENT, "id": "batch_2", "conversation": "conv_2"}]
    expected = {0: "thread_1", 1: "conv_1", 2: "thread_2", 3: "conv_2"}
    decoder = kind(KINDS)
    for data in (page(*items), _text(*items), b"[" + _text(*items, separator=",") + b"]"):
        seen = decode(data, decoder=decoder)
        assert {row["observed_position"]: row["thread_id"] for row in seen.rows["runs"]} == expected
        assert seen.rejects == []
    files = [(Block(_text(item)), ORIGIN) for item in items]
    found = decoder.decode(files).observations
    assert sorted(name for some in found for name in some.columns.array("thread_id").to_pylist()) == [
        "conv_1",
        "conv_2",
        "thread_1",
        "thread_2",
    ]


def test_a_record_that_fits_two_kinds_is_of_the_one_it_names() -> None:
    """What a record says that it is decides, even where all of its fields are known to another kind."""
    seen = decode(
        _text({"id": "batch_1", "object": "batch", "status": "done", "instructions": "x"}), decoder=Decoder(KINDS)
    )
    [row] = seen.rows["runs"]
    assert (row["instructions"], row["extra"]) == (None, '{"instructions":"x"}')


def test_a_stream_may_carry_both_kinds() -> None:
    """An event is read as the kind that its name promises; events of items within a record are skipped."""
    data = (
        _event("thread.run.created", run(1))
        + _event("batch.created", {"batch": SENT})
        + _event("batch.output.delta", {"delta": "Y", "id": "x", "object": "batch.delta"})
        + b"event: batch.completed\n\n"
    )
    seen = decode(data, decoder=Decoder(KINDS))
    assert (sorted(seen.ids), seen.skipped) == (["batch_1", "run_1"], {"batch.output.delta": 1})
    assert [reject.reason for reject in seen.rejects] == ["the event has no data: a truncated stream?"]


def test_without_its_spec_the_kind_is_skipped() -> None:
    """An object of the API that has no spec is counted and skipped, as it is today."""
    seen = decode(page(run(1), SENT))
    assert (seen.ids, seen.skipped) == (["run_1"], {"batch": 1})


@pytest.mark.parametrize(
    ("fields", "reason", "path"),
    [
        ({"error": {"code": 500}}, "Expected `str | null`, got `int`", "$.error.code"),
        ({"prompt": 12}, "Expected `str | null`, got `int`", "$.prompt"),
        ({"conversation": {"id": 12}}, "Expected `str | null`, got `int`", "$.conversation"),
        ({"queued_at": "soon"}, 'Expected Unix seconds, got `"soon"`', "$.queued_at"),
        ({"max_output_tokens": "x"}, "Expected `int | null`, got `str`", "$.max_output_tokens"),
    ],
)
def test_a_reject_names_the_field_as_sent(fields: dict[str, Any], reason: str, path: str) -> None:
    """Reason and JSON path are in the words of what was sent."""
    seen = decode(page({**SENT, **fields}, SENT), decoder=Decoder(KINDS))
    [reject] = seen.rejects
    assert (seen.ids, reject.reason, reject.json_path) == (["batch_1"], reason, "$.data[0]" + path.removeprefix("$"))


@pytest.mark.parametrize("place", ['"status":"done"', '"code":"slow"', '"total_tokens":11', '"name":"look_up"'])
def test_a_repeated_key_is_found_in_each_kind(place: str) -> None:
    """At any depth, a repeated key is rejected in records of each kind."""
    text = _text(SENT).replace(place.encode(), f"{place},{place}".encode())
    seen = decode(b'{"data":[' + text + b"]}", decoder=Decoder(KINDS))
    assert seen.ids == []
    [reject] = seen.rejects
    assert reject.reason.startswith("the key `")


def test_quirks_hold_for_each_kind() -> None:
    """A quirk of a field holds for it under another name, too."""
    seen = decode(_text({**SENT, "queued_at": "1700000000", "max_output_tokens": "9"}), decoder=Decoder(KINDS))
    assert _is_batch(seen)


def test_the_redactor_knows_the_fields_of_each_kind() -> None:
    """Content is redacted under the name that it was sent by; ids, instants, codes and counts stay."""
    redactor = Redactor(
        RedactionPolicy(dict.fromkeys(("instructions", "error_messages", "extra", "tools"), "drop")), KINDS
    )
    redacted = json.loads(redactor.document(page(SENT, run(1, instructions="Be kind.", prompt="Secret"))) or b"")
    batch, other = redacted["data"]
    assert "Be kind." not in str(redacted)
    assert "Secret" not in str(redacted)
    assert (batch["queued_at"], batch["max_output_tokens"], batch["error"]) == (1_700_000_000, 9, {"code": "slow"})
    assert batch["usage"] == SENT["usage"]
    assert batch.keys().isdisjoint({"prompt", "output", "conversation"})
    assert other == run(1)


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ({"extra": "drop"}, None),
        ({"error_messages": "drop"}, {"error": {"code": "x"}, "more": "Be kind."}),
    ],
)
def test_extra_follows_the_rules_of_each_kind(rules: dict[Any, Any], left: dict[str, Any] | None) -> None:
    """In `extra`, the rule for unknown fields and that of the kind that knows the field both hold."""
    redactor = Redactor(RedactionPolicy({"extra": "keep", **rules}), KINDS)
    sent = {"error": {"code": "x", "message": "Be kind.", "more": 1}, "more": "Be kind."}
    found = redactor.json("extra", json.dumps(sent))
    assert (None if found is None else json.loads(found)) == left


def test_terminal_statuses_are_those_of_all_kinds() -> None:
    """What ends a record of any kind ends a run."""
    assert {status for spec in SPECS for status in spec.terminal_statuses} == set(TERMINAL_STATUSES)
    assert reject_of(b'{"object":"thread.run"}').reason.startswith("Object missing required field")
