"""Every normalisation rule, tested through the decoder."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from runmart.ingest.decode.decoder import Decoder
from runmart.ingest.parse.blocks import Block
from runmart.models.quirks import CHOICES, FLAGS, MEMBERS, QUIRKS, RENAMED, TEXTS, Quirk
from runmart.models.statuses import STEP_OBJECT
from runmart.models.tables.steps import batch
from tests.support.payloads import ORIGIN, Seen, decode, page, run


def _nested(path: str, value: str) -> str:
    """The JSON of a value within a field."""
    for step in reversed(path.split(".")):
        name, is_list = step.removesuffix("[]"), step.endswith("[]")
        value = f'{{"{name}": [{value}]}}' if is_list else f'{{"{name}": {value}}}'
    return value[1:-1]


def _with(path: str, value: str) -> bytes:
    object_name = STEP_OBJECT if path.startswith("step_details") else "thread.run"
    others = {"id": "run_1", "object": object_name, "status": "queued"}
    others.pop(path, None)
    return f"{json.dumps(others)[:-1]}, {_nested(path, value)}}}".encode()


def _taken(data: bytes) -> Seen:
    seen = decode(data)
    assert (seen.ids, seen.rejects) == (["run_1"], [])
    return seen


def _stored(data: bytes) -> Any:
    """The rows of a run, or the columns of a step."""
    if STEP_OBJECT.encode() not in data:
        return _taken(data).rows
    decoded = Decoder().decode([(Block(data), ORIGIN)])
    assert not any(decoded.rejects)
    return batch(decoded.steps).to_pylist()


EXAMPLES = {
    ("list of one value", "id"): ('["run_1"]', '"run_1"'),
    ("list of one value", "parallel_tool_calls"): ("[true]", "true"),
    ("JSON in quotes", "tools"): ('"[{\\"type\\": \\"mcp\\"}]"', '[{"type":"mcp"}]'),
    **{("list of one value", path): ("[false]", "false") for path in FLAGS},
    **{("list of one value", path): ('["auto"]', '"auto"') for path in (*TEXTS[1:], *MEMBERS, *CHOICES)},
}
"""Examples for fields of which the first of a rule is no example."""


def _fields() -> Iterator[Any]:
    for quirk in QUIRKS:
        for field in quirk.fields:
            if (field, quirk.example[1]) not in {("id", "null"), ("status", "null")}:  # a run must have both
                yield pytest.param(quirk, field, id=f"{quirk.name}-{field}")


@pytest.mark.parametrize("frame", [b"%s", b"[%s]", b'{"data": [%s]}'])
@pytest.mark.parametrize(("quirk", "field"), list(_fields()))
def test_what_is_sent_is_stored_as_what_it_means(quirk: Quirk, field: str, frame: bytes) -> None:
    """Each rule normalises its example in each field that it names."""
    sent, stored = EXAMPLES.get((quirk.name, field), quirk.example)
    assert quirk.sent(sent.encode())
    assert _stored(frame % _with(field, sent)) == _stored(frame % _with(field, stored))


@pytest.mark.parametrize("quirk", QUIRKS, ids=lambda quirk: quirk.name)
def test_the_meaning_is_not_what_nothing_means(quirk: Quirk) -> None:
    """The normalised value differs from a missing field, unless the rule is a spelling of null."""
    sent, stored = quirk.example
    field = quirk.fields[0]
    absent = _taken(b'{"id": "run_1", "object": "thread.run", "status": "queued"}').rows
    assert (_taken(_with(field, sent)).rows == absent) is (stored == "null")


@pytest.mark.parametrize("quirk", QUIRKS, ids=lambda quirk: quirk.name)
def test_a_rule_explains_itself(quirk: Quirk) -> None:
    """Each rule has fields, an example and a reason, for the documentation."""
    assert all([quirk.name, quirk.fields, quirk.why])
    assert quirk.example[0] != quirk.example[1]


@pytest.mark.parametrize("date", ["2024", "202409", "20240925", "202409251015", "20240925101500"])
def test_the_digits_of_a_date_are_no_instant(date: str) -> None:
    """Read as seconds or milliseconds they would lie decades away from what they say."""
    seen = decode(_with("created_at", f'"{date}"'))
    assert (seen.ids, [reject.json_path for reject in seen.rejects]) == ([], ["$.created_at"])


def _run(*values: tuple[str, Any]) -> dict[str, Any]:
    """A run with values at the ends of paths."""
    found: dict[str, Any] = run(1)
    for path, value in values:
        *outer, last = path.split(".")
        inner = found
        for step in outer:
            inner = inner.setdefault(step, {})
        inner[last] = value
    return found


VALUES: dict[str, Any] = {
    "assistant_id": "asst_1",
    "usage.prompt_tokens_details": {"cached_tokens": 3},
    "usage.completion_tokens_details": {"reasoning_tokens": 4},
}
OTHERS: dict[str, Any] = {
    "assistant_id": "agent_1",
    "usage.prompt_tokens_details": {"cached_tokens": 99},
    "usage.completion_tokens_details": {"reasoning_tokens": 99},
}


def _inmost(value: Any) -> Any:
    while hasattr(value, "values"):
        [value] = value.values()
    return value


@pytest.mark.parametrize(("sent", "counts_as"), [(sent, counts_as) for sent, counts_as, _ in RENAMED])
def test_a_renamed_field_counts_as_the_known_one(sent: str, counts_as: str) -> None:
    """A renamed field fills the same columns; `details` keeps the name as sent."""
    value = VALUES.get(counts_as, 5)
    renamed, known = (_taken(page(_run((path, value)))).rows for path in (sent, counts_as))
    for rows in (renamed, known):
        for row in rows["usage"]:
            details = row.pop("details")
            assert details is None or _inmost(json.loads(details)) == _inmost(value)
    assert renamed == known
    assert renamed != _taken(page(run(1))).rows


@pytest.mark.parametrize(("sent", "counts_as"), [(sent, counts_as) for sent, counts_as, _ in RENAMED])
def test_the_known_name_comes_first_and_the_other_is_kept(sent: str, counts_as: str) -> None:
    """If both names are sent, the known one fills the column, and the other is kept as JSON."""
    value: Any = VALUES.get(counts_as, 5)
    other: Any = OTHERS.get(counts_as, 99)
    both_rows = _taken(page(_run((counts_as, value), (sent, other)))).rows
    alone_rows = _taken(page(_run((counts_as, value)))).rows
    table, column = ("usage", "details") if "." in sent else ("runs", "extra")
    kept = json.loads(both_rows[table][0].pop(column))
    assert kept[sent.rpartition(".")[2]] == other
    alone_rows[table][0].pop(column)
    assert both_rows == alone_rows


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("created_at", '"yesterday"', 'Expected Unix seconds, got `"yesterday"`'),
        ("created_at", "true", "Expected Unix seconds, got `true`"),
        ("max_prompt_tokens", '"many"', "Expected `int | null`, got `str`"),
        ("max_prompt_tokens", "2.5", "Expected `int | null`, got `float`"),
        ("temperature", '{"a": 1}', "Expected `float | null`, got `object`"),
        ("parallel_tool_calls", '"yes"', "Expected `bool | null`, got `str`"),
        ("parallel_tool_calls", "1", "Expected `bool | null`, got `int`"),
        ("metadata", '["a"]', 'Expected an object or null, got `["a"]`'),
        ("tools", '"all"', "Expected `array`, got `str`"),
        ("last_error", "[1]", "Expected `object`, got `array`"),
        ("truncation_strategy", '"auto"', "Expected `object`, got `str`"),
    ],
)
def test_a_misfit_without_a_rule_is_rejected(field: str, value: str, reason: str) -> None:
    """A value without a rule is rejected with its reason, JSON path and text."""
    data = _with(field, value)
    seen = decode(data)
    assert seen.ids == []
    [reject] = seen.rejects
    assert (reject.reason, reject.json_path, reject.raw) == (reason, f"$.{field}", data)
