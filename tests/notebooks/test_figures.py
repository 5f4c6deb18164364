"""The notebooks, run over runs whose numbers can be checked by hand."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from runmart.ingest.pipeline import ingest
from runmart.ingest.warehouse.connection import open_for_writing
from runmart.notebooks import captions
from runmart.notebooks.cards import Card, change, written
from runmart.queries import install
from tests.support.warehouse import page, run, write

MONDAY = 1_754_870_400
"""The 11th of August 2025, 0:00 UTC."""
DAY = 86_400

RUNS = [
    # Monday: two completed, in 10 and 30 seconds after 1 and 3; one failed.
    # A million costs 2.5, cached 1.25, written 10.
    run(
        "a",
        created_at=MONDAY,
        started_at=MONDAY + 1,
        completed_at=MONDAY + 11,
        model="gpt-4o",
        assistant_id="asst_1",
        metadata={"team": "x"},
        usage={
            "prompt_tokens": 1_000_000,
            "completion_tokens": 100_000,
            "total_tokens": 1_100_000,
            "prompt_tokens_details": {"cached_tokens": 400_000},
        },
        tools=[{"type": "code_interpreter"}],
    ),
    run(
        "b",
        created_at=MONDAY + 100,
        started_at=MONDAY + 103,
        completed_at=MONDAY + 133,
        model="gpt-4o",
        assistant_id="asst_2",
        metadata={"team": "y"},
    ),
    run(
        "c",
        "failed",
        created_at=MONDAY + 200,
        started_at=MONDAY + 200,
        failed_at=MONDAY + 201,
        model="gpt-4o",
        assistant_id="asst_2",
        last_error={"code": "server_error", "message": "Sorry."},
    ),
    # Wednesday: one incomplete, of a model without a price; one that waits.
    run(
        "d",
        "incomplete",
        created_at=MONDAY + 2 * DAY,
        started_at=MONDAY + 2 * DAY,
        model="ours",
        assistant_id="asst_1",
        incomplete_details={"reason": "max_prompt_tokens"},
        usage={"prompt_tokens": 1000, "completion_tokens": 0, "total_tokens": 1000},
    ),
    run("e", "queued", created_at=MONDAY + 2 * DAY + 5, model="ours", assistant_id="asst_1"),
]

BEFORE = [
    # Of the three days before: one completed, in 20 seconds.
    run(
        "z",
        created_at=MONDAY - 2 * DAY,
        started_at=MONDAY - 2 * DAY,
        completed_at=MONDAY - 2 * DAY + 20,
        model="gpt-4o",
        assistant_id="asst_1",
    ),
    run("y", "cancelled", created_at=MONDAY - 3 * DAY, cancelled_at=MONDAY - 3 * DAY + 1, model="gpt-4o"),
]


@pytest.fixture(name="warehouse")
def _warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "runs.duckdb"
    monkeypatch.setenv("RUNMART_WAREHOUSE", str(path))
    fill(path, *RUNS)
    return path


def fill(path: Path, *runs: dict[str, Any]) -> None:
    """Load some runs."""
    file = write(path.with_name(f"{len(list(path.parent.iterdir()))}.json"), page(*runs))
    with open_for_writing(path, 0) as writer:
        install(writer)
        ingest(writer, [str(file)], source="acme")


def figures_of(name: str) -> Any:
    """The figures of a notebook after it was run from top to bottom."""
    app: Any = importlib.import_module(f"runmart.notebooks.{name}").app
    _, found = app.run()
    return found["figures"]


def values(cards: list[Card]) -> dict[str, Any]:
    """The numbers of cards."""
    return {card.label: card.value for card in cards}


def test_overview(warehouse: Path) -> None:
    """The overview of three days, on the second of which there is no run."""
    assert warehouse.exists()
    found = figures_of("overview")
    assert values(found.cards) == {
        "Runs": 5,
        "Failure rate": 0.5,
        "Run time p50": 20.0,
        "Run time p95": 29.0,
        "Tokens": 1_101_000,
        "Cost (USD)": pytest.approx(0.6 * 2.5 + 0.4 * 1.25 + 0.1 * 10),
    }
    days = found.runs.select("runs", "completed", "failed", "incomplete", "open", "failure_rate", "run_seconds_p50")
    hours = [row for row in days.rows() if row[0]]
    assert hours == [(3, 2, 1, 0, 0, 1 / 3, 20.0), (2, 0, 0, 1, 1, 1.0, None)]
    assert found.cost_note == "In USD. Excludes 1 unpriced run."
    assert found.models.rows() == [("gpt-4o", 3, 1 / 3, 20.0, 29.0, 1_100_000), ("ours", 2, 1.0, None, None, 1000)]


def test_the_time_before_is_as_long(warehouse: Path) -> None:
    """The previous period has the same length, three days, of which the first begins at the first run."""
    fill(warehouse, *BEFORE)
    from runmart.notebooks.filters_state import known, parse_filters
    from runmart.notebooks.query_cache import read

    choices = known(warehouse)
    assert choices.last is not None
    assert (str(choices.first), str(choices.last)) == ("2025-08-08", "2025-08-13")
    found = read(warehouse, "overview", parse_filters({"since": "2025-08-11"}, choices).selection(choices.last))
    runs, rate, median, *_ = found.cards
    assert (runs.value, runs.before) == (5, 2)
    assert (rate.value, rate.before) == (0.5, 0.0)
    assert (median.value, median.before) == (20.0, 20.0)
    assert [change(card) for card in (runs, rate, median)] == [
        ("none", "▲ +150.0%"),
        ("bad", "▲ +50.0 points"),
        ("none", "unchanged"),
    ]
    later = read(warehouse, "overview", parse_filters({"since": "2025-08-10"}, choices).selection(choices.last))
    assert later.cards[0].before is None  # four days before, not all of them are known
    only = read(warehouse, "overview", parse_filters({"until": "2025-08-11"}, choices).selection(choices.last))
    assert only.cards[0].value == 5


def test_latency(warehouse: Path) -> None:
    """Queue times of 1 and 3 seconds and run times of 10 and 30 give these figures."""
    assert warehouse.exists()
    found = figures_of("latency")
    assert values(found.cards) == {
        "Queue time p50": 2.0,
        "Queue time p95": pytest.approx(2.9),
        "Run time p50": 20.0,
        "Run time p95": 29.0,
        "Run time p99": pytest.approx(29.8),
    }
    rows = found.histogram.select("duration", "from_seconds", "runs").rows()
    assert rows == [
        ("queue_seconds", 1.0, 1), ("queue_seconds", 3.0, 1),
        ("run_seconds", 10.0, 1), ("run_seconds", 30.0, 1),
        ("total_seconds", 10.0, 1), ("total_seconds", 30.0, 1),
    ]  # fmt: skip
    assert found.slowest["run_id"].to_list() == ["b", "a"]
    assert found.models.select("model", "runs", "run_seconds_p50").rows() == [("gpt-4o", 2, 20.0)]
    assert sorted(found.assistants["assistant_id"]) == ["asst_1", "asst_2"]
    assert set(found.by_model["model"]) == {"gpt-4o", "ours"}
    lines = found.by_assistant.select("assistant_id", "run_seconds_p95").drop_nulls().rows()
    assert lines == [("asst_1", 10.0), ("asst_2", 30.0)]


def test_failures(warehouse: Path) -> None:
    """One failed and one incomplete run give these figures."""
    assert warehouse.exists()
    found = figures_of("failures")
    assert values(found.cards) == {"Failure rate": 0.5, "Failed": 1, "Expired": 0, "Incomplete": 1, "Cancelled": 0}
    assert [row for row in found.errors.select("series", "runs").rows() if row[1]] == [
        ("failed: server_error", 1),
        ("incomplete: max_prompt_tokens", 1),
    ]
    assert found.models.select("model", "failure_rate").rows() == [("ours", 1.0), ("gpt-4o", 1 / 3)]
    assert found.failed.select("run_id", "reason").rows() == [("d", "max_prompt_tokens"), ("c", "server_error")]
    assert found.tools.select("type", "model", "runs").rows() == [("code_interpreter", "gpt-4o", 1)]
    assert found.reasons["sample_message"].drop_nulls().to_list() == ["Sorry."]


def test_costs(warehouse: Path) -> None:
    """A run with a price and a run without one give these figures."""
    assert warehouse.exists()
    found = figures_of("costs")
    assert values(found.cards) == {
        "Cost (USD)": pytest.approx(3.0),
        "Cost per run": pytest.approx(3.0),
        "Tokens": 1_101_000,
        "Cached prompt tokens": pytest.approx(400_000 / 1_001_000),
        "Unpriced runs": 1,
    }
    assert found.models.select("model", "cost").rows() == [("gpt-4o", pytest.approx(3.0)), ("ours", None)]
    assert found.unpriced.select("source", "model", "runs", "total_tokens").rows() == [("acme", "ours", 1, 1000)]
    assert found.metadata.select("key", "value", "runs").rows() == [("team", "x", 1), ("team", "y", 1)]


def test_operations(warehouse: Path) -> None:
    """Loads and open runs give these figures."""
    assert warehouse.exists()
    found = figures_of("operations")
    assert found.freshness.select("source", "runs", "open_runs").rows() == [("acme", 5, 1)]
    assert found.loads.select("new_runs", "state").rows() == [(5, "done")]
    assert found.open_runs["run_id"].to_list() == ["e"]
    assert found.rejects.is_empty()


def test_migration(warehouse: Path) -> None:
    """Runs of one assistant before, and a call with its answer after, whenever they were."""
    times = {"object": "response", "status": "completed", "model": "gpt-4o"}
    call: dict[str, Any] = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    first, second = MONDAY + 100 * DAY, MONDAY + 100 * DAY + 4
    agent = {"agent_reference": {"name": "agent"}}
    responses = [
        {"id": "resp_1", "created_at": first, "completed_at": first + 1, "output": [call], **times, **agent},
        {"id": "resp_2", "created_at": second, "completed_at": second + 3, "previous_response_id": "resp_1", **times},
    ]
    fill(warehouse, *responses)
    with open_for_writing(warehouse, 0) as writer:
        writer.connection.execute("""
            insert into deployments (deployment, side, match_kind, match_value)
            values ('d', 'before', 'assistant_id', 'asst_2'), ('d', 'after', 'agent_name', 'agent')""")
    found = figures_of("migration")
    rows = found.sides.select("name", "turns", "runs", "turn_seconds_p50", "failure_rate").rows()
    assert rows == [("d: before", 2, 2, 33.0, 0.5), ("d: after", 1, 2, 7.0, 0.0)]
    assert found.judged.select("deployment", "comparable").unique().rows() == [("d", False)]
    reasons = found.judged.select("side", "reason").rows()
    assert {("before", "fewer than 30 turns"), ("after", "no record of failed requests")} <= set(reasons)
    assert found.unmatched.select("assistant_id", "turns").rows() == [("asst_1", 3)]


@pytest.mark.parametrize("name", ["overview", "latency", "failures", "costs", "migration", "operations"])
def test_an_empty_warehouse_shows_nothing_and_no_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All notebooks work on an empty warehouse."""
    monkeypatch.setenv("RUNMART_WAREHOUSE", str(tmp_path / "empty.duckdb"))
    with open_for_writing(tmp_path / "empty.duckdb", 0) as writer:
        install(writer)
    found = figures_of(name)
    assert name != "costs" or found.unpriced_message == captions.NO_RUNS
    assert all(card.value is None for card in getattr(found, "cards", []))


