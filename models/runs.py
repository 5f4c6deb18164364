"""The table `runs`: one row per run."""

from runmart.models import getters
from runmart.models.columns import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    JSON,
    TIMESTAMPTZ,
    VARCHAR,
    Column,
    Table,
)
from runmart.models.getters import field, instant, object_json
from runmart.models.observations import Observation

RUNS: Table[Observation] = Table(
    "runs",
    grain="one row per run",
    purpose="Runs: executions of an assistant on a thread, each as it was last observed.",
    columns=(
        Column("run_id", VARCHAR, field("run.id"), "The run's id; the key of every table"),
        Column("source", VARCHAR, field("origin.source"), "Which organisation, project or server: --source of the load"),
        Column("object", VARCHAR, field("run.object"), "The kind of object, as sent: thread.run"),
        Column("thread_id", VARCHAR, field("run.thread_id"), "The thread the run belongs to"),
        Column("assistant_id", VARCHAR, getters.assistant_id, "The assistant that ran; Azure's agent_id"),
        Column("status", VARCHAR, field("run.status"), "queued, in_progress, requires_action, cancelling (open); completed, failed, cancelled, expired, incomplete (ended)"),
        Column("model", VARCHAR, field("run.model"), "The language model, as sent"),
        Column("instructions", VARCHAR, field("run.instructions"), "The instructions given to the model"),
        Column("created_at", TIMESTAMPTZ, instant("run.created_at"), "When the run was created"),
        Column("started_at", TIMESTAMPTZ, instant("run.started_at"), "When the run started"),
        Column("expires_at", TIMESTAMPTZ, instant("run.expires_at"), "When the run expires, or expired"),
        Column("completed_at", TIMESTAMPTZ, instant("run.completed_at"), "When the run completed"),
        Column("failed_at", TIMESTAMPTZ, instant("run.failed_at"), "When the run failed"),
        Column("cancelled_at", TIMESTAMPTZ, instant("run.cancelled_at"), "When the run was cancelled"),
        Column("temperature", DOUBLE, field("run.temperature"), "Sampling temperature"),
        Column("top_p", DOUBLE, field("run.top_p"), "Nucleus sampling: the probability mass considered"),
        Column("max_prompt_tokens", BIGINT, field("run.max_prompt_tokens"), "Limit on prompt tokens over the run"),
        Column("max_completion_tokens", BIGINT, field("run.max_completion_tokens"), "Limit on completion tokens over the run"),
        Column("truncation_type", VARCHAR, getters.truncation("type"), "How the thread is cut to fit: auto, last_messages"),
        Column("truncation_last_messages", BIGINT, getters.truncation("last_messages"), "How many of the last messages are kept"),
        Column("tool_choice", JSON, object_json("run.tool_choice"), '"auto", "none", "required", or an object that names a tool'),
        Column("response_format", JSON, object_json("run.response_format"), '"auto", or an object such as {"type":"json_object"}'),
        Column("parallel_tool_calls", BOOLEAN, field("run.parallel_tool_calls"), "Whether tools may be called side by side"),
        Column("metadata", JSON, getters.metadata, "The caller's own keys and values"),
        Column("required_action", JSON, object_json("run.required_action"), "What the run waits for: the tool calls whose outputs are due"),
        Column("extra", JSON, field("extra"), "Every field that is none of the 27, byte for byte; null when there is none"),
        Column("observed_at", TIMESTAMPTZ, field("origin.observed_at"), "When the stored observation was made"),
        Column("observed_position", BIGINT, field("position"), "The observation's place in its input, from 0"),
        Column("load_id", BIGINT, field("origin.load_id"), "The load that wrote the stored observation"),
    ),
)  # fmt: skip
