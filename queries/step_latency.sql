-- purpose: Latency of completed run steps per step type and model. Percentiles are interpolated linearly; steps without a duration are excluded and counted. Items of responses tell no times, and are counted as missing.
-- grain: one row per type and model with a step
-- column type VARCHAR: message_creation or tool_calls; null is a group of its own
-- column model VARCHAR: Model of the run, as sent; null when it or the run is unknown
-- column steps BIGINT: Steps, open ones included
-- column completed BIGINT: Steps that were completed
-- column failed BIGINT: Steps that failed, expired or were cancelled
-- column tool_calls BIGINT: Number of tool calls; null when no step is of a type that calls tools
-- column step_seconds_p50 DOUBLE: Median of the seconds from created to completed
-- column step_seconds_p90 DOUBLE: 90th percentile of the seconds from created to completed
-- column step_seconds_p95 DOUBLE: 95th percentile of the seconds from created to completed
-- column step_seconds_p99 DOUBLE: 99th percentile of the seconds from created to completed
-- column step_seconds_max DOUBLE: Maximum of the seconds from created to completed
-- column step_seconds_missing BIGINT: Completed steps without a duration, or with a negative one
with step_durations as (
    select
        steps.type,
        runs.model,
        steps.status,
        steps.tool_calls,
        case when steps.status = 'completed' then seconds_between(steps.created_at, steps.completed_at) end
            as signed_seconds
    from steps
    left join runs on runs.run_id = steps.run_id
),

timed_steps as (
    select
        *,
        case when signed_seconds >= 0 then signed_seconds end as step_seconds
    from step_durations
)

select
    type,
    model,
    count(*) as steps,
    count(*) filter (where status = 'completed') as completed,
    count(*) filter (where status in ('failed', 'expired', 'cancelled')) as failed,
    cast(sum(tool_calls) as bigint) as tool_calls,
    percentile_cont(0.5) within group (order by step_seconds) as step_seconds_p50,
    percentile_cont(0.9) within group (order by step_seconds) as step_seconds_p90,
    percentile_cont(0.95) within group (order by step_seconds) as step_seconds_p95,
    percentile_cont(0.99) within group (order by step_seconds) as step_seconds_p99,
    max(step_seconds) as step_seconds_max,
    count(*) filter (where status = 'completed') - count(step_seconds) as step_seconds_missing
from timed_steps
group by type, model
