-- purpose: Tool calls that runs wait for, or waited for when they were seen last.
-- grain: one row per run and tool call
-- column run_id VARCHAR: The run
-- column source VARCHAR: Which organisation, project or server it comes from
-- column thread_id VARCHAR: The thread it belongs to
-- column assistant_id VARCHAR: The assistant that ran
-- column model VARCHAR: The language model, as sent
-- column status VARCHAR: The run's status, as sent
-- column is_waiting BOOLEAN: Whether the run was waiting still: in requires_action
-- column created_at TIMESTAMP WITH TIME ZONE: When the run was created
-- column expires_at TIMESTAMP WITH TIME ZONE: When it expires, or expired
-- column tool_call_id VARCHAR: The call, to be named with its output
-- column type VARCHAR: function
-- column name VARCHAR: The function to be called
-- column arguments VARCHAR: Its arguments: JSON as the model wrote it
with calls as (
    select
        run_id,
        explode(json_items(required_action, 'submit_tool_outputs', 'tool_calls')) as tool_call
    from runs
    where required_action is not null
)

select
    runs.run_id,
    runs.source,
    runs.thread_id,
    runs.assistant_id,
    runs.model,
    runs.status,
    runs.status = 'requires_action' as is_waiting,
    runs.created_at,
    runs.expires_at,
    json_text(calls.tool_call, 'id') as tool_call_id,
    json_text(calls.tool_call, 'type') as type,
    json_text(json_text(calls.tool_call, 'function'), 'name') as name,
    json_text(json_text(calls.tool_call, 'function'), 'arguments') as arguments
from calls
inner join runs on runs.run_id = calls.run_id
