-- purpose: Turns, the grain at which runs and responses compare: a run, whose loop of model calls and tools is inside, or the chain of responses that answer each other's calls. Both last as long as their client's tools, too.
-- grain: one row per turn
-- column turn_id VARCHAR: The run_id of the run, or of the first response
-- column source VARCHAR: Label of the runs (--source)
-- column object VARCHAR: The kind of object, such as thread.run or response
-- column thread_id VARCHAR: The thread, or conversation, of the first
-- column assistant_id VARCHAR: The assistant, agent or prompt of the first
-- column assistant_version VARCHAR: Version of the agent or prompt of the first
-- column model VARCHAR: Model of the first, as sent
-- column has_several_models BOOLEAN: Whether its responses are of different models
-- column status VARCHAR: The worst of its statuses: failed, then expired, incomplete, cancelled, an open one, completed. A response or chat completion that completed with calls whose answer is not known counts as requires_action, as a run would be
-- column is_terminal BOOLEAN: Whether the turn has ended: completed, failed, cancelled, expired or incomplete
-- column is_failure BOOLEAN: Whether the turn failed: failed, expired or incomplete
-- column is_waiting BOOLEAN: Whether it waits for its client: no answer to the calls of a last response is known, or the run is in requires_action. Of responses and chat completions, this shows chains that could not be linked
-- column linked_by VARCHAR: How its responses are linked: previous_response, conversation, both, or none for a response alone; null for a run
-- column is_predecessor_missing BOOLEAN: Whether its first response names one that the warehouse does not hold, so that the turn may have begun earlier
-- column runs BIGINT: Number of runs (1) or responses
-- column model_calls BIGINT: Number of model calls: its responses; 1 for a chat completion or a request of a gateway; null for a run, which does not tell
-- column branches BIGINT: Number of responses that answer calls which another response answers as well, such as requests that were made again
-- column runs_with_usage BIGINT: Runs that report usage; where they are fewer than runs, the sums of tokens are too low
-- column prompt_tokens BIGINT: Sum of prompt tokens, cached ones included; null, like every sum here, when none is reported
-- column cached_prompt_tokens BIGINT: Sum of cached prompt tokens
-- column cache_write_tokens BIGINT: Sum of prompt tokens written to the cache
-- column completion_tokens BIGINT: Sum of completion tokens, reasoning ones included
-- column reasoning_tokens BIGINT: Sum of reasoning tokens
-- column total_tokens BIGINT: Sum of the totals as sent
-- column is_priced BOOLEAN: Whether all of its runs are priced, in one currency
-- column currency VARCHAR: Currency of the cost; null when the cost is
-- column cost DOUBLE: Sum of the costs; null when one of its runs is unpriced, or its currencies differ
-- column tool_calls BIGINT: Number of tool calls: those of the steps of a run, or of the items of responses; null when no step is known
-- column created_at TIMESTAMP WITH TIME ZONE: When the first was created
-- column finished_at TIMESTAMP WITH TIME ZONE: When the last ended; null while it is open, and where a last response does not tell its end
-- column turn_seconds DOUBLE: Seconds from the first creation to the last end; null while it is open, when an end is not known, and when negative
-- column resolution_seconds DOUBLE: Resolution of turn_seconds: 1 for the times of records and of clocks in whole seconds, 0.001 for a single response that was measured finer; null without turn_seconds
-- column metadata JSON: Metadata of the first: keys and values set by the caller
with step_counts as (
    select
        run_id,
        sum(case when matches_pattern(type, '%_call') then 1 else coalesce(tool_calls, 0) end) as tool_calls
    from steps
    group by run_id
),

parts as (
    select
        turn_runs.turn_id,
        turn_runs.object,
        turn_runs.predecessor_id,
        turn_runs.linked_by,
        turn_runs.is_predecessor_missing,
        turn_runs.is_waiting,
        turn_runs.turn_created_at,
        not (turn_runs.is_linked and turn_runs.is_answered) as is_last,
        turn_runs.run_id = turn_runs.turn_id as is_first,
        run_times.source,
        run_times.thread_id,
        run_times.assistant_id,
        runs.assistant_version,
        run_times.model,
        case
            when turn_runs.is_waiting and run_times.status = 'completed' then 'requires_action' else run_times.status
        end as status,
        run_times.finished_at,
        case when turn_runs.is_linked then cast(1 as double) else run_times.resolution_seconds end as resolution_seconds,
        case
            when turn_runs.predecessor_id is null then coalesce(runs.duration_seconds, run_times.total_seconds)
            else seconds_between(turn_runs.turn_created_at, run_times.created_at)
                + coalesce(runs.duration_seconds, run_times.total_seconds)
        end as seconds,
        run_times.metadata,
        usage.run_id is not null as has_usage,
        usage.prompt_tokens,
        usage.cached_prompt_tokens,
        usage.cache_write_tokens,
        usage.completion_tokens,
        usage.reasoning_tokens,
        usage.total_tokens,
        run_costs.currency,
        run_costs.cost,
        step_counts.tool_calls
    from turn_runs
    inner join run_times on run_times.run_id = turn_runs.run_id
    inner join runs on runs.run_id = turn_runs.run_id
    left join usage on usage.run_id = turn_runs.run_id
    left join run_costs on run_costs.run_id = turn_runs.run_id
    left join step_counts on step_counts.run_id = turn_runs.run_id
),

