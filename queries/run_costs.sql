-- purpose: Cost of each run, at the prices of the day on which it was created: its tokens, and the fees of tools that are known. The cost of a run without a price, without token counts or with impossible ones is null, never 0.
-- grain: one row per run that reports usage
-- column run_id VARCHAR: The run
-- column source VARCHAR: Label of the run (--source): its organisation, project or server
-- column model VARCHAR: Model, as sent
-- column assistant_id VARCHAR: The assistant that ran
-- column status VARCHAR: The status, as sent
-- column created_at TIMESTAMP WITH TIME ZONE: When it was created
-- column metadata JSON: Metadata: keys and values set by the caller
-- column service_tier VARCHAR: Service tier that served a response
-- column is_batch BOOLEAN: Whether a response came out of a batch; null where its input does not tell
-- column prompt_tokens BIGINT: Prompt tokens, cached and written ones included
-- column cached_prompt_tokens BIGINT: Cached prompt tokens
-- column cache_write_tokens BIGINT: Prompt tokens written to the cache
-- column completion_tokens BIGINT: Completion tokens, reasoning ones included
-- column total_tokens BIGINT: Total tokens, as sent
-- column is_priced BOOLEAN: Whether the run is priced
-- column is_tier_priced BOOLEAN: Whether these are the rates of its batch or service tier; false where their factor is not known and the standard rates are taken; null when no price is valid on that day
-- column priced_as VARCHAR: Matching pattern in prices; null when no price is valid on that day
-- column currency VARCHAR: Currency of the costs; null when unpriced
-- column uncached_input_cost DOUBLE: Cost of prompt tokens that were neither cached nor written to the cache
-- column cached_input_cost DOUBLE: Cost of cached prompt tokens
-- column cache_write_cost DOUBLE: Cost of prompt tokens written to the cache
-- column output_cost DOUBLE: Cost of completion tokens
-- column token_cost DOUBLE: Sum of the four costs
-- column tool_calls BIGINT: Calls of tools that the server carried out; of a web search, only searches
-- column unpriced_tool_calls BIGINT: ... of which no fee is known, in the currency of the price: excluded from the costs
-- column tool_cost DOUBLE: Fees of the others; null when there are none
-- column cost DOUBLE: Sum of the costs of tokens and the fees of tools
-- column reported_cost DOUBLE: Cost that the server or gateway reports
-- column reported_cost_currency VARCHAR: Currency of the reported cost
with counted_runs as (
    select
        runs.run_id,
        runs.source,
        runs.model,
        runs.assistant_id,
        runs.status,
        runs.created_at,
        runs.metadata,
        runs.service_tier,
        runs.is_batch,
        usage.prompt_tokens,
        usage.cached_prompt_tokens,
        usage.cache_write_tokens,
        usage.completion_tokens,
        usage.total_tokens,
        usage.reported_cost,
        usage.reported_cost_currency,
        coalesce(usage.cached_prompt_tokens, 0) as cached,
        coalesce(usage.cache_write_tokens, 0) as written,
        coalesce(usage.cached_prompt_tokens, 0) >= 0
            and coalesce(usage.cache_write_tokens, 0) >= 0
            and coalesce(usage.completion_tokens, 0) >= 0
            and cast(usage.prompt_tokens as decimal(38, 0))
            >= cast(coalesce(usage.cached_prompt_tokens, 0) as decimal(38, 0)) + coalesce(usage.cache_write_tokens, 0)
            as are_counts_possible
    from runs
    inner join usage on usage.run_id = runs.run_id
),

