-- purpose: Runs, failures, tokens and cost per metadata key and value. Failures of synchronous requests leave no response, and are not counted; those that left a record are in request_failures.
-- grain: one row per key and value
-- column key VARCHAR: The key
-- column value VARCHAR: Metadata value: text as is, other values as JSON; null for null
-- column runs BIGINT: Runs with this key and value
-- column failures BIGINT: ... of which failed, expired or incomplete
-- column runs_with_usage BIGINT: ... of which report usage
-- column total_tokens BIGINT: Sum of their total tokens
-- column unpriced_runs BIGINT: Unpriced runs with usage, excluded from the cost
-- column currency VARCHAR: Currency of the cost; null when there is none, or several
-- column cost DOUBLE: Cost of the priced runs; null when there are none, or several currencies
with runs_of_metadata as (
    select
        metadata,
        count(*) as runs,
        count(*) filter (where is_failure) as failures
    from run_times
    where metadata is not null
    group by metadata
),

costs_of_metadata as (
    select
        metadata,
        count(*) as runs_with_usage,
        count(*) filter (where not is_priced) as unpriced_runs,
        sum(total_tokens) as total_tokens,
        min(currency) filter (where is_priced) as first_currency,
        max(currency) filter (where is_priced) as last_currency,
        sum(cast(cost as decimal(38, 12))) as cost
    from run_costs
    where metadata is not null
    group by metadata
),

all_of_metadata as (
    select
        json_entries(runs_of_metadata.metadata) as members,
        runs_of_metadata.runs,
        runs_of_metadata.failures,
        costs_of_metadata.runs_with_usage,
        costs_of_metadata.unpriced_runs,
        costs_of_metadata.total_tokens,
        costs_of_metadata.first_currency,
        costs_of_metadata.last_currency,
        costs_of_metadata.cost
    from runs_of_metadata
    left join costs_of_metadata on costs_of_metadata.metadata = runs_of_metadata.metadata
),

entries as (
    select
        explode(members) as entry,
        runs,
        failures,
        runs_with_usage,
        unpriced_runs,
        total_tokens,
        first_currency,
        last_currency,
        cost
    from all_of_metadata
)

select
    entry.key as key,
    entry.value as value,
    cast(sum(runs) as bigint) as runs,
    cast(sum(failures) as bigint) as failures,
    cast(coalesce(sum(runs_with_usage), 0) as bigint) as runs_with_usage,
    try_cast(sum(total_tokens) as bigint) as total_tokens,
    cast(coalesce(sum(unpriced_runs), 0) as bigint) as unpriced_runs,
    case when min(first_currency) = max(last_currency) then min(first_currency) end as currency,
    case when min(first_currency) = max(last_currency) then cast(sum(cost) as double) end as cost
from entries
group by entry.key, entry.value
