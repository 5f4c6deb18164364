-- purpose: Costs and tokens per day and model: ours, what servers and gateways report per run, and what the organisation's usage and costs pages say. Whatever they say twice counts once, and currencies are never added.
-- grain: one row per day (UTC), number of days, source, model and currency
-- column day DATE: The day (UTC) in which the runs were created, or the bucket starts; null is a group of its own
-- column days BIGINT: Number of days (UTC) that the bucket touches: 1, or more for buckets that are not split, and have no runs beside them
-- column source VARCHAR: Label of the runs (--source), and of the organisation's pages
-- column model VARCHAR: Model, as sent; of costs, the model that the line item names; null is a group of its own: line items of tools, and pages that do not tell models
-- column currency VARCHAR: The currency; null where nothing costs anything. Counts and tokens stand in the first currency of a model only
-- column runs BIGINT: Our runs that report usage
-- column responses BIGINT: ... of which are responses: one request each
-- column unpriced_runs BIGINT: ... unpriced: excluded from our cost
-- column unpriced_tool_calls BIGINT: Calls of tools without a known fee, excluded from our cost
-- column token_cost DOUBLE: Our cost of tokens
-- column tool_cost DOUBLE: Our fees of tools
-- column cost DOUBLE: Our cost: the sum of both
-- column reporting_runs BIGINT: Runs that report a cost in this currency
-- column reported_cost DOUBLE: The sum of these costs; null, like each sum of what others say, when one of them is 1e15 or more
-- column reported_difference DOUBLE: Reported less our cost of the runs that have both, in the same currency
-- column organization_cost DOUBLE: Costs, by the organisation's costs pages
-- column cost_difference DOUBLE: The organisation's costs less our cost; null where one of both is not known
-- column prompt_tokens BIGINT: Our prompt tokens, cached ones included
-- column cached_prompt_tokens BIGINT: Our cached prompt tokens
-- column completion_tokens BIGINT: Our completion tokens
-- column organization_input_tokens BIGINT: Input tokens, cached ones included, by the organisation's usage pages
-- column organization_cached_tokens BIGINT: Cached input tokens, by these pages
-- column organization_output_tokens BIGINT: Output tokens, by these pages
-- column input_tokens_difference BIGINT: The organisation's input tokens less our prompt tokens
-- column output_tokens_difference BIGINT: The organisation's output tokens less our completion tokens
-- column organization_requests BIGINT: Requests to models, by these pages
-- column requests_difference BIGINT: The organisation's requests less our responses; null where runs, which make several, are among ours
-- column usage_hours DOUBLE: Hours of the day and source of which usage pages have results; the same in all of their rows
-- column costs_hours DOUBLE: Hours of which costs pages have results; the same in all of their rows
-- column left_out_results BIGINT: Results of pages that say again what others say, in another grouping or width of buckets: left out
with results as (
    select
        *,
        coalesce(model, model_of_line_item(line_item)) as named_model,
        concat(
            case when model is null and line_item is null then 'b' else 'a' end,
            case when project_id is null then '-' else 'p' end,
            case when user_id is null then '-' else 'u' end,
            case when api_key_id is null then '-' else 'k' end,
            case when batch is null then '-' else 'b' end,
            case when service_tier is null then '-' else 't' end
        ) as grouped_by,
        cast(ceil(seconds_since_1970(end_time) / 86400) - floor(seconds_since_1970(start_time) / 86400) as bigint) as days
    from organization_usage
    where object in ('organization.usage.completions.result', 'organization.costs.result')
        and seconds_between(start_time, end_time) > 0
),

groupings as (
    select
        source,
        object,
        start_time,
        end_time,
        days,
        grouped_by,
        row_number() over (
            partition by source, object, start_time, end_time
            order by substr(grouped_by, 1, 1), count(*) desc, grouped_by desc
        ) as place
    from results
    group by source, object, start_time, end_time, days, grouped_by
),

buckets as (
    select
        *,
        max(end_time) over (
            partition by source, object, days > 1
            order by start_time, end_time desc
            rows between unbounded preceding and 1 preceding
        ) as earlier_end
    from groupings
    where place = 1
),

short_buckets as (
    select *
    from buckets
    where days = 1 and (earlier_end is null or earlier_end <= start_time)
),

