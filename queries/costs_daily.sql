-- purpose: Cost of runs per day, at the prices of that day.
-- grain: one row per day (UTC), source, model, assistant and currency
-- column day DATE: The day (UTC) in which the runs were created; null is a group of its own
-- column source VARCHAR: Label of the runs (--source)
-- column model VARCHAR: Model, as sent; null is a group of its own
-- column assistant_id VARCHAR: The assistant; null is a group of its own
-- column currency VARCHAR: The currency; null where nothing is priced
-- column runs BIGINT: Runs that report usage
-- column unpriced_runs BIGINT: ... of which unpriced: their cost is unknown, and excluded from the costs
-- column uncached_input_cost DOUBLE: Cost of uncached prompt tokens; null when no run is priced
-- column cached_input_cost DOUBLE: Cost of cached prompt tokens
-- column output_cost DOUBLE: Cost of completion tokens
-- column cost DOUBLE: Sum of the three costs
-- column cost_per_run DOUBLE: Cost per priced run
select
    utc_day(created_at) as day,
    source,
    model,
    assistant_id,
    currency,
    count(*) as runs,
    count(*) filter (where not is_priced) as unpriced_runs,
    cast(sum(cast(uncached_input_cost as decimal(38, 12))) filter (where is_priced) as double) as uncached_input_cost,
    cast(sum(cast(cached_input_cost as decimal(38, 12))) filter (where is_priced) as double) as cached_input_cost,
    cast(sum(cast(output_cost as decimal(38, 12))) filter (where is_priced) as double) as output_cost,
    cast(sum(cast(cost as decimal(38, 12))) as double) as cost,
    cast(sum(cast(cost as decimal(38, 12))) as double) / count(cost) as cost_per_run
from run_costs
group by utc_day(created_at), source, model, assistant_id, currency
