"""Peer: polars reads JSON Lines, DuckDB creates the same four tables. Arguments: WAREHOUSE SOURCE."""

import sys

import duckdb
import polars as pl
from read_json import TABLES

TEXT, WHOLE, REAL = pl.String, pl.Int64, pl.Float64
USAGE = pl.Struct(
    {
        "prompt_tokens": WHOLE,
        "completion_tokens": WHOLE,
        "total_tokens": WHOLE,
        "prompt_token_details": pl.Struct({"cached_tokens": WHOLE}),
        "completion_tokens_details": pl.Struct({"reasoning_tokens": WHOLE}),
    }
)
FUNCTION = pl.Struct({"name": TEXT, "description": TEXT, "strict": pl.Boolean, "parameters": pl.Struct({"type": TEXT})})
SCHEMA = {
    **dict.fromkeys(("id", "object", "thread_id", "assistant_id", "status", "model", "instructions"), TEXT),
    **dict.fromkeys(
        ("created_at", "started_at", "expires_at", "completed_at", "failed_at", "cancelled_at", "max_prompt_tokens"),
        WHOLE,
    ),
    "max_completion_tokens": WHOLE,
    "temperature": REAL,
    "top_p": REAL,
    "parallel_tool_calls": pl.Boolean,
    "truncation_strategy": pl.Struct({"type": TEXT, "last_messages": WHOLE}),
    "tool_choice": TEXT,
    "response_format": TEXT,
    "metadata": pl.Struct({"customer": TEXT, "channel": TEXT, "trace_id": TEXT, "batch": TEXT}),
    "required_action": pl.Struct({"type": TEXT}),
    "last_error": pl.Struct({"code": TEXT, "message": TEXT}),
    "incomplete_details": pl.Struct({"reason": TEXT}),
    "usage": USAGE,
    "tools": pl.List(pl.Struct({"type": TEXT, "function": FUNCTION})),
}


def main() -> None:
    """Load."""
    warehouse, source = sys.argv[1:]
    sent = pl.read_ndjson(source, schema=SCHEMA)
    connection = duckdb.connect(warehouse, config={"storage_compatibility_version": "v1.4.0"})
    connection.register("sent", sent.to_arrow())
    connection.execute(TABLES)
    connection.execute("checkpoint")


if __name__ == "__main__":
    main()
