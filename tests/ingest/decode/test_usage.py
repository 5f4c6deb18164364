"""Tokens under the names of other vendors."""

import json
from typing import Any

import pytest

from tests.support.outcome import outcome
from tests.support.payloads import decode, page, run

TOTAL = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}


def _numbers(value: Any) -> list[float]:
    """All numbers in a value, in quotes too."""
    if isinstance(value, dict):
        return sorted(number for one in value.values() for number in _numbers(one))  # pyright: ignore
    return [] if value is None else [float(value)]


@pytest.mark.parametrize(
    ("sent", "cached", "reasoning"),
    [
        ({"prompt_cache_hit_tokens": 900, "prompt_cache_miss_tokens": 100}, 900, None),
        ({"cached_tokens": 900}, 900, None),
        ({"cachedTokens": "900"}, 900, None),
        ({"promptCacheHitTokens": 900.0}, 900, None),
        ({"prompt_tokens_details": {"cached_tokens": 800}, "prompt_cache_hit_tokens": 900}, 800, None),
        ({"prompt_tokens_details": {"cached_tokens": None}, "cached_tokens": 900}, 900, None),
        ({"prompt_tokens_details": {"audio_tokens": 1}, "cached_tokens": 900}, 900, None),
        ({"prompt_tokens_details": None, "cached_tokens": 900}, 900, None),
        ({"prompt_cache_hit_tokens": 0, "cached_tokens": 900}, 0, None),
        ({"input_token_details": {"cached_tokens": 900, "text_tokens": 100}}, 900, None),
        ({"promptTokensDetails": {"CachedTokens": 900, "other": 1}}, 900, None),
        ({"prompt_tokens_details": {"cachedTokens": 900}}, 900, None),
        ({"reasoning_tokens": 40}, None, 40),
        ({"reasoning_tokens": 100}, None, 100),
        ({"reasoning_tokens": 101}, None, None),  # no part of the completion
        ({"reasoning_tokens": 40, "reasoningTokens": None}, None, 40),
        ({"output_token_details": {"reasoning_tokens": 40}}, None, 40),
        ({"completion_token_details": {"reasoning_tokens": 40}}, None, 40),
        ({"completion_tokens_details": {"reasoning_tokens": 40}, "reasoning_tokens": 50}, None, 40),
        ({"cache_read_input_tokens": 900, "cache_creation_input_tokens": 5}, None, None),
        ({"cachedContentTokenCount": 900, "thoughtsTokenCount": 40}, None, None),
        ({"citation_tokens": 900}, None, None),
    ],
)
def test_parts_of_tokens_are_found_where_their_meaning_is_certain(
    sent: dict[str, Any], cached: int | None, reasoning: int | None
) -> None:
    """Cached and reasoning tokens are found under other names; what means something else stays in `details`."""
    found = outcome(run(1, usage=TOTAL | sent)).usage
    assert (found["cached_prompt_tokens"], found["reasoning_tokens"]) == (cached, reasoning)
    assert (found["prompt_tokens"], found["total_tokens"]) == (1000, 1100)
    assert _numbers(json.loads(found["details"])) == _numbers(sent)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"promptTokens": 5, "completionTokens": 6, "totalTokens": 11}, (5, 6, 11)),
        ({"PromptTokens": "5", "CompletionTokens": "6", "TotalTokens": "11"}, (5, 6, 11)),
        ({"inputTokens": 5, "outputTokens": 6, "totalTokens": 11}, (5, 6, 11)),
        ({"input-tokens": 5, "output tokens": 6, "TOTAL_TOKENS": 11}, (5, 6, 11)),
        ({"prompt_tokens": 5, "promptTokens": 7, "completion_tokens": 6, "total_tokens": 11}, (5, 6, 11)),
        ({"prompt_tokens": None, "promptTokens": 5, "completion_tokens": 6, "total_tokens": 11}, (5, 6, 11)),
        ({"promptTokenCount": 5, "completionTokens": 6, "totalTokens": 11}, (None, 6, 11)),
    ],
)
def test_counts_are_found_in_other_spellings(sent: dict[str, Any], expected: tuple[int | None, ...]) -> None:
    """Token counts are found in camelCase; of two spellings the API's own counts, and the other stays in `details`."""
    found = outcome(run(1, usage=sent)).usage
    assert (found["prompt_tokens"], found["completion_tokens"], found["total_tokens"]) == expected
    if sent.get("promptTokens") == 7:
        assert json.loads(found["details"]) == {"promptTokens": 7}


def test_reasoning_beside_no_completion_is_no_part_of_it() -> None:
    """Where no token was completed, reasoning tokens are counted beside it; unknown completions say nothing."""
    assert outcome(run(1, usage={"completion_tokens": 0, "reasoning_tokens": 40})).usage["reasoning_tokens"] is None
    assert outcome(run(1, usage={"total_tokens": 0, "reasoning_tokens": 40})).usage["reasoning_tokens"] == 40


def test_runs_of_several_vendors_keep_their_own_tokens() -> None:
    """Runs with and without foreign names, in one page, have each their own tokens."""
    usages = [TOTAL | {"cached_tokens": 900}, TOTAL, None, {"promptTokens": "5"}, TOTAL | {"prompt_tokens": 7.0}]
    rows = decode(page(*(run(number, usage=usage) for number, usage in enumerate(usages)))).rows["usage"]
    found = [(row["run_id"], row["prompt_tokens"], row["cached_prompt_tokens"]) for row in rows]
    assert found == [
        ("run_0", 1000, 900),
        ("run_1", 1000, None),
        ("run_3", 5, None),
        ("run_4", 7, None),
    ]


@pytest.mark.parametrize(
    "sent",
    [
        {"last_error": {"code": "", "message": ""}, "incomplete_details": {"reason": None}},
        {"last_error": {"code": None, "message": None}, "incomplete_details": {"reason": ""}},
        {"last_error": {"Code": [], "Message": ""}},
        {"last_error": {"code": "", "param": None}},
        {"last_error.code": "", "last_error.message": ""},
        {"last_error": '{"code": "", "message": ""}'},
        {"incomplete_details": {"reason": "", "more": {}}},
    ],
)
def test_a_problem_with_nothing_in_it_is_none(sent: dict[str, Any]) -> None:
    """An error and incomplete details whose members are all empty make no row in `errors`."""
    assert outcome(run(1, **sent)).rows["errors"] == []


@pytest.mark.parametrize(
    ("sent", "row"),
    [
        ({"last_error": {"code": "", "message": "no"}}, ("", "no")),
        ({"last_error": {"code": "x", "message": ""}}, ("x", "")),
        ({"last_error": {"code": "", "param": "model"}}, ("", None)),
    ],
)
def test_a_problem_with_anything_in_it_is_one(sent: dict[str, Any], row: tuple[str, str | None]) -> None:
    """One member with content, be it unknown, makes a row; unknown ones are kept in `extra`."""
    found = outcome(run(1, **sent))
    assert [(one["code"], one["message"]) for one in found.rows["errors"]] == [row]
    has_unknown = not {"param", "more"}.isdisjoint(*sent.values())
    assert (found.run["extra"] and json.loads(found.run["extra"])) == (sent if has_unknown else None)
