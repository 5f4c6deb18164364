-- purpose: Cost of each run, at the prices of the day on which it was created. The cost of a run without a price or without token counts is null, never 0.
-- grain: one row per run that reports usage
-- column run_id VARCHAR: The run
-- column source VARCHAR: Label of the run (--source): its organisation, project or server
-- column model VARCHAR: Model, as sent
-- column assistant_id VARCHAR: The assistant that ran
-- column status VARCHAR: The status, as sent
-- column created_at TIMESTAMP WITH TIME ZONE: When it was created
-- column metadata JSON: Metadata: keys and values set by the caller
-- column prompt_tokens BIGINT: Prompt tokens, cached ones included
-- column cached_prompt_tokens BIGINT: Cached prompt tokens
-- column completion_tokens BIGINT: Completion tokens, reasoning ones included
-- column total_tokens BIGINT: Total tokens, as sent
-- column is_priced BOOLEAN: Whether the run is priced
-- column priced_as VARCHAR: Matching pattern in prices; null when no price is valid on that day
-- column currency VARCHAR: Currency of the costs; null when unpriced
-- column uncached_input_cost DOUBLE: Cost of uncached prompt tokens
-- column cached_input_cost DOUBLE: Cost of cached prompt tokens
-- column output_cost DOUBLE: Cost of completion tokens
-- column cost DOUBLE: Sum of the three costs
with priced_runs as (
    select
        run_times.run_id,
        run_times.source,
        run_times.model,
        run_times.assistant_id,
        run_times.status,
        run_times.created_at,
        run_times.metadata,
        usage.prompt_tokens,
        usage.cached_prompt_tokens,
        usage.completion_tokens,
        usage.total_tokens,
        model_prices.priced_as,
        model_prices.currency,
        (usage.prompt_tokens - coalesce(usage.cached_prompt_tokens, 0)) * model_prices.input / 1000000.0e0
            as uncached_input_cost,
        case when usage.prompt_tokens is not null then coalesce(usage.cached_prompt_tokens, 0) end
            * model_prices.cached_input / 1000000.0e0 as cached_input_cost,
        usage.completion_tokens * model_prices.output / 1000000.0e0 as output_cost
    from run_times
    inner join usage on usage.run_id = run_times.run_id
    left join model_prices
        on model_prices.source = run_times.source
        and model_prices.model = run_times.model
        and run_times.created_at >= model_prices.valid_from
        and (model_prices.valid_to is null or run_times.created_at < model_prices.valid_to)
)

select
    run_id,
    source,
    model,
    assistant_id,
    status,
    created_at,
    metadata,
    prompt_tokens,
    cached_prompt_tokens,
    completion_tokens,
    total_tokens,
    uncached_input_cost + cached_input_cost + output_cost is not null as is_priced,
    priced_as,
    currency,
    uncached_input_cost,
    cached_input_cost,
    output_cost,
    uncached_input_cost + cached_input_cost + output_cost as cost
from priced_runs