def test_costs_in_several_currencies_are_not_added(warehouse: Path) -> None:
    """Costs in different currencies are neither added in a card nor in a chart."""
    from runmart.notebooks.figures import comparable

    with open_for_writing(warehouse, 0) as writer:
        writer.connection.execute("""
            insert into prices (provider, model, valid_from, input, output, currency)
            values ('openai', 'ours', '2020-01-01', 1, 1, 'EUR')""")
    found = figures_of("costs")
    assert found.cards[0] == ("Cost", None, "{:,.2f}", None, None)
    assert found.cost_note == "In several currencies: select a source, or see the tables."
    assert comparable(found.models).is_empty()
    assert comparable(found.assistants).is_empty()
    assert comparable(found.usage).is_empty()
    assert comparable(found.models.filter(found.models["currency"] == "EUR")).height == 1


@pytest.mark.parametrize(
    ("card", "text", "printed"),
    [
        (Card("x", None, "{:,.0f}", 3, None), "-", ("none", "no previous period")),
        (Card("x", 999_999, "{:,.0f}", None, None), "999,999", ("none", "no previous period")),
        (Card("x", 1_234_567_890, "{:,.0f}", 1_234_567_890, None), "1.2 G", ("none", "unchanged")),
        (Card("x", 3.0, "{:,.1f} s", 4.0, True), "3.0 s", ("good", "▼ -25.0%")),
        (Card("x", 0.5, "{:.1%}", 0.25, False), "50.0%", ("good", "▲ +25.0 points")),
        (Card("x", 50.0, "{:,.0f}", 1.0, None), "50", ("none", "▲ 50-fold")),
        (Card("x", 50.0, "{:,.0f}", 0, None), "50", ("none", "▲ new")),
    ],
)
def test_cards_tell_a_number_and_its_change(card: Card, text: str, printed: tuple[str, str]) -> None:
    """A card has its number and its change as text, and whether the change is good."""
    assert (written(card), change(card)) == (text, printed)
