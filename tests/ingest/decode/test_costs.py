"""The cost that usage reports is stored in US dollars, whoever reports it; what is no cost stays in the details."""

import json
from typing import Any

import pytest

from tests.support.paths import RESPONSES
from tests.support.payloads import decode, run

RECORDED = {
    "pydantic-ai/070-test_openrouter_responses_prompt_cache_e2e-0.json": [0.025265],
    "pydantic-ai/071-test_openrouter_responses_prompt_cache_e2e-1.json": [0.002196],
    "pydantic-ai/149-test_openai_responses_raw_cot_stream_openrouter-0.sse": [0.0000113],
    "pydantic-ai/170-test_gateway_provider_with_openai_responses-0.json": [0.00009625000000000001],
}
"""Every recorded response that reports a cost."""


@pytest.mark.parametrize("file", RECORDED)
def test_recorded_costs_are_stored(file: str) -> None:
    """The recorded answers of OpenRouter and of Pydantic AI's gateway have the cost that was sent."""
    rows = decode((RESPONSES / file).read_bytes()).rows["usage"]
    assert [row["reported_cost"] for row in rows] == RECORDED[file]
    assert [row["reported_cost_currency"] for row in rows] == ["USD"]


def cost(**usage: Any) -> tuple[float | None, str | None, dict[str, Any]]:
    """The cost of a usage, its currency, and the details that are kept."""
    seen = decode(json.dumps(run(1, usage={"total_tokens": 3, **usage})).encode())
    assert seen.rejects == []
    [row] = seen.rows["usage"]
    return row["reported_cost"], row["reported_cost_currency"], json.loads(row["details"] or "{}")


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"cost_in_usd_ticks": 160_708_500}, 0.01607085),
        ({"cost": 0}, 0.0),
        ({"cost": "0.25"}, 0.25),
        ({"cost": 0.5, "pydantic_ai_gateway": {"cost_estimate": 0.4}, "cost_in_usd_ticks": 3}, 0.5),
        ({"cost": None, "pydantic_ai_gateway": {"cost_estimate": 0.4}, "cost_in_usd_ticks": 3}, 3e-10),
        ({"cost": None}, None),
        ({"cost": {"total": 0.5}}, None),
        ({"cost": "cheap"}, None),
        ({"cost": "NaN"}, None),
        ({"cost": [1, 2]}, None),
        ({"pydantic_ai_gateway": "down"}, None),
        ({"pydantic_ai_gateway": {}}, None),
    ],
)
def test_a_cost_is_stored_and_kept_as_sent(usage: dict[str, Any], expected: float | None) -> None:
    """The server's own cost comes first; the details keep all as sent, also what is no cost."""
    assert cost(**usage) == (expected, None if expected is None else "USD", usage)


def test_usage_without_costs_has_none() -> None:
    """Runs that report tokens only, of which all are decoded by one call, report no cost."""
    lines = [json.dumps(run(number, usage={"total_tokens": number})) for number in range(3)]
    rows = decode("\n".join(lines).encode()).rows["usage"]
    assert [(row["total_tokens"], row["reported_cost"], row["reported_cost_currency"]) for row in rows] == [
        (number, None, None) for number in range(3)
    ]
