"""Peer: DuckDB's own JSON reader creates the same four tables. Arguments: WAREHOUSE lines|pages SOURCE."""

import json
import sys

import duckdb

COLUMNS = {
    **dict.fromkeys(("id", "object", "thread_id", "assistant_id", "status", "model", "instructions"), "VARCHAR"),
    **dict.fromkeys(
        ("created_at", "started_at", "expires_at", "completed_at", "failed_at", "cancelled_at", "max_prompt_tokens"),
        "BIGINT",
    ),
    "max_completion_tokens": "BIGINT",
    "temperature": "DOUBLE",
    "top_p": "DOUBLE",
    "parallel_tool_calls": "BOOLEAN",
    "truncation_strategy": "STRUCT(type VARCHAR, last_messages BIGINT)",
    "tool_choice": "JSON",
    "response_format": "JSON",
    "metadata": "JSON",
    "required_action": "JSON",
    "last_error": "STRUCT(code VARCHAR, message VARCHAR)",
    "incomplete_details": "STRUCT(reason VARCHAR)",
    "usage": "STRUCT(prompt_tokens BIGINT, completion_tokens BIGINT, total_tokens BIGINT, "
    "prompt_token_details STRUCT(cached_tokens BIGINT), completion_tokens_details STRUCT(reasoning_tokens BIGINT))",
    "tools": 'STRUCT("type" VARCHAR, "function" '
    'STRUCT("name" VARCHAR, description VARCHAR, "strict" BOOLEAN, parameters JSON))[]',
}

STRUCTURE = {
    **COLUMNS,
    "truncation_strategy": {"type": "VARCHAR", "last_messages": "BIGINT"},
    "last_error": {"code": "VARCHAR", "message": "VARCHAR"},
    "incomplete_details": {"reason": "VARCHAR"},
    "usage": {
        **dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), "BIGINT"),
        "prompt_token_details": {"cached_tokens": "BIGINT"},
        "completion_tokens_details": {"reasoning_tokens": "BIGINT"},
    },
    "tools": [
        {
            "type": "VARCHAR",
            "function": {"name": "VARCHAR", "description": "VARCHAR", "strict": "BOOLEAN", "parameters": "JSON"},
        }
    ],
}
"""The same, as `json_transform` wants it: the quickest way through page files. `read_json` with this schema takes three
times as long, with its own guess at the types one and a half times."""

INSTANTS = ("created_at", "started_at", "expires_at", "completed_at", "failed_at", "cancelled_at")

TABLES = f"""
create table runs as select
    id as run_id, object, thread_id, assistant_id, status, model, instructions,
    {", ".join(f"make_timestamptz({name} * 1000000) as {name}" for name in INSTANTS)},
    temperature, top_p, max_prompt_tokens, max_completion_tokens,
    truncation_strategy.type as truncation_type, truncation_strategy.last_messages as truncation_last_messages,
    tool_choice, response_format, parallel_tool_calls, metadata, required_action
from sent;
create table usage as select
    id as run_id, usage.prompt_tokens, usage.prompt_token_details.cached_tokens as cached_prompt_tokens,
    usage.completion_tokens, usage.completion_tokens_details.reasoning_tokens, usage.total_tokens
from sent where usage is not null;
create table tools as select run_id, position, tool.type, tool.function.name, tool.function.description,
    tool.function.strict, tool.function.parameters
from (select id as run_id, unnest(tools) as tool, generate_subscripts(tools, 1) - 1 as position from sent);
create table errors as
select id as run_id, 'last_error' as kind, last_error.code, last_error.message from sent where last_error is not null
union all
select id, 'incomplete_details', incomplete_details.reason, null from sent where incomplete_details is not null;
"""


def main() -> None:
    """Load."""
    warehouse, shape, source = sys.argv[1:]
    connection = duckdb.connect(warehouse, config={"storage_compatibility_version": "v1.4.0"})
    if shape == "lines":
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS.items())
        sent = f"select * from read_json('{source}', format = 'newline_delimited', columns = {{{columns}}})"
    else:
        sent = f"""
            select unnest(json_transform(run, '{json.dumps(STRUCTURE)}'))
            from (
                select unnest(json_transform(content, '{{"data": ["JSON"]}}').data) as run
                from read_text('{source}')
            )"""
    connection.execute(f"create temp table sent as {sent}")
    connection.execute(TABLES)
    connection.execute("checkpoint")


if __name__ == "__main__":
    main()