long_buckets as (
    select buckets.*
    from buckets
    left join short_buckets
        on short_buckets.source = buckets.source
        and short_buckets.object = buckets.object
        and short_buckets.start_time < buckets.end_time
        and short_buckets.end_time > buckets.start_time
    where buckets.days > 1
        and (buckets.earlier_end is null or buckets.earlier_end <= buckets.start_time)
        and short_buckets.source is null
),

kept_buckets as (
    select
        source,
        object,
        start_time,
        end_time,
        days,
        grouped_by
    from short_buckets
    union all
    select
        source,
        object,
        start_time,
        end_time,
        days,
        grouped_by
    from long_buckets
),

covered_hours as (
    select
        utc_day(start_time) as day,
        days,
        source,
        sum(case when object = 'organization.usage.completions.result' then seconds_between(start_time, end_time) end)
        / 3600e0 as usage_hours,
        sum(case when object = 'organization.costs.result' then seconds_between(start_time, end_time) end)
        / 3600e0 as costs_hours
    from kept_buckets
    group by utc_day(start_time), days, source
),

organization_results as (
    select
        utc_day(results.start_time) as day,
        results.days,
        results.source,
        results.named_model as model,
        results.currency,
        kept_buckets.source is not null as is_kept,
        results.object = 'organization.costs.result' as is_cost,
        results.amount,
        results.input_tokens,
        results.cached_input_tokens,
        results.output_tokens,
        results.model_requests
    from results
    left join kept_buckets
        on kept_buckets.source = results.source
        and kept_buckets.object = results.object
        and kept_buckets.start_time = results.start_time
        and kept_buckets.end_time = results.end_time
        and kept_buckets.grouped_by = results.grouped_by
),

our_runs as (
    select
        utc_day(run_costs.created_at) as day,
        cast(1 as bigint) as days,
        run_costs.source,
        run_costs.model,
        run_costs.currency,
        run_costs.is_priced,
        case when run_costs.is_priced then run_costs.token_cost end as token_cost,
        case when run_costs.is_priced then run_costs.tool_cost end as tool_cost,
        run_costs.cost,
        run_costs.reported_cost,
        run_costs.reported_cost_currency,
        run_costs.unpriced_tool_calls,
        run_costs.prompt_tokens,
        run_costs.cached_prompt_tokens,
        run_costs.completion_tokens,
        coalesce(runs.object, 'thread.run') = 'response' as is_response
    from run_costs
    inner join runs on runs.run_id = run_costs.run_id
),

amounts as (
    select
        day,
        days,
        source,
        model,
        currency,
        token_cost,
        tool_cost,
        cost,
        cast(null as double) as reported_cost,
        cast(null as double) as difference,
        cast(null as double) as organization_cost
    from our_runs
    where is_priced
    union all
    select
        day,
        days,
        source,
        model,
        reported_cost_currency as currency,
        null as token_cost,
        null as tool_cost,
        null as cost,
        reported_cost,
        case when currency = reported_cost_currency then reported_cost - cost end as difference,
        null as organization_cost
    from our_runs
    where reported_cost is not null
    union all
    select
        day,
        days,
        source,
        model,
        currency,
        null as token_cost,
        null as tool_cost,
        null as cost,
        null as reported_cost,
        null as difference,
        amount as organization_cost
    from organization_results
    where is_cost and is_kept and amount is not null
),

-- Decimals do not hold every amount that a server may send.
summed_amounts as (
    select
        day,
        days,
        source,
        model,
        currency,
        sum(cast(token_cost as decimal(38, 12))) as token_cost,
        sum(cast(tool_cost as decimal(38, 12))) as tool_cost,
        sum(cast(cost as decimal(38, 12))) as cost,
        count(reported_cost) as reporting_runs,
        sum(cast(case when abs(reported_cost) < 1e15 then reported_cost end as decimal(38, 12))) as reported_cost,
        max(abs(reported_cost)) as largest_reported_cost,
        sum(cast(case when abs(difference) < 1e15 then difference end as decimal(38, 12))) as reported_difference,
        max(abs(difference)) as largest_reported_difference,
        sum(cast(case when abs(organization_cost) < 1e15 then organization_cost end as decimal(38, 12))) as organization_cost,
        max(abs(organization_cost)) as largest_organization_cost,
        row_number() over (partition by day, days, source, model order by currency nulls last) as place
    from amounts
    group by day, days, source, model, currency
),

