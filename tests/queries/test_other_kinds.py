"""Views over kinds of records beside runs and responses."""

from runmart.queries import find
from tests.support.rows import Fill, assert_rows, records

ROWS = {
    "runs": [
        {"run_id": "c", "object": "chat.completion", "model": "m", "waits_for_client": True},
        {"run_id": "g", "object": "langgraph.run", "assistant_id": "a"},
        {"run_id": "l", "object": "litellm.request", "model": "m", "assistant_id": "a"},
    ]
}


def test_single_calls_are_chats(filled: Fill) -> None:
    """A chat completion and a logged request are one call of a model, and no agent's run."""
    same = {"gen_ai_provider_name": "openai", "gen_ai_response_finish_reasons": ["completed"], "source": "acme"}
    rows = {**ROWS, "runs": [{**row, "source": "acme", "status": "completed"} for row in ROWS["runs"]]}
    names = [column.name for column in find("gen_ai_runs").columns]
    expected = [
        {
            "gen_ai_response_id": "c",
            "gen_ai_operation_name": "chat",
            "gen_ai_request_model": "m",
            "gen_ai_response_model": "m",
        },
        {"gen_ai_response_id": "g", "gen_ai_operation_name": "invoke_agent", "gen_ai_agent_id": "a"},
        {
            "gen_ai_response_id": "l",
            "gen_ai_operation_name": "chat",
            "gen_ai_agent_id": "a",
            "gen_ai_request_model": "m",
        },
    ]
    wanted = [{name: {**same, **row}.get(name) for name in names} for row in expected]
    connection = filled(rows)
    assert_rows(records(connection, "gen_ai_runs", "all"), wanted)
    turns = records(connection, "turns", "all")
    assert [(row["turn_id"], row["status"], row["model_calls"]) for row in turns] == [
        ("c", "requires_action", 1),
        ("g", "completed", None),
        ("l", "completed", 1),
    ]


def test_a_proxy_s_log_does_not_tell_how_long_a_request_queued(filled: Fill) -> None:
    """Creation and start are the same instant of the log, which is no wait of 0 seconds."""
    row = {"run_id": "l", "object": "litellm.request", "status": "completed", "created_at": 1000, "started_at": 1000}
    timed = {**row, "completed_at": 1003, "duration_seconds": 3.0, "latency_source": "collector"}
    [found] = records(filled({"runs": [timed]}), "run_times", "all")
    assert (found["queue_seconds"], found["run_seconds"], found["total_seconds"]) == (None, 3.0, 3.0)
