"""Peer: Arrow reads JSON Lines, DuckDB creates the same four tables. Arguments: WAREHOUSE SOURCE."""

import sys

import duckdb
import pyarrow as pa
from pyarrow import json
from read_json import TABLES

TEXT, WHOLE, REAL, BOOLEAN = pa.string(), pa.int64(), pa.float64(), pa.bool_()


def _struct(**fields: pa.DataType) -> pa.DataType:
    return pa.struct([pa.field(name, kind) for name, kind in fields.items()])


FUNCTION = _struct(name=TEXT, description=TEXT, strict=BOOLEAN, parameters=_struct(type=TEXT))
FIELDS: dict[str, pa.DataType] = {
    **dict.fromkeys(("id", "object", "thread_id", "assistant_id", "status", "model", "instructions"), TEXT),
    **dict.fromkeys(
        ("created_at", "started_at", "expires_at", "completed_at", "failed_at", "cancelled_at", "max_prompt_tokens"),
        WHOLE,
    ),
    "max_completion_tokens": WHOLE,
    "temperature": REAL,
    "top_p": REAL,
    "parallel_tool_calls": BOOLEAN,
    "truncation_strategy": _struct(type=TEXT, last_messages=WHOLE),
    "tool_choice": TEXT,
    "metadata": _struct(customer=TEXT, channel=TEXT, trace_id=TEXT, batch=TEXT),
    "required_action": _struct(type=TEXT),
    "last_error": _struct(code=TEXT, message=TEXT),
    "incomplete_details": _struct(reason=TEXT),
    "usage": _struct(
        prompt_tokens=WHOLE,
        completion_tokens=WHOLE,
        total_tokens=WHOLE,
        prompt_token_details=_struct(cached_tokens=WHOLE),
        completion_tokens_details=_struct(reasoning_tokens=WHOLE),
    ),
    "tools": pa.list_(_struct(type=TEXT, function=FUNCTION)),
}


def main() -> None:
    """Load without `response_format`, a string in some runs and an object in others, on which this reader fails."""
    warehouse, source = sys.argv[1:]
    options = json.ParseOptions(
        explicit_schema=pa.schema([pa.field(name, kind) for name, kind in FIELDS.items()]),
        unexpected_field_behavior="ignore",
    )
    sent = json.read_json(source, parse_options=options, read_options=json.ReadOptions(block_size=8 << 20))
    sent = sent.append_column("response_format", pa.nulls(sent.num_rows, TEXT))
    connection = duckdb.connect(warehouse, config={"storage_compatibility_version": "v1.4.0"})
    connection.register("sent", sent)
    connection.execute(TABLES)
    connection.execute("checkpoint")


if __name__ == "__main__":
    main()
