-- purpose: Runs and responses with their durations, tokens, tools and errors in one row.
-- grain: one row per run
-- column run_id VARCHAR: The run
-- column source VARCHAR: Label of the run (--source): its organisation, project or server
-- column object VARCHAR: The kind of object: thread.run, response, chat.completion, langgraph.run or litellm.request; null where it was not sent
-- column thread_id VARCHAR: The thread it belongs to
-- column assistant_id VARCHAR: The assistant that ran
-- column model VARCHAR: Model, as sent
-- column status VARCHAR: The status, as sent
-- column is_terminal BOOLEAN: Whether the run has ended: completed, failed, cancelled, expired or incomplete
-- column is_failure BOOLEAN: Whether the run failed: failed, expired or incomplete
-- column created_at TIMESTAMP WITH TIME ZONE: When it was created
-- column started_at TIMESTAMP WITH TIME ZONE: Start time
-- column finished_at TIMESTAMP WITH TIME ZONE: When it ended: the instant that belongs to the status (of an expired run, expires_at), else the latest of completed_at, failed_at and cancelled_at
-- column queue_seconds DOUBLE: Seconds from created to started; null when negative, and of responses and logged requests, which do not tell
-- column run_seconds DOUBLE: Seconds from started to finished; of a response the measured duration, else from created to finished; null when negative
-- column total_seconds DOUBLE: Seconds from created to finished; of a response the same as run_seconds; null when negative
-- column duration_source VARCHAR: Who measured run_seconds and total_seconds: record (their own instants), collector, collector_seconds or header; null when not timed
-- column resolution_seconds DOUBLE: How exact they are: 1 by instants in whole seconds (record, collector_seconds), else 0.001; null when not timed
-- column prompt_tokens BIGINT: Prompt tokens, cached ones included
-- column cached_prompt_tokens BIGINT: Cached prompt tokens
-- column uncached_prompt_tokens BIGINT: Prompt tokens without the cached ones; all of them when no cached ones are reported
-- column completion_tokens BIGINT: Completion tokens, reasoning ones included
-- column reasoning_tokens BIGINT: Reasoning tokens, part of completion tokens
-- column total_tokens BIGINT: Total tokens, as sent
-- column error_code VARCHAR: Code of the last error
-- column incomplete_reason VARCHAR: Reason why the run is incomplete
-- column tool_count BIGINT: Number of tools offered to the run
with run_errors as (
    select
        run_id,
        max(code) filter (where kind = 'last_error') as error_code,
        max(code) filter (where kind = 'incomplete_details') as incomplete_reason
    from errors
    group by run_id
)

select
    run_times.run_id,
    run_times.source,
    run_times.object,
    run_times.thread_id,
    run_times.assistant_id,
    run_times.model,
    run_times.status,
    run_times.is_terminal,
    run_times.is_failure,
    run_times.created_at,
    run_times.started_at,
    run_times.finished_at,
    run_times.queue_seconds,
    run_times.run_seconds,
    run_times.total_seconds,
    run_times.duration_source,
    run_times.resolution_seconds,
    usage.prompt_tokens,
    usage.cached_prompt_tokens,
    usage.prompt_tokens - coalesce(usage.cached_prompt_tokens, 0) as uncached_prompt_tokens,
    usage.completion_tokens,
    usage.reasoning_tokens,
    usage.total_tokens,
    run_errors.error_code,
    run_errors.incomplete_reason,
    run_times.tool_count
from run_times
left join usage on usage.run_id = run_times.run_id
left join run_errors on run_errors.run_id = run_times.run_id
