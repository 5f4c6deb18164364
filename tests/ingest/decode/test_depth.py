"""The limit on nesting: the text alone decides, in each field and on each way of decoding."""

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runmart.ingest.decode.steps import step
from runmart.ingest.parse.depth import TOO_DEEP, refuse_deep
from runmart.ingest.parse.json_object import UnfitError
from runmart.models.depth import MAX_DEPTH, depth, is_deeper
from tests.fuzz.law import Cut, check_all
from tests.support.outcome import outcome
from tests.support.payloads import ORIGIN, decode, page, run


def _nested(levels: int) -> Any:
    """A list of so many levels."""
    found: Any = []
    for _ in range(levels - 1):
        found = [found]
    return found


PLACES: dict[str, tuple[Callable[[Any], dict[str, Any]], int]] = {
    # place: (the field with something deep in it, levels around that, the run's own included)
    "metadata": (lambda deep: {"metadata": {"a": deep}}, 2),
    "tools": (lambda deep: {"tools": [{"type": "mcp", "headers": deep}]}, 3),
    "parameters": (lambda deep: {"tools": [{"type": "function", "function": {"name": "f", "parameters": deep}}]}, 4),
    "extra": (lambda deep: {"more": deep}, 1),
    "required_action": (lambda deep: {"required_action": {"type": "x", "more": deep}}, 2),
    "last_error": (lambda deep: {"last_error": {"code": "x", "more": deep}}, 2),
    "response_format": (lambda deep: {"response_format": {"type": "json_schema", "json_schema": deep}}, 2),
    "tool_choice": (lambda deep: {"tool_choice": {"type": "x", "more": deep}}, 2),
    "usage": (lambda deep: {"usage": {"prompt_tokens": 1, "more": deep}}, 2),
    "usage details": (lambda deep: {"usage": {"prompt_tokens": 1, "prompt_tokens_details": {"more": deep}}}, 3),
    "a column": (lambda deep: {"usage.more": deep}, 2),
    "camelCase": (lambda deep: {"lastError": {"code": "x", "more": deep}}, 2),
    "JSON in quotes": (lambda deep: {"metadata": json.dumps({"a": deep})}, 2),
    "quotes in an object": (
        lambda deep: {"usage": {"prompt_tokens": 1, "prompt_tokens_details": json.dumps({"more": deep})}},
        3,
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_the_limit_is_the_same_everywhere(place: str) -> None:
    """A run of exactly the limit is stored, one level more is rejected, alone and amid a page."""
    field, around = PLACES[place]
    assert outcome(run(1, **field(_nested(MAX_DEPTH - around)))).reason is None
    for levels in (MAX_DEPTH - around + 1, MAX_DEPTH + 50):
        assert outcome(run(1, **field(_nested(levels)))).reason == TOO_DEEP
    assert str(MAX_DEPTH) in TOO_DEEP


@pytest.mark.parametrize("inner", ["1", json.dumps(run(1))])
@pytest.mark.parametrize(
    ("opening", "closing"),
    [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]"), ('{"object":"list","data":[', "]}"), ('{"runs":[', "]}")],
)
def test_any_depth_is_read_or_rejected(opening: str, closing: str, inner: str) -> None:
    """Values of any depth end neither the load nor, from some depth on, as anything but rejects."""
    rejected = list[bool]()
    for levels in (*range(100, 126, 5), *range(126, 140), 180, 220, *range(254, 260), 300, 450, 600, 999):
        [seen] = check_all([Cut(f"{opening * levels}{inner}{closing * levels}".encode(), 300, 100)])
        rejected.append(bool(seen.rejects))
    assert (rejected == sorted(rejected), rejected[-1]) == (True, True)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deep_texts_within_deep_texts_end_no_load(opening: str, closing: str) -> None:
    """Each level of texts within texts may be deep, and each is looked into once, not once for each level around it."""
    text = json.dumps(run(1))
    for _ in range(6):
        text = opening * 120 + json.dumps(text) + closing * 120
        [seen] = check_all([Cut(text.encode(), 300, 100)])
        assert seen.ids or seen.rejects


@pytest.mark.parametrize("place", PLACES)
def test_one_deep_run_is_found_among_many(place: str) -> None:
    """Runs whose brackets say nothing do not hide a deep one, nor do they share its fate."""
    field, around = PLACES[place]
    plain = [run(number, metadata={"a": "[{"} if number % 2 else None) for number in range(300)]
    deep = run(500, **field(_nested(MAX_DEPTH - around + 1)))
    seen = decode(page(*plain[:150], deep, *plain[150:]))
    assert len(seen.ids) == len(plain)
    assert [(reject.position, reject.reason) for reject in seen.rejects] == [(150, TOO_DEEP)]


@pytest.mark.parametrize("field", ["metadata", "tools", "usage", "last_error", "response_format"])
@pytest.mark.parametrize("levels", [MAX_DEPTH, 1_000, 100_000])
def test_json_in_quotes_may_be_as_deep_as_it_likes(field: str, levels: int) -> None:
    """A text in quotes that is nested beyond the stack is rejected for that, like any other."""
    deep = ("[" * levels + "]" * levels) if field == "tools" else '{"a":' * levels + "1" + "}" * levels
    assert outcome(run(1, **{field: deep})).reason == TOO_DEEP


def test_the_stack_does_not_decide() -> None:
    """What is accepted at the bottom of the stack is accepted high up on it."""
    text = json.dumps(run(1, metadata={"a": _nested(MAX_DEPTH - 2)})).encode()

    def from_above(frames: int) -> list[str]:
        return from_above(frames - 1) if frames else decode(text).ids

    assert from_above(sys.getrecursionlimit() // 2) == decode(text).ids == ["run_1"]


def test_steps_have_the_limit_too() -> None:
    """A step that is nested too deep is rejected."""
    for levels in (MAX_DEPTH - 1, MAX_DEPTH):
        text = json.dumps(
            {"id": "s", "status": "x", "step_details": {"type": "a", "more": _nested(levels - 1)}}
        ).encode()
        if levels < MAX_DEPTH:
            step(text, ORIGIN, 0)
        else:
            with pytest.raises(UnfitError, match=TOO_DEEP):
                step(text, ORIGIN, 0)


JSONS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text('[]{}"\\a', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[{"\\', max_size=3), inner, max_size=3),
    max_leaves=30,
)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0  # pyright: ignore


@given(JSONS, st.sampled_from([None, 1]))
def test_depth_is_that_of_the_value(value: Any, indent: int | None) -> None:
    """Brackets within texts do not count."""
    text = json.dumps(value, indent=indent).encode()
    levels = _depth(value)
    assert depth(text) == levels
    assert is_deeper(text, levels - 1)
    assert not is_deeper(text, levels)


def test_the_level_on_which_a_text_begins_counts() -> None:
    """A text deeper in a record may have fewer levels."""
    text = json.dumps(_nested(MAX_DEPTH)).encode()
    refuse_deep(text)
    with pytest.raises(UnfitError, match=TOO_DEEP):
        refuse_deep(text, level=2)