rated_runs as (
    select
        counted_runs.*,
        model_prices.priced_as,
        model_prices.currency,
        model_prices.input,
        model_prices.cached_input,
        model_prices.cache_write,
        model_prices.output,
        case
            when counted_runs.is_batch then model_prices.batch_factor
            when counted_runs.service_tier = 'flex' then model_prices.flex_factor
            when counted_runs.service_tier in ('priority', 'fast') then model_prices.priority_factor
            when coalesce(counted_runs.service_tier, 'default') in ('default', 'standard', 'auto') then 1.0e0
        end as factor
    from counted_runs
    left join model_prices
        on model_prices.source = counted_runs.source
        and model_prices.model = counted_runs.model
        and counted_runs.created_at >= model_prices.valid_from
        and (model_prices.valid_to is null or counted_runs.created_at < model_prices.valid_to)
),

tool_calls as (
    select
        run_id,
        type as tool,
        count(*) as calls
    from steps
    where position is not null
        and right(type, 5) = '_call'
        and type not in (
            'function_call', 'custom_tool_call', 'computer_call', 'local_shell_call', 'shell_call', 'apply_patch_call'
        )
        and (type <> 'web_search_call' or coalesce(name, 'search') = 'search')
    group by run_id, type
),

tool_fees as (
    select
        tool_calls.run_id,
        sum(tool_calls.calls) as tool_calls,
        sum(case when tool_prices.per_call is null then tool_calls.calls else 0 end) as unpriced_tool_calls,
        sum(tool_calls.calls * tool_prices.per_call) as tool_cost
    from tool_calls
    inner join rated_runs on rated_runs.run_id = tool_calls.run_id
    left join tool_prices
        on tool_prices.source = rated_runs.source
        and tool_prices.model = rated_runs.model
        and tool_prices.tool = tool_calls.tool
        and tool_prices.currency = rated_runs.currency
        and rated_runs.created_at >= tool_prices.valid_from
        and (tool_prices.valid_to is null or rated_runs.created_at < tool_prices.valid_to)
    group by tool_calls.run_id
),

priced_runs as (
    select
        *,
        case when are_counts_possible then prompt_tokens - cached - written end
            * input * coalesce(factor, 1.0e0) / 1000000.0e0 as uncached_input_cost,
        case when are_counts_possible then cached end
            * cached_input * coalesce(factor, 1.0e0) / 1000000.0e0 as cached_input_cost,
        case when are_counts_possible then written end
            * cache_write * coalesce(factor, 1.0e0) / 1000000.0e0 as cache_write_cost,
        case when completion_tokens >= 0 then completion_tokens end
            * output * coalesce(factor, 1.0e0) / 1000000.0e0 as output_cost
    from rated_runs
),

summed_runs as (
    select
        *,
        uncached_input_cost + cached_input_cost + cache_write_cost + output_cost as token_cost
    from priced_runs
)

select
    summed_runs.run_id,
    summed_runs.source,
    summed_runs.model,
    summed_runs.assistant_id,
    summed_runs.status,
    summed_runs.created_at,
    summed_runs.metadata,
    summed_runs.service_tier,
    summed_runs.is_batch,
    summed_runs.prompt_tokens,
    summed_runs.cached_prompt_tokens,
    summed_runs.cache_write_tokens,
    summed_runs.completion_tokens,
    summed_runs.total_tokens,
    summed_runs.token_cost is not null as is_priced,
    case when summed_runs.priced_as is not null then summed_runs.factor is not null end as is_tier_priced,
    summed_runs.priced_as,
    summed_runs.currency,
    summed_runs.uncached_input_cost,
    summed_runs.cached_input_cost,
    summed_runs.cache_write_cost,
    summed_runs.output_cost,
    summed_runs.token_cost,
    cast(coalesce(tool_fees.tool_calls, 0) as bigint) as tool_calls,
    cast(coalesce(tool_fees.unpriced_tool_calls, 0) as bigint) as unpriced_tool_calls,
    tool_fees.tool_cost,
    summed_runs.token_cost + coalesce(tool_fees.tool_cost, 0.0e0) as cost,
    summed_runs.reported_cost,
    summed_runs.reported_cost_currency
from summed_runs
left join tool_fees on tool_fees.run_id = summed_runs.run_id
