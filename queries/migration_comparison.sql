-- purpose: Deployments before and after a migration, such as from an assistant's runs to an agent's responses, compared by turns. Rules in the table deployments say which turns are whose; see runmart deployments. Means and shares of tokens, tool calls and costs are of the turns that report all of them, which are counted.
-- grain: one row per deployment and side
-- column deployment VARCHAR: Name of the deployment
-- column side VARCHAR: before or after
-- column comparable BOOLEAN: Whether nothing is known that forbids a comparison of both sides
-- column reasons VARCHAR: What forbids it, of the side before, the side after and of both; null when comparable
-- column turns BIGINT: Turns
-- column runs BIGINT: Runs or responses in them
-- column model_calls_per_turn DOUBLE: Model calls per turn of responses and chat completions; null for runs, which do not tell
-- column models VARCHAR: Models of the first runs, in order of names
-- column first_turn_at TIMESTAMP WITH TIME ZONE: When the first turn was created
-- column last_turn_at TIMESTAMP WITH TIME ZONE: When the last turn was created
-- column open_turns BIGINT: Turns that have not ended, waiting ones included
-- column waiting_turns BIGINT: Turns that wait for their client: calls whose answer is not known, so that the rest of the turn may be counted as another
-- column shared_turns BIGINT: Turns that another deployment has on the same side, too
-- column completed_turns BIGINT: Turns that completed
-- column timed_turns BIGINT: Completed turns whose duration is known
-- column timed_share DOUBLE: Timed over completed turns, 0 to 1
-- column turn_seconds_p50 DOUBLE: Median of the seconds from the first creation to the last end, of the timed turns
-- column turn_seconds_p95 DOUBLE: 95th percentile of them
-- column turn_seconds_p99 DOUBLE: 99th percentile of them
-- column resolution_seconds DOUBLE: The coarsest resolution of these seconds: 1 for the times of records
-- column failure_rate DOUBLE: Failed, expired and incomplete turns over ended turns, 0 to 1
-- column failure_rate_low DOUBLE: Lower bound of its 95% confidence interval (Wilson score)
-- column failure_rate_high DOUBLE: Upper bound of the interval
-- column failed_share DOUBLE: Failed turns over ended turns
-- column expired_share DOUBLE: Expired turns over ended turns
-- column incomplete_share DOUBLE: Incomplete turns over ended turns
-- column unrecorded_failures BIGINT: Failed requests that left no response, or one that is not known to have failed, retried ones included; null for runs, when none are recorded for the source, and when they may be another deployment's
-- column failure_rate_with_unrecorded DOUBLE: Failed turns and these requests over ended turns and these requests; null without unrecorded_failures
-- column failure_rate_with_unrecorded_low DOUBLE: Lower bound of its interval
-- column failure_rate_with_unrecorded_high DOUBLE: Upper bound of its interval
-- column turns_with_usage BIGINT: Turns all of whose runs report usage
-- column prompt_tokens_per_turn DOUBLE: Prompt tokens per turn with usage, cached ones included
-- column cached_prompt_tokens_per_turn DOUBLE: Cached prompt tokens per turn with usage
-- column cache_write_tokens_per_turn DOUBLE: Prompt tokens written to the cache per turn with usage
-- column completion_tokens_per_turn DOUBLE: Completion tokens per turn with usage, reasoning ones included
-- column reasoning_tokens_per_turn DOUBLE: Reasoning tokens per turn with usage
-- column cached_share DOUBLE: Cached over all prompt tokens of the turns with usage, 0 to 1
-- column turns_with_steps BIGINT: Turns whose steps are known
-- column tool_calls_per_turn DOUBLE: Tool calls per turn whose steps are known
-- column priced_turns BIGINT: Turns whose cost is known
-- column currency VARCHAR: Currency of the costs; null when they differ
-- column cost_per_turn DOUBLE: Cost per priced turn; null when currencies differ
-- column cost_per_thousand_turns DOUBLE: Cost per 1,000 priced turns
with owned_turns as (
    select
        turns.*,
        turns.runs_with_usage = turns.runs as has_usage,
        case when turns.status = 'completed' then turns.turn_seconds end as completed_seconds,
        deployment_turns.deployment,
        deployment_turns.side,
        deployment_turns.is_shared,
        coalesce(deployment_turns.side || ' ' || deployment_turns.deployment, '') as owner
    from turns
    left join deployment_turns on deployment_turns.turn_id = turns.turn_id
),

