"""Tables beside runs: what is said of failed requests, of ended responses, and of an organisation's usage."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from runmart.models import arrow
from runmart.models.columns import BIGINT, BOOLEAN, DOUBLE, INTEGER, JSON, TIMESTAMPTZ, VARCHAR, Column, Table
from runmart.models.observations import Origin

_OBSERVED: tuple[Column[Any], ...] = (
    Column("observed_at", TIMESTAMPTZ, meaning="Time of the stored observation"),
    Column("observed_position", BIGINT, meaning="Position of the observation in its input, from 0"),
    Column("load_id", BIGINT, meaning="The load that wrote the stored observation"),
)

REQUEST_FAILURES: Table[Any] = Table(
    "request_failures",
    grain="one row per failed request",
    purpose="Requests that failed without a run that says so: error answers in an envelope, failed lines of batches, "
    "and errors in streams.",
    columns=(
        Column(
            "failure_id",
            VARCHAR,
            meaning="The request's id, else the MD5 of source and what was sent; of an error in a stream, that of "
            "source, response and error",
        ),
        Column("source", VARCHAR, meaning="Label of the runs (--source)"),
        Column("run_id", VARCHAR, meaning="The response whose stream reported the error; null of other requests"),
        Column("custom_id", VARCHAR, meaning="Id that the caller gave to a request of a batch"),
        Column("is_batch", BOOLEAN, meaning="Whether it was a request of a batch"),
        Column("occurred_at", TIMESTAMPTZ, meaning="When it failed, by the collector's clock; null when not known"),
        Column("duration_seconds", DOUBLE, meaning="Seconds that it took, by the collector's clock"),
        Column("status_code", INTEGER, meaning="HTTP status code"),
        Column("type", VARCHAR, meaning="Type of the error"),
        Column("code", VARCHAR, meaning="Code of the error"),
        Column("message", VARCHAR, meaning="Message of the error"),
        Column("model", VARCHAR, meaning="Model of the request, where it is known"),
        *_OBSERVED,
    ),
)

WEBHOOK_EVENTS: Table[Any] = Table(
    "webhook_events",
    grain="one row per webhook event",
    purpose="Webhook events of responses: an id and an end, of which the response itself may say nothing.",
    columns=(
        Column("event_id", VARCHAR, meaning="The event"),
        Column("source", VARCHAR, meaning="Label of the runs (--source)"),
        Column("run_id", VARCHAR, meaning="The response"),
        Column("type", VARCHAR, meaning="Type of the event, such as response.completed"),
        Column("created_at", TIMESTAMPTZ, meaning="When it was created: the end of the response"),
        *_OBSERVED,
    ),
)

ORGANIZATION_USAGE: Table[Any] = Table(
    "organization_usage",
    grain="one row per bucket of time and group",
    purpose="Usage and costs of an organisation, as its provider reports them.",
    columns=(
        Column(
            "bucket_id",
            VARCHAR,
            meaning="MD5 of source, object, start and group; not of the end, since a bucket that still goes on ends "
            "when it is requested",
        ),
        Column("source", VARCHAR, meaning="Label of the runs (--source)"),
        Column("object", VARCHAR, meaning="organization.costs.result or organization.usage.completions.result"),
        Column("start_time", TIMESTAMPTZ, meaning="Start of the bucket, included"),
        Column("end_time", TIMESTAMPTZ, meaning="End of the bucket, excluded"),
        Column("project_id", VARCHAR, meaning="Project; null when not grouped by it"),
        Column("user_id", VARCHAR, meaning="User; null when not grouped by it"),
        Column("api_key_id", VARCHAR, meaning="API key; null when not grouped by it"),
        Column("model", VARCHAR, meaning="Model; null when not grouped by it"),
        Column("batch", BOOLEAN, meaning="Whether requests were of batches; null when not grouped by it"),
        Column("service_tier", VARCHAR, meaning="Service tier; null when not grouped by it"),
        Column("line_item", VARCHAR, meaning="Line item of costs; null when not grouped by it"),
        Column("input_tokens", BIGINT, meaning="Input tokens, cached ones included"),
        Column("cached_input_tokens", BIGINT, meaning="Cached input tokens"),
        Column("cache_write_tokens", BIGINT, meaning="Input tokens written to the cache"),
        Column("output_tokens", BIGINT, meaning="Output tokens"),
        Column("model_requests", BIGINT, meaning="Number of requests to models; a run makes several"),
        Column("amount", DOUBLE, meaning="Costs"),
        Column("currency", VARCHAR, meaning="Currency of the costs, in upper case"),
        Column("quantity", DOUBLE, meaning="Quantity of a line item"),
        Column("quantity_unit", VARCHAR, meaning="Unit of the quantity"),
        Column("details", JSON, meaning="What the result says besides, as sent"),
        *_OBSERVED,
    ),
)

USAGE_GROUP = ("project_id", "user_id", "api_key_id", "model", "batch", "service_tier", "line_item")
"""The columns of `organization_usage` by which its results may be grouped."""

NEIGHBOURS: tuple[Table[Any], ...] = (REQUEST_FAILURES, WEBHOOK_EVENTS, ORGANIZATION_USAGE)
"""Their first column is the key; the latest observation of each is stored."""


class NeighbourRow(NamedTuple):
    """A row of one of these tables as it was in an input."""

    table: str
    origin: Origin
    position: int
    """Its position in its input, from 0."""
    key: str | tuple[str | int | bool | None, ...]
    """The key that the server gave it; else what makes it one of its source, of which the key is the MD5."""
    values: dict[str, Any]
    """The other columns; instants in microseconds since 1970. A column that is left out is null."""


def batches(rows: Sequence[NeighbourRow]) -> dict[str, pa.RecordBatch]:
    """Rows as record batches, by the names of their tables; JSON as text."""
    found: dict[str, pa.RecordBatch] = {}
    for table in NEIGHBOURS:
        of_table = [_complete(table, row) for row in rows if row.table == table.name]
        if of_table:
            columns = [
                arrow.array([row.get(column.name) for row in of_table], VARCHAR if column.type == JSON else column.type)
                for column in table.columns
            ]
            found[table.name] = arrow.record_batch(columns, [column.name for column in table.columns])
    return found


def _complete(table: Table[Any], row: NeighbourRow) -> dict[str, Any]:
    origin = row.origin
    return row.values | {
        table.columns[0].name: row.key if isinstance(row.key, str) else _digest(origin.source, *row.key),
        "source": origin.source,
        "observed_at": origin.observed_at,
        "observed_position": row.position,
        "load_id": origin.load_id,
    }


def _digest(*parts: str | int | bool | None) -> str:
    return hashlib.md5(msgspec.json.encode(parts), usedforsecurity=False).hexdigest()
