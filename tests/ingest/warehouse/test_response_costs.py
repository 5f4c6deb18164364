"""Costs of responses, to the last digit that a server or gateway reported."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import command
from tests.support.paths import ROOT
from tests.support.warehouse import query, write

RECORDED = ROOT / "tests" / "data" / "responses" / "pydantic-ai"

XAI_PRICES = """provider,model,valid_from,input,cached_input,output,currency,source,tool,per_call
xai,grok-4.3,2026-01-01,1.25,0.2,2.5,USD,https://docs.x.ai/docs/models,,
xai,grok-4.3,2026-01-01,,,,USD,https://docs.x.ai/docs/models,web_search_call,0.005
"""


def _cents(value: float) -> str:
    """An amount with as many digits as are reported."""
    return f"{value:.8f}"


def test_tokens_written_to_the_cache_cost_what_was_reported(warehouse: Path) -> None:
    """4,012 of 4,020 tokens written: 4,012 x 6.25 + 8 x 5 + 5 x 30 = 25,265 millionths; read, it is 2,196."""
    files = sorted(RECORDED.glob("07[01]-test_openrouter_responses_prompt_cache_e2e-*.json"))
    reported = [json.loads(file.read_text())["usage"]["cost"] for file in files]
    assert reported == [0.025265, 0.002196]
    assert command("ingest", *files, "-w", warehouse).returncode == 0
    assert query(warehouse, "select is_priced from run_costs") == [(False,), (False,)]
    assert command("prices", "alias", "openai/gpt-5.6-sol", "gpt-5.6-sol", "-w", warehouse).returncode == 0
    rows = query(
        warehouse,
        """select cost, uncached_input_cost, cached_input_cost, cache_write_cost, output_cost, is_tier_priced
        from run_costs order by created_at""",
    )
    assert [_cents(row[0]) for row in rows] == [_cents(one) for one in reported]
    assert [tuple(map(_cents, row[1:5])) for row in rows] == [
        ("0.00004000", "0.00000000", "0.02507500", "0.00015000"),
        ("0.00004000", "0.00200600", "0.00000000", "0.00015000"),
    ]
    assert [row[5] for row in rows] == [True, True]


def _searched(actions: list[Any]) -> dict[str, Any]:
    """What a response of xAI with web searches reports; its texts are left out."""
    calls = [{"type": "web_search_call", "status": "completed", "action": action} for action in actions]
    usage = {"input_tokens": 5689, "output_tokens": 444, "total_tokens": 6133, "cost_in_usd_ticks": 160708500}
    usage |= {"input_tokens_details": {"cached_tokens": 2048}, "num_server_side_tools_used": 2}
    response = {"id": "fe1da043", "object": "response", "status": "completed", "created_at": 1786400826}
    return {**response, "model": "grok-4.3", "service_tier": "default", "usage": usage, "output": calls}


@pytest.mark.parametrize("others", [[], [{"type": "open_page"}, {"type": "find_in_page"}]], ids=["recorded", "pages"])
def test_the_fees_of_searches_are_part_of_the_cost(
    pages: Path, warehouse: Path, tmp_path: Path, others: list[Any]
) -> None:
    """Tokens explain 0.00607085 of 0.01607085, two searches the rest; opening a page is no search."""
    sent = _searched([{"type": "search", "query": "secret"}, {"type": "search"}, *others])
    write(pages / "1.json", json.dumps(sent).encode())
    assert command("ingest", pages, "-w", warehouse).returncode == 0
    (tmp_path / "prices.csv").write_text(XAI_PRICES)
    assert command("prices", "import", tmp_path / "prices.csv", "-w", warehouse).returncode == 0
    assert command("prices", "alias", "grok-4.3", "grok-4.3", "--provider", "xai", "-w", warehouse).returncode == 0
    columns = "token_cost, tool_cost, cost, tool_calls, unpriced_tool_calls"
    [(*costs, calls, unpriced)] = query(warehouse, f"select {columns} from run_costs")
    assert [_cents(one) for one in costs] == ["0.00607085", "0.01000000", "0.01607085"]
    assert (calls, unpriced) == (2, 0)
    assert costs[2] == pytest.approx(sent["usage"]["cost_in_usd_ticks"] / 1e10, abs=1e-12)


@pytest.mark.parametrize("action", [None, "search", ["search"], {"type": None}, {}])
def test_a_search_that_does_not_tell_its_action_counts(pages: Path, warehouse: Path, action: Any) -> None:
    """A web search call without an action, or with an odd one, is loaded, and counts as a search."""
    write(pages / "1.json", json.dumps(_searched([action])).encode())
    assert command("ingest", pages, "-w", warehouse).returncode == 0
    assert query(warehouse, "select name from steps") == [(None,)]
    assert query(warehouse, "select tool_calls, unpriced_tool_calls, tool_cost from run_costs") == [(1, 1, None)]


def test_the_example_of_a_file_of_prices_costs_what_it_says(pages: Path, warehouse: Path, tmp_path: Path) -> None:
    """The prices that docs/costs.md shows as a file, and the costs that it computes from them."""
    text = (ROOT / "docs" / "costs.md").read_text()
    header = "provider,model,valid_from,input,cached_input,cache_write"
    [block] = [block for block in text.split("```csv\n") if block.startswith(header)]
    (tmp_path / "prices.csv").write_text(block.partition("```")[0])
    usage = {"input_tokens": 4020, "input_tokens_details": {"cache_write_tokens": 4012}, "output_tokens": 5}
    sent = {"object": "response", "status": "completed", "created_at": 1_786_400_826, "model": "house-model"}
    search = [{"type": "web_search_call", "action": {"type": "search"}}]
    responses = [{**sent, "id": "a", "usage": usage}, {**sent, "id": "b", "usage": usage, "output": search}]
    write(pages / "1.json", "\n".join(map(json.dumps, responses)).encode())
    assert command("ingest", pages, "-w", warehouse).returncode == 0
    assert command("prices", "import", tmp_path / "prices.csv", "-w", warehouse).returncode == 0
    costs = [f"{cost:.6f}" for (cost,) in query(warehouse, "select cost from run_costs order by run_id")]
    assert costs == ["0.025265", "0.035265"]
    assert all(cost in text for cost in costs)