sums as (
    select
        deployment,
        side,
        count(*) as turns,
        cast(sum(runs) as bigint) as runs,
        avg(cast(model_calls as double)) as model_calls_per_turn,
        names_in(array_agg(distinct model)) as models,
        min(created_at) as first_turn_at,
        max(created_at) as last_turn_at,
        count(*) filter (where not coalesce(is_terminal, false)) as open_turns,
        count(*) filter (where is_waiting) as waiting_turns,
        count(*) filter (where is_waiting and not coalesce(is_terminal, false)) as open_waiting_turns,
        count(*) filter (where object = 'litellm.request') as unlinkable_turns,
        count(*) filter (where is_shared) as shared_turns,
        count(*) filter (where status = 'completed') as completed_turns,
        count(completed_seconds) as timed_turns,
        percentile_cont(0.5) within group (order by completed_seconds) as turn_seconds_p50,
        percentile_cont(0.95) within group (order by completed_seconds) as turn_seconds_p95,
        percentile_cont(0.99) within group (order by completed_seconds) as turn_seconds_p99,
        max(case when completed_seconds is not null then resolution_seconds end) as resolution_seconds,
        count(*) filter (where is_terminal) as terminal_turns,
        count(*) filter (where is_failure) as failures,
        count(*) filter (where status = 'failed') as failed,
        count(*) filter (where status = 'expired') as expired,
        count(*) filter (where status = 'incomplete') as incomplete,
        count(*) filter (where object = 'response') as response_turns,
        count(*) filter (where has_usage) as turns_with_usage,
        cast(sum(prompt_tokens) filter (where has_usage) as double) as prompt_tokens,
        cast(sum(cached_prompt_tokens) filter (where has_usage) as double) as cached_prompt_tokens,
        cast(sum(cache_write_tokens) filter (where has_usage) as double) as cache_write_tokens,
        cast(sum(completion_tokens) filter (where has_usage) as double) as completion_tokens,
        cast(sum(reasoning_tokens) filter (where has_usage) as double) as reasoning_tokens,
        count(tool_calls) as turns_with_steps,
        avg(cast(tool_calls as double)) as tool_calls_per_turn,
        count(cost) as priced_turns,
        case when min(currency) = max(currency) then min(currency) end as currency,
        case when min(currency) = max(currency) then cast(sum(cast(cost as decimal(38, 12))) as double) end as cost
    from owned_turns
    where deployment is not null
    group by deployment, side
),

response_groups as (
    select
        deployment,
        side,
        owner,
        source,
        model
    from owned_turns
    where object in ('response', 'chat.completion')
    group by deployment, side, owner, source, model
),

-- An error in a stream is no failure beside that of its response, where that is known to have failed.
failure_counts as (
    select
        request_failures.source,
        request_failures.model,
        count(*) as failures
    from request_failures
    left join runs on runs.run_id = request_failures.run_id and runs.source = request_failures.source
    where runs.status is null or runs.status not in ('failed', 'expired', 'incomplete')
    group by request_failures.source, request_failures.model
),

-- Each group of responses with each group of failed requests of its source.
paired_failures as (
    select
        response_groups.*,
        failure_counts.model as failed_model,
        failure_counts.failures,
        case when failure_counts.model = response_groups.model then response_groups.owner end as owner_of_model
    from response_groups
    left join failure_counts on failure_counts.source = response_groups.source
),

-- Failed requests belong to a side that alone has responses of their model, or of their source if none has any.
owned_failures as (
    select
        *,
        coalesce(min(owner_of_model) over failed_requests, min(owner) over failed_requests) as first_owner,
        coalesce(max(owner_of_model) over failed_requests, max(owner) over failed_requests) as last_owner,
        count(owner_of_model) over failed_requests > 0 as is_model_known
    from paired_failures
    window failed_requests as (partition by source, failed_model)
),

