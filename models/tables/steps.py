"""The table `steps`: one row per step of a run, or item in the output of a response."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
from msgspec import UNSET

from runmart.models import arrow
from runmart.models.arrow import Array, compute
from runmart.models.columns import BIGINT, INTEGER, JSON, TIMESTAMPTZ, VARCHAR, Column, Getter, Table
from runmart.models.observations import Observations, Origin
from runmart.models.quirks import microseconds
from runmart.models.records import RunStepRecord
from runmart.models.tables.runs import RUNS


class StepRow(NamedTuple):
    """A step as it was in an input."""

    origin: Origin
    position: int
    """Its position in its input, from 0."""
    record: RunStepRecord
    tokens: dict[str, int | None]
    """The columns of its usage."""
    tool_types: list[str] | None
    """The types of its tool calls, in order; None of a step that calls none."""
    error: tuple[str | None, str | None]
    """Code and message of its last error."""


StepRows = Sequence[StepRow]


def _each(get: Callable[[StepRow], Any], arrow_type: pa.DataType) -> Getter[StepRows]:
    return lambda rows: arrow.array([get(row) for row in rows], arrow_type)


def _sent(name: str, arrow_type: pa.DataType = VARCHAR) -> Getter[StepRows]:
    """A field as sent; null where it was not sent."""

    def value(row: StepRow) -> Any:
        sent = getattr(row.record, name)
        return None if sent is UNSET else sent

    return _each(value, arrow_type)


def _instant(name: str, other: str | None = None) -> Getter[StepRows]:
    """A field that holds an instant, or another field where that is missing."""

    def value(row: StepRow) -> int | None:
        for sent in (getattr(row.record, name), getattr(row.record, other) if other else None):
            if sent is not None and sent is not UNSET and (instant := microseconds(sent)) is not None:
                return instant
        return None

    return _each(value, TIMESTAMPTZ)


def _tokens(name: str) -> Getter[StepRows]:
    return _each(lambda row: row.tokens.get(name), BIGINT)


def _of_items(arrow_type: pa.DataType) -> Getter[StepRows]:
    """A column that only the items of outputs fill."""
    return lambda rows: arrow.nulls(len(rows), arrow_type)


def _tool_types(row: StepRow) -> bytes | None:
    return None if row.tool_types is None else msgspec.json.encode(row.tool_types)


STEPS: Table[StepRows] = Table(
    "steps",
    grain="one row per step of a run, or item in the output of a response",
    purpose="Steps of runs: messages written and tools called, at their latest observation.",
    columns=(
        Column("step_id", VARCHAR, _sent("id"), "The step; of a response's item, RESPONSE/POSITION, since servers use an item's id again"),
        Column("item_id", VARCHAR, _of_items(VARCHAR), "Id of a response's item, as sent"),
        Column("position", INTEGER, _of_items(INTEGER), "Position of an item in the output of its response, from 0"),
        Column("source", VARCHAR, _each(lambda row: row.origin.source, VARCHAR), "Label of the runs (--source)"),
        Column("run_id", VARCHAR, _sent("run_id"), "The run, or response"),
        Column("thread_id", VARCHAR, _sent("thread_id"), "The thread"),
        Column("assistant_id", VARCHAR, _sent("assistant_id"), "The assistant"),
        Column("type", VARCHAR, _sent("type"), "message_creation or tool_calls; of a response's item, its type, such as message, reasoning or function_call"),
        Column("name", VARCHAR, _of_items(VARCHAR), "Name of the tool that a response's item calls; of a web_search_call its action, such as search"),
        Column("status", VARCHAR, _sent("status"), "in_progress, completed, failed, cancelled or expired"),
        Column("created_at", TIMESTAMPTZ, _instant("created_at"), "When it was created"),
        Column("expired_at", TIMESTAMPTZ, _instant("expired_at", "expires_at"), "Expiry time, past or future"),
        Column("cancelled_at", TIMESTAMPTZ, _instant("cancelled_at"), "When it was cancelled"),
        Column("failed_at", TIMESTAMPTZ, _instant("failed_at"), "When it failed"),
        Column("completed_at", TIMESTAMPTZ, _instant("completed_at"), "When it was completed"),
        Column("prompt_tokens", BIGINT, _tokens("prompt_tokens"), "Prompt tokens, cached ones included"),
        Column("cached_prompt_tokens", BIGINT, _tokens("cached_prompt_tokens"), "Cached prompt tokens"),
        Column("completion_tokens", BIGINT, _tokens("completion_tokens"), "Completion tokens, reasoning ones included"),
        Column("reasoning_tokens", BIGINT, _tokens("reasoning_tokens"), "Reasoning tokens, part of completion tokens"),
        Column("total_tokens", BIGINT, _tokens("total_tokens"), "Total tokens, as sent"),
        Column("tool_calls", BIGINT, _each(lambda row: None if row.tool_types is None else len(row.tool_types), BIGINT), "Number of tool calls; null for steps without tool calls"),
        Column("tool_types", JSON, _each(_tool_types, VARCHAR), "Types of the tool calls, in order"),
        Column("error_code", VARCHAR, _each(lambda row: row.error[0], VARCHAR), "Code of the last error"),
        Column("error_message", VARCHAR, _each(lambda row: row.error[1], VARCHAR), "Message of the last error"),
        Column("observed_at", TIMESTAMPTZ, _each(lambda row: row.origin.observed_at, TIMESTAMPTZ), "Time of the stored observation"),
        Column("observed_position", BIGINT, _each(lambda row: row.position, BIGINT), "Position of the observation in its input, from 0"),
        Column("load_id", BIGINT, _each(lambda row: row.origin.load_id, BIGINT), "The load that wrote the stored observation"),
    ),
)  # fmt: skip


def batch(rows: StepRows) -> pa.RecordBatch:
    """Steps as a record batch; JSON as text."""
    return arrow.record_batch(
        [column.getter(rows) for column in STEPS.columns], [column.name for column in STEPS.columns]
    )


_OF_RESPONSE = ("source", "run_id", "thread_id", "assistant_id", "observed_at", "observed_position", "load_id")
"""Columns of an item that are those of its response."""


def item_batch(responses: Observations) -> pa.RecordBatch | None:
    """The items in the outputs of responses as a record batch, in the form of `batch`; None where there are none."""
    items = responses.output
    if items is None or not len(items.runs):
        return None
    getters: dict[str, Getter[Observations]] = {column.name: column.getter for column in RUNS.columns}
    found: dict[str, Array] = {name: _plain(getters[name](responses)).take(items.runs) for name in _OF_RESPONSE}
    found |= {
        "step_id": compute.binary_join_element_wise(found["run_id"], items.positions.cast(VARCHAR), "/"),
        "item_id": items.ids,
        "position": items.positions.cast(INTEGER),
        "type": items.types,
        "name": items.names,
        "status": items.statuses,
    }
    columns = [found.get(column.name, arrow.nulls(len(items.runs), _stored(column.type))) for column in STEPS.columns]
    return arrow.record_batch(columns, [column.name for column in STEPS.columns])


def _plain(column: Array) -> Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _stored(arrow_type: pa.DataType) -> pa.DataType:
    return VARCHAR if arrow_type == JSON else arrow_type