money as (
    select
        day,
        days,
        source,
        model,
        currency,
        token_cost,
        tool_cost,
        cost,
        reporting_runs,
        case when largest_reported_cost < 1e15 then reported_cost end as reported_cost,
        case when largest_reported_difference < 1e15 then reported_difference end as reported_difference,
        case when largest_organization_cost < 1e15 then organization_cost end as organization_cost,
        place
    from summed_amounts
),

counted as (
    select
        day,
        days,
        source,
        model,
        1 as runs,
        case when is_response then 1 else 0 end as responses,
        case when is_priced then 0 else 1 end as unpriced_runs,
        unpriced_tool_calls,
        prompt_tokens,
        cached_prompt_tokens,
        completion_tokens,
        cast(null as bigint) as input_tokens,
        cast(null as bigint) as cached_input_tokens,
        cast(null as bigint) as output_tokens,
        cast(null as bigint) as model_requests,
        0 as left_out
    from our_runs
    union all
    select
        day,
        days,
        source,
        model,
        0 as runs,
        0 as responses,
        0 as unpriced_runs,
        0 as unpriced_tool_calls,
        null as prompt_tokens,
        null as cached_prompt_tokens,
        null as completion_tokens,
        case when is_kept and not is_cost then input_tokens end as input_tokens,
        case when is_kept and not is_cost then cached_input_tokens end as cached_input_tokens,
        case when is_kept and not is_cost then output_tokens end as output_tokens,
        case when is_kept and not is_cost then model_requests end as model_requests,
        case when is_kept then 0 else 1 end as left_out
    from organization_results
),

counts as (
    select
        day,
        days,
        source,
        model,
        cast(1 as bigint) as place,
        cast(sum(runs) as bigint) as runs,
        cast(sum(responses) as bigint) as responses,
        cast(sum(unpriced_runs) as bigint) as unpriced_runs,
        cast(sum(unpriced_tool_calls) as bigint) as unpriced_tool_calls,
        try_cast(sum(prompt_tokens) as bigint) as prompt_tokens,
        try_cast(sum(cached_prompt_tokens) as bigint) as cached_prompt_tokens,
        try_cast(sum(completion_tokens) as bigint) as completion_tokens,
        try_cast(sum(input_tokens) as bigint) as input_tokens,
        try_cast(sum(cached_input_tokens) as bigint) as cached_input_tokens,
        try_cast(sum(output_tokens) as bigint) as output_tokens,
        try_cast(sum(model_requests) as bigint) as model_requests,
        cast(sum(left_out) as bigint) as left_out
    from counted
    group by day, days, source, model
),

keys as (
    select
        day,
        days,
        source,
        model,
        place
    from counts
    union
    select
        day,
        days,
        source,
        model,
        place
    from money
)

select
    keys.day,
    keys.days,
    keys.source,
    keys.model,
    money.currency,
    counts.runs,
    counts.responses,
    counts.unpriced_runs,
    counts.unpriced_tool_calls,
    cast(money.token_cost as double) as token_cost,
    cast(money.tool_cost as double) as tool_cost,
    cast(money.cost as double) as cost,
    coalesce(money.reporting_runs, 0) as reporting_runs,
    cast(money.reported_cost as double) as reported_cost,
    cast(money.reported_difference as double) as reported_difference,
    cast(money.organization_cost as double) as organization_cost,
    cast(money.organization_cost as double) - cast(money.cost as double) as cost_difference,
    counts.prompt_tokens,
    counts.cached_prompt_tokens,
    counts.completion_tokens,
    counts.input_tokens as organization_input_tokens,
    counts.cached_input_tokens as organization_cached_tokens,
    counts.output_tokens as organization_output_tokens,
    counts.input_tokens - counts.prompt_tokens as input_tokens_difference,
    counts.output_tokens - counts.completion_tokens as output_tokens_difference,
    counts.model_requests as organization_requests,
    case when counts.runs = counts.responses then counts.model_requests - counts.responses end as requests_difference,
    covered_hours.usage_hours,
    covered_hours.costs_hours,
    counts.left_out as left_out_results
from keys
left join money
    on money.day is not distinct from keys.day
    and money.days = keys.days
    and money.source = keys.source
    and money.model is not distinct from keys.model
    and money.place = keys.place
left join counts
    on counts.day is not distinct from keys.day
    and counts.days = keys.days
    and counts.source = keys.source
    and counts.model is not distinct from keys.model
    and counts.place = keys.place
left join covered_hours
    on covered_hours.day = keys.day
    and covered_hours.days = keys.days
    and covered_hours.source = keys.source