side_failures as (
    select
        deployment,
        side,
        source,
        max(failures) as failures,
        bool_or(first_owner = last_owner and first_owner = owner) as is_owner,
        bool_or(first_owner <> last_owner and (owner_of_model is not null or not is_model_known)) as is_unclear
    from owned_failures
    where deployment is not null
    group by deployment, side, source, failed_model
),

request_sums as (
    select
        deployment,
        side,
        count(distinct source) as sources,
        count(distinct case when failures is not null then source end) as recorded_sources,
        sum(case when is_owner then coalesce(failures, 0) else 0 end) as failures,
        sum(case when is_unclear then coalesce(failures, 0) else 0 end) as unclear_failures
    from side_failures
    group by deployment, side
),

declared_sides as (
    select distinct
        deployment,
        side
    from deployments
),

compared_sides as (
    select
        declared_sides.deployment,
        declared_sides.side,
        coalesce(sums.turns, 0) as turns,
        coalesce(sums.runs, 0) as runs,
        sums.model_calls_per_turn,
        sums.models,
        sums.first_turn_at,
        sums.last_turn_at,
        coalesce(sums.open_turns, 0) as open_turns,
        coalesce(sums.waiting_turns, 0) as waiting_turns,
        coalesce(sums.open_waiting_turns, 0) as open_waiting_turns,
        coalesce(sums.unlinkable_turns, 0) as unlinkable_turns,
        coalesce(sums.shared_turns, 0) as shared_turns,
        coalesce(sums.completed_turns, 0) as completed_turns,
        coalesce(sums.timed_turns, 0) as timed_turns,
        cast(sums.timed_turns as double) / nullif(sums.completed_turns, 0) as timed_share,
        sums.turn_seconds_p50,
        sums.turn_seconds_p95,
        sums.turn_seconds_p99,
        sums.resolution_seconds,
        cast(nullif(sums.terminal_turns, 0) as double) as trials,
        cast(sums.failures as double) / nullif(sums.terminal_turns, 0) as failure_rate,
        cast(sums.failed as double) / nullif(sums.terminal_turns, 0) as failed_share,
        cast(sums.expired as double) / nullif(sums.terminal_turns, 0) as expired_share,
        cast(sums.incomplete as double) / nullif(sums.terminal_turns, 0) as incomplete_share,
        coalesce(sums.response_turns, 0) as response_turns,
        request_sums.sources > request_sums.recorded_sources as is_request_record_missing,
        request_sums.unclear_failures > 0 as are_failures_unclear,
        case
            when request_sums.sources = request_sums.recorded_sources and request_sums.unclear_failures = 0
                then request_sums.failures
        end as unrecorded_failures,
        sums.failures,
        coalesce(sums.turns_with_usage, 0) as turns_with_usage,
        sums.prompt_tokens / nullif(sums.turns_with_usage, 0) as prompt_tokens_per_turn,
        sums.cached_prompt_tokens / nullif(sums.turns_with_usage, 0) as cached_prompt_tokens_per_turn,
        sums.cache_write_tokens / nullif(sums.turns_with_usage, 0) as cache_write_tokens_per_turn,
        sums.completion_tokens / nullif(sums.turns_with_usage, 0) as completion_tokens_per_turn,
        sums.reasoning_tokens / nullif(sums.turns_with_usage, 0) as reasoning_tokens_per_turn,
        sums.cached_prompt_tokens / nullif(sums.prompt_tokens, 0) as cached_share,
        coalesce(sums.turns_with_steps, 0) as turns_with_steps,
        sums.tool_calls_per_turn,
        coalesce(sums.priced_turns, 0) as priced_turns,
        sums.currency,
        sums.cost / nullif(sums.priced_turns, 0) as cost_per_turn
    from declared_sides
    left join sums on sums.deployment = declared_sides.deployment and sums.side = declared_sides.side
    left join request_sums
        on request_sums.deployment = declared_sides.deployment and request_sums.side = declared_sides.side
),

rated_sides as (
    select
        *,
        cast(1.959963984540054 as double) as z,
        cast(trials + unrecorded_failures as double) as all_trials,
        cast(failures + unrecorded_failures as double) / cast(nullif(trials + unrecorded_failures, 0) as double)
            as failure_rate_with_unrecorded
    from compared_sides
),

