"""JSON objects: all members are found, and a repeated key is an error that names it."""

import json
from copy import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import DecodeError

from runmart.ingest.parse.json_object import UnfitError, json_object, object_members
from runmart.ingest.parse.repeated_keys import columns_may_repeat_key
from runmart.models.record_columns import RecordColumns
from runmart.models.records import LastError
from tests.support.payloads import decode, reject_of, run

FULL: dict[str, Any] = run(
    1,
    created_at=1,
    model="a: b",
    metadata={"a": "b", "c": "d"},
    usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    last_error={"code": "x", "message": "a: b"},
    incomplete_details={"reason": "x"},
    truncation_strategy={"type": "auto", "last_messages": None},
    tools=[{"type": "function", "function": {"name": "f", "parameters": {"a": "b"}, "strict": True}}],
    effort="high",
)
PLACES: dict[str, tuple[str | int, ...]] = {
    "$": (),
    "$.usage": ("usage",),
    "$.last_error": ("last_error",),
    "$.incomplete_details": ("incomplete_details",),
    "$.truncation_strategy": ("truncation_strategy",),
    "$.tools[0]": ("tools", 0),
    "$.tools[0].function": ("tools", 0, "function"),
}


def _with_twice(value: Any, place: tuple[str | int, ...], key: str, again: str, at: int) -> str:
    """The JSON of `value`, with `key` repeated in the object at `place`."""
    if not place:
        members = [f"{json.dumps(name)}: {json.dumps(member)}" for name, member in value.items()]
        members.insert(at, f"{json.dumps(key)}: {again}")
        return "{" + ", ".join(members) + "}"
    head, *rest = place
    inner = _with_twice(value[head], tuple(rest), key, again, at)
    marked: Any = copy(value)
    marked[head] = "\0here"
    return json.dumps(marked).replace(json.dumps("\0here"), inner)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=5), st.booleans())
def test_members_are_kept_as_sent(sent: dict[str, str], ascii_only: bool) -> None:
    """Members keep their bytes, and can be put together to the same object with sorted names."""
    found = object_members(json.dumps(sent, ensure_ascii=ascii_only).encode())
    assert {name: bytes(value) for name, value in found.items()} == {
        name: json.dumps(value, ensure_ascii=ascii_only).encode() for name, value in sent.items()
    }
    text = json_object([(name, bytes(value)) for name, value in found.items()])
    assert text is None if not sent else list(json.loads(text or b"").items()) == sorted(sent.items())


@pytest.mark.parametrize("text", [b'{"a": 1, "a": 1}', b'{"a": 1, "\\u0061": 2}', b'{"a:b": 1, "a:b": ":"}'])
def test_a_name_that_is_there_twice_is_refused(text: bytes) -> None:
    """A repeated name is refused, since one of its values would be lost."""
    with pytest.raises(UnfitError, match="is there twice, and only one of its values could be kept") as refused:
        object_members(text, "$.usage")
    assert refused.value.json_path == "$.usage"


@pytest.mark.parametrize("text", [b"[]", b"1", b'"a"', b"null"])
def test_only_objects_have_members(text: bytes) -> None:
    """JSON other than an object is refused."""
    with pytest.raises(DecodeError):
        object_members(text)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(PLACES)),
    st.data(),
    st.sampled_from(["null", '"x"', "1", "{}", '{"a": "b"}', '["a:b"]']),
    st.integers(0, 20),
    st.sampled_from(["{}", "[{}]", '{{"object": "list", "data": [{}]}}']),
)
def test_a_key_that_is_there_twice_is_rejected(path: str, data: st.DataObject, again: str, at: int, frame: str) -> None:
    """A run with a repeated key is rejected, and the reason names the key."""
    inner: Any = FULL
    for step in PLACES[path]:
        inner = inner[step]
    key = data.draw(st.sampled_from(sorted(inner)))
    seen = decode(frame.format(_with_twice(FULL, PLACES[path], key, again, at)).encode())
    assert seen.ids == []
    [reject] = seen.rejects
    assert reject.reason == f"the key `{key}` is there twice, and only one of its values could be kept"
    assert reject.json_path == {"{}": "$", "[{}]": "$[0]"}.get(frame, "$.data[0]") + path.removeprefix("$")


@pytest.mark.parametrize("key", ["object", "data", "first_id", "has_more", "more"])
def test_a_page_that_has_a_key_twice_is_rejected_whole(key: str) -> None:
    """A page with a repeated key, `data` or another, becomes one reject."""
    text = '{"object": "list", "data": [], "first_id": "a", "has_more": true, "more": 1, "KEY": []}'.replace("KEY", key)
    reject = reject_of(text.encode())
    assert reject.raw == text.encode()
    assert reject.reason == f"the key `{key}` is there twice, and only one of its values could be kept"


def test_what_is_skipped_has_no_key_twice() -> None:
    """A run with a repeated `object` key is not skipped as a message."""
    reject = reject_of(b'{"id": "run_1", "object": "thread.run", "status": "queued", "object": "thread.message"}')
    assert reject.reason == "the key `object` is there twice, and only one of its values could be kept"


def test_metadata_is_kept_as_it_was_sent() -> None:
    """What is kept as JSON is kept byte for byte, even with a key twice."""
    [row] = decode(b'{"id": "run_1", "object": "thread.run", "status": "queued", "metadata": {"a":1,"a":2}}').rows[
        "runs"
    ]
    assert row["metadata"] == '{"a":1,"a":2}'


@pytest.mark.parametrize(
    ("text", "balances"),
    [
        (b'[{"code": "a:b", "message": null}]', True),
        (b'[{"code": "a:b"}]', True),
        (b'[{"code": "x", "code": "a:b"}]', False),
        (b'[{"message": "x:y", "message": "z"}]', False),
        (b'[{"code": "a\\u003ab"}]', False),
        (b'[{"code": "x", "code": "a\\u003ab"}]', False),
    ],
)
def test_the_ledger_balances_when_nothing_was_lost(text: bytes, balances: bool) -> None:
    """No key can be repeated if the records explain all colons of the text."""
    records = msgspec.json.decode(text, type=list[LastError])
    sent = RecordColumns(LastError)
    sent.add(records)
    assert columns_may_repeat_key([text], sent) is not balances
