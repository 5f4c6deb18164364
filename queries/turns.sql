-- purpose: Turns, the grain at which runs and responses compare: a run, whose loop of model calls and tools is inside, or the chain of responses that answer each other's calls. Both last as long as their client's tools, too.
-- grain: one row per turn
-- column turn_id VARCHAR: The run_id of the run, or of the first response
-- column source VARCHAR: Label of the runs (--source)
-- column object VARCHAR: The kind of object, such as thread.run or response
-- column thread_id VARCHAR: The thread, or conversation, of the first
-- column assistant_id VARCHAR: The assistant, agent or prompt of the first
-- column assistant_version VARCHAR: Version of the agent or prompt of the first
-- column model VARCHAR: Model of the first, as sent
-- column models BIGINT: Number of different models in it
-- column status VARCHAR: The worst of its statuses: failed, then expired, incomplete, cancelled, an open one, completed. A response or chat completion that completed with calls whose answer is not known counts as requires_action, as a run would be
-- column is_terminal BOOLEAN: Whether the turn has ended: completed, failed, cancelled, expired or incomplete
-- column is_failure BOOLEAN: Whether the turn failed: failed, expired or incomplete
-- column is_waiting BOOLEAN: Whether it waits for its client: no answer to the calls of a last response is known, or the run is in requires_action. Of responses, this shows chains that could not be linked
-- column linked_by VARCHAR: How its responses are linked: previous_response, conversation, both, or none for a response alone; null for a run
-- column is_predecessor_missing BOOLEAN: Whether its first response names one that the warehouse does not hold, so that the turn may have begun earlier
-- column runs BIGINT: Number of runs (1) or responses
-- column model_calls BIGINT: Number of model calls: its responses; 1 for a chat completion or a logged request; null for a run, which does not tell
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
-- column created_at TIMESTAMP WITH TIME ZONE: When the first was created
-- column finished_at TIMESTAMP WITH TIME ZONE: When the last ended; null while it is open, and where a last response does not tell its end
-- column turn_seconds DOUBLE: Seconds from the first creation to the last end; null while it is open, when an end is not known, and when negative
-- column resolution_seconds DOUBLE: Resolution of turn_seconds: 1 for the times of records, 0.001 for a single response that its client measured; null without turn_seconds
-- column metadata JSON: Metadata of the first: keys and values set by the caller
with parts as (
    select
        turn_runs.turn_id,
        turn_runs.predecessor_id,
        turn_runs.linked_by,
        turn_runs.is_linked,
        turn_runs.is_answered,
        turn_runs.is_predecessor_missing,
        turn_runs.is_waiting,
        turn_runs.object,
        run_times.run_id,
        run_times.source,
        run_times.thread_id,
        run_times.assistant_id,
        runs.assistant_version,
        run_times.model,
        case
            when turn_runs.is_waiting and run_times.status = 'completed' then 'requires_action' else run_times.status
        end as status,
        run_times.created_at,
        run_times.finished_at,
        coalesce(runs.duration_seconds, run_times.total_seconds) as seconds,
        runs.duration_seconds is not null as is_measured,
        run_times.metadata,
        usage.run_id is not null as has_usage,
        usage.prompt_tokens,
        usage.cached_prompt_tokens,
        usage.cache_write_tokens,
        usage.completion_tokens,
        usage.reasoning_tokens,
        usage.total_tokens,
        run_costs.currency,
        run_costs.cost
    from turn_runs
    inner join run_times on run_times.run_id = turn_runs.run_id
    inner join runs on runs.run_id = turn_runs.run_id
    left join usage on usage.run_id = turn_runs.run_id
    left join run_costs on run_costs.run_id = turn_runs.run_id
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
        end as badness,
        min(created_at) over (partition by turn_id) as turn_created_at
    from parts
    where is_linked
),

