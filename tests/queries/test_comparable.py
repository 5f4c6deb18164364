"""What `turns`, `migration_comparison` and `cost_reconciliation` say of chat completions, gateways and odd servers."""

from typing import Any

import pytest

from tests.support.rows import Fill, Rows, records

Row = dict[str, Any]

SECOND = 1_770_000_000
DEPLOYMENT = [
    {"deployment": "d", "side": "before", "match_kind": "assistant_id", "match_value": "old"},
    {"deployment": "d", "side": "after", "match_kind": "assistant_id", "match_value": "new"},
]
PRICE = {
    "provider": "openai",
    "model": "m",
    "valid_from": 0,
    "input": 1e6,
    "cached_input": 1e6,
    "output": 1e6,
    "currency": "USD",
}
FAILED_REQUEST = {"failure_id": "f", "source": "s", "status_code": 500}


def response(run_id: str, **fields: Any) -> Row:
    """A response that took five seconds, to the millisecond."""
    known = {"source": "s", "object": "response", "assistant_id": "new", "model": "m", "status": "completed"}
    timed = {"created_at": SECOND, "duration_seconds": 5.0, "latency_source": "header", "waits_for_client": False}
    return {"run_id": run_id, **known, **timed, **fields}


def migration(**fields: Any) -> Rows:
    """As many records of a kind before as responses after, all of them with tokens and costs."""
    before = [response(f"b{number:02}", **{"assistant_id": "old", **fields}) for number in range(30)]
    runs = [*before, *(response(f"a{number:02}") for number in range(30))]
    tokens = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    usage = [{"run_id": run["run_id"], **tokens} for run in runs]
    return {"runs": runs, "usage": usage, "prices": [PRICE], "deployments": DEPLOYMENT}


def test_a_chat_completion_that_ends_in_calls_is_a_turn_that_waits(filled: Fill) -> None:
    """Nothing links its answer to it: it has not ended as a turn, and the comparison says so."""
    tables = migration(object="chat.completion", waits_for_client=True)
    connection = filled({**tables, "request_failures": [{**FAILED_REQUEST, "source": "other"}]})
    turn = records(connection, "turns", "turn_id")[-1]
    assert (turn["turn_id"], turn["status"], turn["is_waiting"], turn["model_calls"]) == (
        "b29",
        "requires_action",
        True,
        1,
    )
    _, before = records(connection, "migration_comparison", "side")
    assert (before["side"], before["waiting_turns"], before["completed_turns"]) == ("before", 30, 0)
    assert before["reasons"].startswith("before: calls without a recorded answer, no record of failed requests; after:")


def test_requests_of_a_gateway_are_no_turns(filled: Fill) -> None:
    """A gateway does not tell which requests belong together; all else is as it should be."""
    tables = {**migration(object="litellm.request", waits_for_client=None), "request_failures": [FAILED_REQUEST]}
    _, before = records(filled(tables), "migration_comparison", "side")
    assert (before["comparable"], before["reasons"]) == (False, "before: requests, not turns")
    assert before["model_calls_per_turn"] == 1.0


def test_runs_and_responses_with_all_they_need_are_comparable(filled: Fill) -> None:
    """No reason is given where there is none."""
    tables = {**migration(object="thread.run", waits_for_client=None), "request_failures": [FAILED_REQUEST]}
    after, before = records(filled(tables), "migration_comparison", "side")
    assert (after["comparable"], after["reasons"], before["comparable"]) == (True, None, True)
    assert (before["model_calls_per_turn"], after["unrecorded_failures"]) == (None, 1)


def test_an_error_in_the_stream_of_a_failed_response_is_one_failure(filled: Fill) -> None:
    """It is in both tables where the stream was cut, and the response asked for later."""
    runs = [response("cut", status="failed"), response("open", status="in_progress"), response("good")]
    errors = [{**FAILED_REQUEST, "failure_id": run_id, "run_id": run_id} for run_id in ("cut", "open", "other")]
    tables: Rows = {"runs": runs, "deployments": DEPLOYMENT, "request_failures": errors}
    after, _ = records(filled(tables), "migration_comparison", "side")
    assert (after["failure_rate"], after["unrecorded_failures"]) == (0.5, 2)
    assert after["failure_rate_with_unrecorded"] == pytest.approx(3 / 4)


def test_an_incomplete_turn_that_waits_hides_no_open_one(filled: Fill) -> None:
    """Of two waiting turns, one has ended: the third one is open."""
    runs = [
        response("a", status="incomplete", waits_for_client=True),
        response("b", waits_for_client=True),
        response("c", status="queued"),
    ]
    after, _ = records(filled({"runs": runs, "deployments": DEPLOYMENT}), "migration_comparison", "side")
    assert (after["open_turns"], after["waiting_turns"]) == (2, 2)
    assert "open turns, calls without a recorded answer" in after["reasons"]


@pytest.mark.parametrize(("measured_by", "resolution"), [("collector_seconds", 1.0), ("collector", 0.001)])
def test_a_turn_is_as_exact_as_the_clock_that_measured_it(filled: Fill, measured_by: str, resolution: float) -> None:
    """A clock in whole seconds measures no milliseconds."""
    [turn] = records(filled({"runs": [response("r", latency_source=measured_by)]}), "turns", "turn_id")
    assert (turn["turn_seconds"], turn["resolution_seconds"]) == (5.0, resolution)


def test_an_impossible_amount_is_not_known_and_fails_nothing(filled: Fill) -> None:
    """A sum with it is null; that of another model is told."""
    amounts = {"r1": ("m", 1e300), "r2": ("m", 1.0), "r3": ("n", 2.0)}
    costs = [("m", 9.9e25), ("m", 9.9e25), ("n", 3.0)]
    day = SECOND // 86400 * 86400
    bucket = {"source": "s", "object": "organization.costs.result", "start_time": day, "end_time": day + 86400}
    tables: Rows = {
        "runs": [response(run_id, model=model) for run_id, (model, _) in amounts.items()],
        "usage": [
            {"run_id": run_id, "prompt_tokens": 1, "reported_cost": amount, "reported_cost_currency": "USD"}
            for run_id, (_, amount) in amounts.items()
        ],
        "organization_usage": [
            {**bucket, "bucket_id": str(number), "model": model, "amount": amount, "currency": "USD"}
            for number, (model, amount) in enumerate(costs)
        ],
    }
    found = records(filled(tables), "cost_reconciliation", "model")
    shown = [[row[name] for name in ("model", "reporting_runs", "reported_cost", "organization_cost")] for row in found]
    assert shown == [["m", 2, None, None], ["n", 1, 2.0, 3.0]]
