-- purpose: Tool calls whose outputs or approval a run waits for, or waited for when last observed. Of runs only: of a response, runs.waits_for_client tells it, and steps has its calls.
-- grain: one row per run and tool call
-- column run_id VARCHAR: The run
-- column source VARCHAR: Label of the run (--source): its organisation, project or server
-- column thread_id VARCHAR: The thread it belongs to
-- column assistant_id VARCHAR: The assistant that ran
-- column model VARCHAR: Model, as sent
-- column status VARCHAR: The run's status, as sent
-- column is_waiting BOOLEAN: Whether the run is still waiting: in requires_action
-- column created_at TIMESTAMP WITH TIME ZONE: When the run was created
-- column expires_at TIMESTAMP WITH TIME ZONE: When it expires, or expired
-- column tool_call_id VARCHAR: Id of the tool call; null where it was not sent
-- column type VARCHAR: function, or mcp for a tool of a server, whose call has to be approved
-- column name VARCHAR: Name of the function or tool
-- column arguments VARCHAR: Arguments: JSON as the model wrote it
-- column server_label VARCHAR: Label of the server (MCP) whose tool it is; null for functions
with waiting as (
    select
        run_id,
        source,
        thread_id,
        assistant_id,
        model,
        status,
        created_at,
        expires_at,
        json_items(required_action, 'submit_tool_outputs', 'tool_calls') as tool_calls,
        json_items(required_action, 'submit_tool_approval', 'tool_calls') as approvals
    from runs
    where required_action is not null
),

calls as (
    select
        run_id,
        source,
        thread_id,
        assistant_id,
        model,
        status,
        created_at,
        expires_at,
        explode(tool_calls) as tool_call
    from waiting
    union all
    select
        run_id,
        source,
        thread_id,
        assistant_id,
        model,
        status,
        created_at,
        expires_at,
        explode(approvals) as tool_call
    from waiting
),

named_calls as (
    select
        *,
        json_text(tool_call, 'id') as tool_call_id,
        coalesce(json_text(json_text(tool_call, 'function'), 'name'), json_text(tool_call, 'name')) as name,
        coalesce(
            json_text(json_text(tool_call, 'function'), 'arguments'), json_text(tool_call, 'arguments')
        ) as arguments
    from calls
)

select
    run_id,
    source,
    thread_id,
    assistant_id,
    model,
    status,
    status = 'requires_action' as is_waiting,
    created_at,
    expires_at,
    tool_call_id,
    json_text(tool_call, 'type') as type,
    name,
    arguments,
    json_text(tool_call, 'server_label') as server_label
from named_calls
-- An element without an id and without a name is not a call.
where tool_call_id is not null or name is not null