interval_parts as (
    select
        *,
        1 + z * z / trials as scale,
        failure_rate + z * z / (2 * trials) as center,
        z * sqrt(failure_rate * (1 - failure_rate) / trials + z * z / (4 * trials * trials)) as margin,
        1 + z * z / all_trials as all_scale,
        failure_rate_with_unrecorded + z * z / (2 * all_trials) as all_center,
        z * sqrt(
            failure_rate_with_unrecorded * (1 - failure_rate_with_unrecorded) / all_trials
            + z * z / (4 * all_trials * all_trials)
        ) as all_margin,
        concat_ws(
            ', ',
            case when turns = 0 then 'no turns' when turns < 30 then 'fewer than 30 turns' end,
            case when open_turns - open_waiting_turns > 0.05e0 * turns then 'open turns' end,
            case when waiting_turns > 0.05e0 * turns then 'calls without a recorded answer' end,
            case when unlinkable_turns > 0.05e0 * turns then 'requests, not turns' end,
            case when shared_turns > 0 then 'turns of another deployment' end,
            case when timed_turns < 0.95e0 * completed_turns then 'durations missing' end,
            case when turn_seconds_p50 < 3 * resolution_seconds then 'resolution' end,
            case when is_request_record_missing then 'no record of failed requests' end,
            case when are_failures_unclear then 'failed requests of several deployments' end,
            case when turns_with_usage < 0.95e0 * turns then 'tokens missing' end,
            case when priced_turns < 0.95e0 * turns then 'costs missing' end,
            case when priced_turns > 0 and currency is null then 'several currencies' end
        ) as side_reasons
    from rated_sides
),

pairs as (
    select
        *,
        max(case when side = 'before' and side_reasons <> '' then 'before: ' || side_reasons end) over deployment_sides
            as reasons_before,
        max(case when side = 'after' and side_reasons <> '' then 'after: ' || side_reasons end) over deployment_sides
            as reasons_after,
        count(*) over deployment_sides as sides,
        count(models) over deployment_sides = 2 and min(models) over deployment_sides <> max(models) over deployment_sides
            as is_model_changed,
        count(currency) over deployment_sides = 2
        and min(currency) over deployment_sides <> max(currency) over deployment_sides as is_currency_changed
    from interval_parts
    window deployment_sides as (partition by deployment)
),

judged_sides as (
    select
        *,
        concat_ws(
            '; ',
            reasons_before,
            reasons_after,
            case when sides < 2 then 'one side only' end,
            case when is_model_changed then 'model changed' end,
            case when is_currency_changed then 'currency changed' end
        ) as all_reasons
    from pairs
)

select
    deployment,
    side,
    all_reasons = '' as comparable,
    case when all_reasons <> '' then all_reasons end as reasons,
    turns,
    runs,
    model_calls_per_turn,
    models,
    first_turn_at,
    last_turn_at,
    open_turns,
    waiting_turns,
    shared_turns,
    completed_turns,
    timed_turns,
    timed_share,
    turn_seconds_p50,
    turn_seconds_p95,
    turn_seconds_p99,
    resolution_seconds,
    failure_rate,
    case when center is not null then greatest((center - margin) / scale, cast(0 as double)) end as failure_rate_low,
    case when center is not null then least((center + margin) / scale, cast(1 as double)) end as failure_rate_high,
    failed_share,
    expired_share,
    incomplete_share,
    cast(unrecorded_failures as bigint) as unrecorded_failures,
    failure_rate_with_unrecorded,
    case when all_center is not null then greatest((all_center - all_margin) / all_scale, cast(0 as double)) end
        as failure_rate_with_unrecorded_low,
    case when all_center is not null then least((all_center + all_margin) / all_scale, cast(1 as double)) end
        as failure_rate_with_unrecorded_high,
    turns_with_usage,
    prompt_tokens_per_turn,
    cached_prompt_tokens_per_turn,
    cache_write_tokens_per_turn,
    completion_tokens_per_turn,
    reasoning_tokens_per_turn,
    cached_share,
    turns_with_steps,
    tool_calls_per_turn,
    priced_turns,
    currency,
    cost_per_turn,
    1000 * cost_per_turn as cost_per_thousand_turns
from judged_sides