chains as (
    select
        turn_id,
        max(source) as source,
        max(object) as object,
        max(thread_id) filter (where run_id = turn_id) as thread_id,
        max(assistant_id) filter (where run_id = turn_id) as assistant_id,
        max(assistant_version) filter (where run_id = turn_id) as assistant_version,
        max(model) filter (where run_id = turn_id) as model,
        count(distinct model) as models,
        nullif(substring(min(concat(badness, coalesce(status, ''))), 2), '') as status,
        bool_or(is_waiting) as is_waiting,
        min(linked_by) as first_link,
        max(linked_by) as last_link,
        bool_or(is_predecessor_missing) filter (where run_id = turn_id) as is_predecessor_missing,
        count(*) as runs,
        count(predecessor_id) - count(distinct predecessor_id) as branches,
        count(*) filter (where has_usage) as runs_with_usage,
        try_cast(sum(prompt_tokens) as bigint) as prompt_tokens,
        try_cast(sum(cached_prompt_tokens) as bigint) as cached_prompt_tokens,
        try_cast(sum(cache_write_tokens) as bigint) as cache_write_tokens,
        try_cast(sum(completion_tokens) as bigint) as completion_tokens,
        try_cast(sum(reasoning_tokens) as bigint) as reasoning_tokens,
        try_cast(sum(total_tokens) as bigint) as total_tokens,
        count(cost) = count(*) and min(currency) = max(currency) as is_priced,
        max(currency) as currency,
        cast(sum(cast(cost as decimal(38, 12))) as double) as cost,
        min(created_at) as created_at,
        case when bool_and(is_answered or finished_at is not null) then max(finished_at) end as finished_at,
        case
            when bool_and(is_answered or (seconds is not null and created_at is not null))
                then max(case when not is_answered then seconds_between(turn_created_at, created_at) + seconds end)
        end as signed_seconds,
        any_value(metadata) filter (where run_id = turn_id) as metadata
    from ranked_parts
    group by turn_id
),

all_turns as (
    select
        turn_id,
        source,
        object,
        thread_id,
        assistant_id,
        assistant_version,
        model,
        case when model is not null then 1 else 0 end as models,
        status,
        is_waiting,
        case when object = 'response' then 'none' end as linked_by,
        is_predecessor_missing,
        1 as runs,
        case when object in ('response', 'chat.completion', 'litellm.request') then 1 end as model_calls,
        0 as branches,
        case when has_usage then 1 else 0 end as runs_with_usage,
        prompt_tokens,
        cached_prompt_tokens,
        cache_write_tokens,
        completion_tokens,
        reasoning_tokens,
        total_tokens,
        cost is not null and currency is not null as is_priced,
        currency,
        cost,
        created_at,
        finished_at,
        seconds as signed_seconds,
        is_measured,
        metadata
    from parts
    where not is_linked
    union all
    select
        turn_id,
        source,
        object,
        thread_id,
        assistant_id,
        assistant_version,
        model,
        models,
        status,
        is_waiting,
        case when first_link = last_link then first_link else 'both' end as linked_by,
        is_predecessor_missing,
        runs,
        runs as model_calls,
        branches,
        runs_with_usage,
        prompt_tokens,
        cached_prompt_tokens,
        cache_write_tokens,
        completion_tokens,
        reasoning_tokens,
        total_tokens,
        coalesce(is_priced, false) as is_priced,
        currency,
        cost,
        created_at,
        finished_at,
        signed_seconds,
        false as is_measured,
        metadata
    from chains
),

judged_turns as (
    select
        *,
        status in ('completed', 'failed', 'cancelled', 'expired', 'incomplete') as is_terminal,
        status in ('failed', 'expired', 'incomplete') as is_failure
    from all_turns
),

timed_turns as (
    select
        *,
        case when is_terminal and signed_seconds >= 0 then signed_seconds end as turn_seconds
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
    cast(models as bigint) as models,
    status,
    is_terminal,
    is_failure,
    is_waiting,
    linked_by,
    is_predecessor_missing,
    cast(runs as bigint) as runs,
    cast(model_calls as bigint) as model_calls,
    cast(branches as bigint) as branches,
    cast(runs_with_usage as bigint) as runs_with_usage,
    prompt_tokens,
    cached_prompt_tokens,
    cache_write_tokens,
    completion_tokens,
    reasoning_tokens,
    total_tokens,
    is_priced,
    case when is_priced then currency end as currency,
    case when is_priced then cost end as cost,
    created_at,
    case when is_terminal then finished_at end as finished_at,
    turn_seconds,
    case
        when turn_seconds is null then null
        when is_measured then cast(0.001 as double)
        else cast(1 as double)
    end as resolution_seconds,
    metadata
from timed_turns
