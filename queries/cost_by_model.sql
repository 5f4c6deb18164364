-- purpose: What runs cost, per model, at the prices of their days.
-- grain: one row per model and currency
-- column model VARCHAR: The language model, as sent; null is a row of its own
-- column currency VARCHAR: The currency; null where nothing is priced
-- column runs BIGINT: Runs that report usage
-- column unpriced_runs BIGINT: ... of which the cost is not known, and which the costs leave out
-- column uncached_input_cost DOUBLE: Cost of the prompt tokens that did not come from the cache; null when no run is priced
-- column cached_input_cost DOUBLE: Cost of those that did
-- column output_cost DOUBLE: Cost of the completion tokens
-- column cost DOUBLE: Sum of the three
-- column cost_per_run DOUBLE: Cost per priced run
select
    model,
    currency,
    count(*) as runs,
    count(*) filter (where not is_priced) as unpriced_runs,
    cast(sum(cast(uncached_input_cost as decimal(38, 12))) filter (where is_priced) as double) as uncached_input_cost,
    cast(sum(cast(cached_input_cost as decimal(38, 12))) filter (where is_priced) as double) as cached_input_cost,
    cast(sum(cast(output_cost as decimal(38, 12))) filter (where is_priced) as double) as output_cost,
    cast(sum(cast(cost as decimal(38, 12))) as double) as cost,
    cast(sum(cast(cost as decimal(38, 12))) as double) / count(cost) as cost_per_run
from run_costs
group by model, currency
