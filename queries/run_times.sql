-- purpose: Runs and responses with their durations and settings; faster than run_facts, which adds tokens and errors.
-- grain: one row per run
-- column run_id VARCHAR: The run
-- column source VARCHAR: Label of the run (--source): its organisation, project or server
-- column object VARCHAR: The kind of object: thread.run, response, chat.completion, langgraph.run or litellm.request; null where it was not sent
-- column thread_id VARCHAR: The thread it belongs to
-- column assistant_id VARCHAR: The assistant that ran
-- column assistant_version VARCHAR: Version of the agent or prompt of a response
-- column model VARCHAR: Model, as sent
-- column status VARCHAR: The status, as sent
-- column is_terminal BOOLEAN: Whether the run has ended: completed, failed, cancelled, expired or incomplete
-- column is_failure BOOLEAN: Whether the run failed: failed, expired or incomplete
-- column created_at TIMESTAMP WITH TIME ZONE: When it was created
-- column started_at TIMESTAMP WITH TIME ZONE: Start time
-- column finished_at TIMESTAMP WITH TIME ZONE: When it ended: the instant that belongs to the status (of an expired run, expires_at), else the latest of completed_at, failed_at and cancelled_at, else the created_at of the webhook event of its status
-- column queue_seconds DOUBLE: Seconds from created to started; null when negative, and of responses and logged requests, which do not tell
-- column run_seconds DOUBLE: Seconds from started to finished; of a response the measured duration, else from created to finished; null when negative
-- column total_seconds DOUBLE: Seconds from created to finished; of a response the same as run_seconds; null when negative
-- column duration_source VARCHAR: Who measured run_seconds and total_seconds: record (their own instants), collector, collector_seconds or header; null when not timed
-- column resolution_seconds DOUBLE: How exact they are: 1 by instants in whole seconds (record, collector_seconds), else 0.001; null when not timed
-- column temperature DOUBLE: Sampling temperature
-- column top_p DOUBLE: Nucleus sampling: the probability mass considered
-- column max_completion_tokens BIGINT: Limit on completion tokens over the run
-- column tool_count BIGINT: Number of tools offered to the run
-- column tools_digest VARCHAR: Digest of the tools; null without tools
-- column metadata JSON: Metadata: keys and values set by the caller
with webhook_ends as (
    select
        run_id,
        replace(type, 'response.', '') as status,
        min(created_at) as ended_at
    from webhook_events
    group by run_id, replace(type, 'response.', '')
),

-- runs have no webhook events: a join of all would cost them as much as all else here
ended_runs as (
    select
        *,
        completed_at as ended_at
    from runs
    where object is null or object <> 'response'
    union all
    select
        runs.*,
        webhook_ends.ended_at
    from runs
    left join webhook_ends
        on runs.run_id = webhook_ends.run_id and runs.status = webhook_ends.status
    where runs.object = 'response'
),

finished_runs as (
    select
        *,
        coalesce(
            case status
                when 'completed' then completed_at
                when 'failed' then failed_at
                when 'cancelled' then cancelled_at
                when 'expired' then expires_at
            end,
            greatest(completed_at, failed_at, cancelled_at),
            ended_at
        ) as finished_at
    from ended_runs
),

run_durations as (
    select
        *,
        seconds_between(created_at, started_at) as signed_queue_seconds,
        coalesce(
            duration_seconds,
            seconds_between(case when object = 'response' then created_at else started_at end, finished_at)
        ) as signed_run_seconds,
        coalesce(duration_seconds, seconds_between(created_at, finished_at)) as signed_total_seconds
    from finished_runs
),

timed_runs as (
    select
        *,
        case when signed_run_seconds >= 0 or signed_total_seconds >= 0 then coalesce(latency_source, 'record') end
            as duration_source
    from run_durations
)

select
    run_id,
    source,
    object,
    thread_id,
    assistant_id,
    assistant_version,
    model,
    status,
    status in ('completed', 'failed', 'cancelled', 'expired', 'incomplete') as is_terminal,
    status in ('failed', 'expired', 'incomplete') as is_failure,
    created_at,
    started_at,
    finished_at,
    -- a proxy's log has one instant for both
    case when signed_queue_seconds >= 0 and coalesce(object, '') <> 'litellm.request' then signed_queue_seconds end
        as queue_seconds,
    case when signed_run_seconds >= 0 then signed_run_seconds end as run_seconds,
    case when signed_total_seconds >= 0 then signed_total_seconds end as total_seconds,
    duration_source,
    case
        when duration_source in ('record', 'collector_seconds') then cast(1 as double)
        when duration_source is not null then cast(0.001 as double)
    end as resolution_seconds,
    temperature,
    top_p,
    max_completion_tokens,
    tool_count,
    tools_digest,
    metadata
from timed_runs