ranked_parts as (
    select
        *,
        case status
            when 'failed' then '1'
            when 'expired' then '2'
            when 'incomplete' then '3'
            when 'cancelled' then '4'
            when 'completed' then '6'
            else '5'
        end || coalesce(status, '') as ranked_status
    from parts
),

sums as (
    select
        turn_id,
        max(source) as source,
        max(object) as object,
        max(case when is_first then thread_id end) as thread_id,
        max(case when is_first then assistant_id end) as assistant_id,
        max(case when is_first then assistant_version end) as assistant_version,
        max(case when is_first then model end) as model,
        coalesce(min(model) < max(model), false) as has_several_models,
        substring(min(ranked_status), 2) as status,
        bool_or(is_waiting) as is_waiting,
        min(linked_by) as first_link,
        max(linked_by) as last_link,
        bool_or(is_first and is_predecessor_missing) as is_predecessor_missing,
        count(*) as runs,
        count(predecessor_id) - count(*) filter (where not is_last) as branches,
        count(*) filter (where has_usage) as runs_with_usage,
        try_cast(sum(prompt_tokens) as bigint) as prompt_tokens,
        try_cast(sum(cached_prompt_tokens) as bigint) as cached_prompt_tokens,
        try_cast(sum(cache_write_tokens) as bigint) as cache_write_tokens,
        try_cast(sum(completion_tokens) as bigint) as completion_tokens,
        try_cast(sum(reasoning_tokens) as bigint) as reasoning_tokens,
        try_cast(sum(total_tokens) as bigint) as total_tokens,
        coalesce(count(cost) = count(*) and min(currency) = max(currency), false) as is_priced,
        max(currency) as currency,
        cast(sum(cast(cost as decimal(38, 12))) as double) as cost,
        cast(sum(tool_calls) as bigint) as tool_calls,
        min(turn_created_at) as created_at,
        max(finished_at) as finished_at,
        bool_and(finished_at is not null or not is_last) as is_end_known,
        max(case when is_last then seconds end) as signed_seconds,
        bool_and(seconds is not null or not is_last) as are_seconds_known,
        max(resolution_seconds) as resolution_seconds,
        any_value(metadata) filter (where is_first) as metadata
    from ranked_parts
    group by turn_id
),

judged_turns as (
    select
        *,
        status in ('completed', 'failed', 'cancelled', 'expired', 'incomplete') as is_terminal,
        status in ('failed', 'expired', 'incomplete') as is_failure
    from sums
),

timed_turns as (
    select
        *,
        case when is_terminal and are_seconds_known and signed_seconds >= 0 then signed_seconds end as turn_seconds
    from judged_turns
)

select
    turn_id,
    source,
    object,
    thread_id,
    assistant_id,
    assistant_version,
    model,
    has_several_models,
    case when status <> '' then status end as status,
    is_terminal,
    is_failure,
    is_waiting,
    case
        when first_link < last_link then 'both'
        when object = 'response' then coalesce(first_link, 'none')
    end as linked_by,
    is_predecessor_missing,
    runs,
    case when object in ('response', 'chat.completion', 'litellm.request') then runs end as model_calls,
    branches,
    runs_with_usage,
    prompt_tokens,
    cached_prompt_tokens,
    cache_write_tokens,
    completion_tokens,
    reasoning_tokens,
    total_tokens,
    is_priced,
    case when is_priced then currency end as currency,
    case when is_priced then cost end as cost,
    tool_calls,
    created_at,
    case when is_terminal and is_end_known then finished_at end as finished_at,
    turn_seconds,
    case when turn_seconds is not null then resolution_seconds end as resolution_seconds,
    metadata
from timed_turns
