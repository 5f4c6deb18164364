"""The table `runs`: one row per run."""

from collections.abc import Callable
from itertools import chain, repeat
from typing import Any

import pyarrow as pa
from msgspec import UNSET

from runmart.models import arrow
from runmart.models.arrow import Array, compute
from runmart.models.columns import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    JSON,
    TIMESTAMPTZ,
    VARCHAR,
    Column,
    Getter,
    Table,
)
from runmart.models.observations import Observations, Origin
from runmart.models.tables.tools import digest


def _field(name: str) -> Getter[Observations]:
    """A field as sent; null where it was not sent."""
    return lambda observations: observations.columns.array(name)


def _common(name: str) -> Getter[Observations]:
    """As `_field`, for texts that many runs share."""
    return lambda observations: observations.columns.encoded(name).array


def _instant(name: str) -> Getter[Observations]:
    """A field that holds instants."""
    return lambda runs: runs.instants(name).view(TIMESTAMPTZ)


def _json(name: str) -> Getter[Observations]:
    """A field that is kept as JSON."""
    return lambda observations: observations.json[name]


def _origin(get: Callable[[Origin], Any], arrow_type: pa.DataType) -> Getter[Observations]:
    """A value from the origin of each run."""

    def values(observations: Observations) -> Array:
        found = chain.from_iterable(repeat(get(of), count) for of, count in observations.origins)
        return arrow.array(list(found), arrow_type)

    return values


def _position(observations: Observations) -> Array:
    """The position of each run in its input."""
    return arrow.array(observations.positions, BIGINT)


def _assistant_id(observations: Observations) -> Array:
    """`assistant_id`, or Azure's `agent_id` where that is missing or null."""
    assistant_ids = observations.columns.encoded("assistant_id").array
    if observations.columns.is_sent("agent_id"):
        return compute.coalesce(
            observations.columns.array("assistant_id"), observations.columns.array("agent_id")
        ).dictionary_encode()
    return assistant_ids


def _instructions(observations: Observations) -> Array:
    """The instructions; null where they were not sent."""
    return observations.instructions.array(lambda text: text, VARCHAR)


def _tool_count(observations: Observations) -> Array:
    """The number of tools of each run."""
    return arrow.array(map(len, observations.tools.values), BIGINT).take(observations.tools.indices)


def _tools_digest(observations: Observations) -> Array:
    """The digest of each run's list of tools."""
    return observations.tools.array(digest, VARCHAR)


def _truncation(name: str, arrow_type: pa.DataType) -> Getter[Observations]:
    """A field of the truncation strategy; null where there is none."""

    def value(found: Any) -> Any:
        sent = getattr(found, name, UNSET)
        return None if sent is UNSET else sent

    return lambda runs: runs.truncation.array(value, arrow_type)


RUNS: Table[Observations] = Table(
    "runs",
    grain="one row per run",
    purpose="Runs: executions of an assistant on a thread, and responses, at their latest observation.",
    columns=(
        Column("run_id", VARCHAR, _field("id"), "The run's id; the key of every table"),
        Column("source", VARCHAR, _origin(lambda of: of.source, VARCHAR), "Label of the run (--source): its organisation, project or server"),
        Column("object", VARCHAR, _common("object"), "The kind of object: thread.run, response, chat.completion, langgraph.run or litellm.request"),
        Column("thread_id", VARCHAR, _field("thread_id"), "The thread the run belongs to; a response's conversation"),
        Column("previous_run_id", VARCHAR, _field("previous_run_id"), "The response that a response goes on from; null of runs"),
        Column("assistant_id", VARCHAR, _assistant_id, "The assistant that ran; Azure's agent_id; a response's agent, by name, or prompt"),
        Column("assistant_version", VARCHAR, _common("assistant_version"), "Version of the agent or prompt of a response"),
        Column("status", VARCHAR, _common("status"), "queued, in_progress, requires_action, cancelling (open); completed, failed, cancelled, expired, incomplete (ended)"),
        Column("model", VARCHAR, _common("model"), "Model, as sent"),
        Column("instructions", VARCHAR, _instructions, "The instructions given to the model"),
        Column("service_tier", VARCHAR, _common("service_tier"), "Service tier that served a response, such as default, flex or priority"),
        Column("background", BOOLEAN, _field("background"), "Whether a response was made in the background"),
        Column("is_batch", BOOLEAN, _field("is_batch"), "Whether a response came out of a batch; null where its input does not tell"),
        Column("created_at", TIMESTAMPTZ, _instant("created_at"), "When the run was created; of a response, the earliest of all observations"),
        Column("started_at", TIMESTAMPTZ, _instant("started_at"), "When the run started"),
        Column("expires_at", TIMESTAMPTZ, _instant("expires_at"), "When the run expires, or expired"),
        Column("completed_at", TIMESTAMPTZ, _instant("completed_at"), "When the run completed"),
        Column("failed_at", TIMESTAMPTZ, _instant("failed_at"), "When the run failed"),
        Column("cancelled_at", TIMESTAMPTZ, _instant("cancelled_at"), "When the run was cancelled"),
        Column("duration_seconds", DOUBLE, _field("duration_seconds"), "Seconds from request to answer, as the envelope of a response or a proxy's log tells"),
        Column("latency_source", VARCHAR, _common("latency_source"), "Who measured duration_seconds: collector, collector_seconds (its clock in whole seconds) or header; null without it"),
        Column("temperature", DOUBLE, _field("temperature"), "Sampling temperature"),
        Column("top_p", DOUBLE, _field("top_p"), "Nucleus sampling: the probability mass considered"),
        Column("max_prompt_tokens", BIGINT, _field("max_prompt_tokens"), "Limit on prompt tokens over the run"),
        Column("max_completion_tokens", BIGINT, _field("max_completion_tokens"), "Limit on completion tokens over the run"),
        Column("truncation_type", VARCHAR, _truncation("type", VARCHAR), "Truncation strategy of the thread: auto or last_messages"),
        Column("truncation_last_messages", BIGINT, _truncation("last_messages", BIGINT), "Number of last messages kept"),
        Column("tool_choice", JSON, _json("tool_choice"), '"auto", "none", "required", or an object that names a tool'),
        Column("response_format", JSON, _json("response_format"), '"auto", or an object such as {"type":"json_object"}'),
        Column("parallel_tool_calls", BOOLEAN, _field("parallel_tool_calls"), "Whether tools may be called in parallel"),
        Column("tool_count", BIGINT, _tool_count, "Number of tools offered to the run: its rows in tools"),
        Column("tools_digest", VARCHAR, _tools_digest, "Digest of the tools; equal for runs with the same tools; null without tools"),
        Column("metadata", JSON, _json("metadata"), "Metadata: keys and values set by the caller"),
        Column("waits_for_client", BOOLEAN, _field("waits_for_client"), "Whether a response ends in calls that the client has to answer; null of runs"),
        Column("required_action", JSON, _json("required_action"), "Required action: the tool calls whose outputs the run waits for"),
        Column("extra", JSON, _json("extra"), "Fields that are not in the API, byte for byte, and the custom_id of a batch; null when there are none"),
        Column("observed_at", TIMESTAMPTZ, _origin(lambda of: of.observed_at, TIMESTAMPTZ), "Time of the stored observation"),
        Column("observed_position", BIGINT, _position, "Position of the observation in its input, from 0"),
        Column("load_id", BIGINT, _origin(lambda of: of.load_id, BIGINT), "The load that wrote the stored observation"),
    ),
)  # fmt: skip
