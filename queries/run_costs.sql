-- purpose: What runs cost, at the prices of the day on which they were created. A run without a price, or without its tokens, costs null, never 0.
-- grain: one row per run that reports usage
-- column run_id VARCHAR: The run
-- column source VARCHAR: Which organisation, project or server it comes from
-- column model VARCHAR: The language model, as sent
-- column assistant_id VARCHAR: The assistant that ran
-- column status VARCHAR: The status, as sent
-- column created_at TIMESTAMP WITH TIME ZONE: When it was created
-- column metadata JSON: The caller's own keys and values
-- column prompt_tokens BIGINT: Its tokens read, the cached ones included
-- column cached_prompt_tokens BIGINT: Prompt tokens that came from the cache
-- column completion_tokens BIGINT: Its tokens written
-- column total_tokens BIGINT: Its tokens, as reported
-- column is_priced BOOLEAN: Whether its cost is known
-- column priced_as VARCHAR: The pattern in prices that fits its model; null when there is none for the day
-- column currency VARCHAR: The currency of the costs; null when it has no price
-- column uncached_input_cost DOUBLE: Cost of the prompt tokens that did not come from the cache
-- column cached_input_cost DOUBLE: Cost of those that did
-- column output_cost DOUBLE: Cost of the completion tokens
-- column cost DOUBLE: Sum of the three
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
