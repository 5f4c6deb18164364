"""The table `runs`: one row per run."""

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
from runmart.models.observations import Observations
from runmart.models.tables import getters
from runmart.models.tables.getters import common, field, instant, json, origin

RUNS: Table[Observations] = Table(
    "runs",
    grain="one row per run",
    purpose="Runs: executions of an assistant on a thread, each as it was last observed.",
    columns=(
        Column("run_id", VARCHAR, field("id"), "The run's id; the key of every table"),
        Column("source", VARCHAR, origin(lambda of: of.source, VARCHAR), "Which organisation, project or server: --source of the load"),
        Column("object", VARCHAR, common("object"), "The kind of object, as sent: thread.run"),
        Column("thread_id", VARCHAR, field("thread_id"), "The thread the run belongs to"),
        Column("assistant_id", VARCHAR, getters.assistant_id, "The assistant that ran; Azure's agent_id"),
        Column("status", VARCHAR, common("status"), "queued, in_progress, requires_action, cancelling (open); completed, failed, cancelled, expired, incomplete (ended)"),
        Column("model", VARCHAR, common("model"), "The language model, as sent"),
        Column("instructions", VARCHAR, getters.instructions, "The instructions given to the model"),
        Column("created_at", TIMESTAMPTZ, instant("created_at"), "When the run was created"),
        Column("started_at", TIMESTAMPTZ, instant("started_at"), "When the run started"),
        Column("expires_at", TIMESTAMPTZ, instant("expires_at"), "When the run expires, or expired"),
        Column("completed_at", TIMESTAMPTZ, instant("completed_at"), "When the run completed"),
        Column("failed_at", TIMESTAMPTZ, instant("failed_at"), "When the run failed"),
        Column("cancelled_at", TIMESTAMPTZ, instant("cancelled_at"), "When the run was cancelled"),
        Column("temperature", DOUBLE, field("temperature"), "Sampling temperature"),
        Column("top_p", DOUBLE, field("top_p"), "Nucleus sampling: the probability mass considered"),
        Column("max_prompt_tokens", BIGINT, field("max_prompt_tokens"), "Limit on prompt tokens over the run"),
        Column("max_completion_tokens", BIGINT, field("max_completion_tokens"), "Limit on completion tokens over the run"),
        Column("truncation_type", VARCHAR, getters.truncation("type", VARCHAR), "How the thread is cut to fit: auto, last_messages"),
        Column("truncation_last_messages", BIGINT, getters.truncation("last_messages", BIGINT), "How many of the last messages are kept"),
        Column("tool_choice", JSON, json("tool_choice"), '"auto", "none", "required", or an object that names a tool'),
        Column("response_format", JSON, json("response_format"), '"auto", or an object such as {"type":"json_object"}'),
        Column("parallel_tool_calls", BOOLEAN, field("parallel_tool_calls"), "Whether tools may be called side by side"),
        Column("tool_count", BIGINT, getters.tool_count, "Tools offered to it: its rows in tools"),
        Column("tools_digest", VARCHAR, getters.tools_digest, "Equal where the rows in tools are, of another run or not; null without tools"),
        Column("metadata", JSON, json("metadata"), "The caller's own keys and values"),
        Column("required_action", JSON, json("required_action"), "What the run waits for: the tool calls whose outputs are due"),
        Column("extra", JSON, json("extra"), "Every field that is none of the 27, byte for byte; null when there is none"),
        Column("observed_at", TIMESTAMPTZ, origin(lambda of: of.observed_at, TIMESTAMPTZ), "When the stored observation was made"),
        Column("observed_position", BIGINT, getters.position, "The observation's place in its input, from 0"),
        Column("load_id", BIGINT, origin(lambda of: of.load_id, BIGINT), "The load that wrote the stored observation"),
    ),
)  # fmt: skip
