-- purpose: Cost of runs per model, at the prices of their day.
-- grain: one row per model and currency
-- column model VARCHAR: Model, as sent; null is a group of its own
-- column currency VARCHAR: The currency; null where nothing is priced
-- column runs BIGINT: Runs that report usage
-- column unpriced_runs BIGINT: ... of which unpriced: their cost is unknown, and excluded from the costs
-- column uncached_input_cost DOUBLE: Cost of prompt tokens neither cached nor written to the cache; null when no run is priced
-- column cached_input_cost DOUBLE: Cost of cached prompt tokens
-- column cache_write_cost DOUBLE: Cost of prompt tokens written to the cache
-- column output_cost DOUBLE: Cost of completion tokens
-- column tool_cost DOUBLE: Fees of tools; null when no call has a known fee
-- column unpriced_tool_calls BIGINT: Calls of tools without a known fee, excluded from the costs
-- column standard_rate_runs BIGINT: Priced runs of a batch or service tier whose factor is not known: at the standard rates
-- column cost DOUBLE: Sum of the costs and fees
-- column cost_per_run DOUBLE: Cost per priced run
select
    model,
    currency,
    count(*) as runs,
    count(*) filter (where not is_priced) as unpriced_runs,
    cast(sum(cast(uncached_input_cost as decimal(38, 12))) filter (where is_priced) as double) as uncached_input_cost,
    cast(sum(cast(cached_input_cost as decimal(38, 12))) filter (where is_priced) as double) as cached_input_cost,
    cast(sum(cast(cache_write_cost as decimal(38, 12))) filter (where is_priced) as double) as cache_write_cost,
    cast(sum(cast(output_cost as decimal(38, 12))) filter (where is_priced) as double) as output_cost,
    cast(sum(cast(tool_cost as decimal(38, 12))) filter (where is_priced) as double) as tool_cost,
    cast(sum(unpriced_tool_calls) as bigint) as unpriced_tool_calls,
    count(*) filter (where is_priced and not is_tier_priced) as standard_rate_runs,
    cast(sum(cast(cost as decimal(38, 12))) as double) as cost,
    cast(sum(cast(cost as decimal(38, 12))) as double) / count(cost) as cost_per_run
from run_costs
group by model, currency
