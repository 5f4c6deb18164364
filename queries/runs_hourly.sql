-- purpose: Hourly summary (UTC) of runs: count, outcome, run time, tokens and cost. Failures of synchronous requests leave no response, and are not counted; those that left a record are in request_failures.
-- grain: one row per hour (UTC), source, model and assistant
-- column hour TIMESTAMP: The hour (UTC) in which the runs were created; null is a group of its own
-- column source VARCHAR: Label of the runs (--source)
-- column model VARCHAR: Model, as sent; null is a group of its own
-- column assistant_id VARCHAR: The assistant; null is a group of its own
-- column runs BIGINT: Runs, open ones included
-- column terminal_runs BIGINT: Runs that have ended
-- column completed BIGINT: ... completed
-- column failed BIGINT: ... failed
-- column expired BIGINT: ... expired
-- column incomplete BIGINT: ... incomplete: stopped at a limit
-- column cancelled BIGINT: ... cancelled
-- column failure_rate DOUBLE: Failed, expired and incomplete runs over ended runs, 0 to 1; null without ended runs
-- column run_seconds_p50 DOUBLE: Median of run_seconds, as in run_times, of completed runs
-- column run_seconds_p95 DOUBLE: 95th percentile of these, interpolated linearly
-- column prompt_tokens BIGINT: Sum of prompt tokens; null when no run reports them
-- column cached_prompt_tokens BIGINT: Sum of cached prompt tokens
-- column completion_tokens BIGINT: Sum of completion tokens
-- column total_tokens BIGINT: Sum of the totals as sent
-- column unpriced_runs BIGINT: Unpriced runs that report usage
-- column unpriced_tool_calls BIGINT: Calls of tools without a known fee, excluded from the cost
-- column cost DOUBLE: Cost of the priced runs; null when there are none, or several currencies (see costs_daily)
with hours as (
    select
        utc_hour(run_times.created_at) as hour,
        run_times.source,
        run_times.model,
        run_times.assistant_id,
        count(*) as runs,
        count(*) filter (where run_times.is_terminal) as terminal_runs,
        count(*) filter (where run_times.status = 'completed') as completed,
        count(*) filter (where run_times.status = 'failed') as failed,
        count(*) filter (where run_times.status = 'expired') as expired,
        count(*) filter (where run_times.status = 'incomplete') as incomplete,
        count(*) filter (where run_times.status = 'cancelled') as cancelled,
        cast(count(*) filter (where run_times.is_failure) as double)
            / cast(nullif(count(*) filter (where run_times.is_terminal), 0) as double) as failure_rate,
        percentile(
            case when run_times.status = 'completed' then run_times.run_seconds end, concat(array_repeat(0.5e0, 1), array_repeat(0.95e0, 1))
        ) as run_seconds_percentiles,
        try_cast(sum(run_costs.prompt_tokens) as bigint) as prompt_tokens,
        try_cast(sum(run_costs.cached_prompt_tokens) as bigint) as cached_prompt_tokens,
        try_cast(sum(run_costs.completion_tokens) as bigint) as completion_tokens,
        try_cast(sum(run_costs.total_tokens) as bigint) as total_tokens,
        count(*) filter (where not run_costs.is_priced) as unpriced_runs,
        try_cast(sum(run_costs.unpriced_tool_calls) as bigint) as unpriced_tool_calls,
        case when min(run_costs.currency) filter (where run_costs.is_priced)
            = max(run_costs.currency) filter (where run_costs.is_priced)
            then cast(sum(cast(run_costs.cost as decimal(38, 12))) as double)
        end as cost
    from run_times
    left join run_costs on run_costs.run_id = run_times.run_id
    group by utc_hour(run_times.created_at), run_times.source, run_times.model, run_times.assistant_id
)

select
    hour,
    source,
    model,
    assistant_id,
    runs,
    terminal_runs,
    completed,
    failed,
    expired,
    incomplete,
    cancelled,
    failure_rate,
    nth(run_seconds_percentiles, 1) as run_seconds_p50,
    nth(run_seconds_percentiles, 2) as run_seconds_p95,
    prompt_tokens,
    cached_prompt_tokens,
    completion_tokens,
    total_tokens,
    unpriced_runs,
    coalesce(unpriced_tool_calls, 0) as unpriced_tool_calls,
    cost
from hours
