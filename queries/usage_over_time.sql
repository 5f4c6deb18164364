-- purpose: Token usage and cost over time, at the prices of each day.
-- grain: one row per period
-- column period TIMESTAMP: Start of the period (UTC) in which the runs were created: a day, unless Warehouse.within sets another interval; null is a group of its own
-- column runs BIGINT: Runs that report usage
-- column prompt_tokens BIGINT: Sum of prompt tokens, cached ones included
-- column cached_prompt_tokens BIGINT: Sum of cached prompt tokens; null when no run reports them
-- column cached_share DOUBLE: Cached over all prompt tokens, 0 to 1
-- column completion_tokens BIGINT: Sum of completion tokens
-- column total_tokens BIGINT: Sum of the totals as sent
-- column unpriced_runs BIGINT: Unpriced runs, excluded from the cost
-- column currency VARCHAR: Currency of the cost; null when there is none, or several
-- column cost DOUBLE: Cost of the priced runs; null when there are none, or several currencies
-- column cost_per_run DOUBLE: Cost per priced run
with dated_costs as (
    select
        *,
        period_of(created_at) as period
    from run_costs
),

sums as (
    select
        period,
        count(*) as runs,
        try_cast(sum(prompt_tokens) as bigint) as prompt_tokens,
        try_cast(sum(cached_prompt_tokens) as bigint) as cached_prompt_tokens,
        try_cast(sum(completion_tokens) as bigint) as completion_tokens,
        try_cast(sum(total_tokens) as bigint) as total_tokens,
        count(cost) as priced_runs,
        min(currency) filter (where is_priced) as first_currency,
        max(currency) filter (where is_priced) as last_currency,
        cast(sum(cast(cost as decimal(38, 12))) as double) as cost
    from dated_costs
    group by period
)

select
    period,
    runs,
    prompt_tokens,
    cached_prompt_tokens,
    cast(cached_prompt_tokens as double) / cast(nullif(prompt_tokens, 0) as double) as cached_share,
    completion_tokens,
    total_tokens,
    runs - priced_runs as unpriced_runs,
    case when first_currency = last_currency then first_currency end as currency,
    case when first_currency = last_currency then cost end as cost,
    case when first_currency = last_currency then cost / priced_runs end as cost_per_run
from sums
