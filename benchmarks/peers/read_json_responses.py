"""Peer: DuckDB's own JSON reader creates the same five tables of responses. Arguments: WAREHOUSE SOURCE."""

import sys

import duckdb

COLUMNS = {
    **dict.fromkeys(("id", "object", "status", "model", "instructions", "previous_response_id"), "VARCHAR"),
    **dict.fromkeys(("created_at", "completed_at", "max_output_tokens"), "BIGINT"),
    **dict.fromkeys(("service_tier", "truncation"), "VARCHAR"),
    **dict.fromkeys(("temperature", "top_p"), "DOUBLE"),
    **dict.fromkeys(("parallel_tool_calls", "background"), "BOOLEAN"),
    **dict.fromkeys(("tool_choice", "metadata"), "JSON"),
    "conversation": "STRUCT(id VARCHAR)",
    "agent_reference": "STRUCT(name VARCHAR, version VARCHAR)",
    "text": "STRUCT(format JSON)",
    "error": "STRUCT(code VARCHAR, message VARCHAR)",
    "incomplete_details": "STRUCT(reason VARCHAR)",
    "usage": "STRUCT(input_tokens BIGINT, output_tokens BIGINT, total_tokens BIGINT, "
    "input_tokens_details STRUCT(cached_tokens BIGINT), output_tokens_details STRUCT(reasoning_tokens BIGINT))",
    "tools": 'STRUCT("type" VARCHAR, "name" VARCHAR, description VARCHAR, "strict" BOOLEAN, parameters JSON)[]',
    "output": 'STRUCT(id VARCHAR, "type" VARCHAR, status VARCHAR, "name" VARCHAR)[]',
}

TABLES = """
create table runs as select
    id as run_id, object, conversation.id as thread_id, previous_response_id as previous_run_id,
    agent_reference.name as assistant_id, agent_reference.version as assistant_version, status, model, instructions,
    service_tier, background, make_timestamptz(created_at * 1000000) as created_at,
    make_timestamptz(completed_at * 1000000) as completed_at, temperature, top_p,
    max_output_tokens as max_completion_tokens, truncation as truncation_type, tool_choice,
    text.format as response_format, parallel_tool_calls, metadata
from sent;
create table usage as select
    id as run_id, usage.input_tokens as prompt_tokens, usage.input_tokens_details.cached_tokens as cached_prompt_tokens,
    usage.output_tokens as completion_tokens, usage.output_tokens_details.reasoning_tokens, usage.total_tokens
from sent where usage is not null;
create table tools as select run_id, position, tool.type, tool.name, tool.description, tool.strict, tool.parameters
from (select id as run_id, unnest(tools) as tool, generate_subscripts(tools, 1) - 1 as position from sent);
create table errors as
select id as run_id, 'last_error' as kind, error.code, error.message from sent where error is not null
union all
select id, 'incomplete_details', incomplete_details.reason, null from sent where incomplete_details is not null;
create table steps as
select id as run_id, position, item.id as item_id, item.type, item.status, item.name
from (select id, unnest(output) as item, generate_subscripts(output, 1) - 1 as position from sent);
"""


def main() -> None:
    """Load."""
    warehouse, source = sys.argv[1:]
    connection = duckdb.connect(warehouse, config={"storage_compatibility_version": "v1.4.0"})
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS.items())
    connection.execute(f"""
        create temp table sent as
        select * from read_json('{source}', format = 'newline_delimited', columns = {{{columns}}})""")
    connection.execute(TABLES)
    connection.execute("checkpoint")


if __name__ == "__main__":
    main()
