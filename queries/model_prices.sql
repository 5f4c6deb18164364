-- purpose: Prices of the models in runs, by period of validity. The most specific matching name in prices applies; a later price ends an earlier one.
-- grain: one row per source, model and period of validity
-- column source VARCHAR: Label of the runs (--source)
-- column model VARCHAR: Model, as sent
-- column provider VARCHAR: Provider of the price: openai, or that of the alias
-- column priced_as VARCHAR: Matching pattern in prices, for the model or its alias
-- column valid_from TIMESTAMP WITH TIME ZONE: Start of validity, included
-- column valid_to TIMESTAMP WITH TIME ZONE: End of validity, excluded; null when open
-- column input DOUBLE: Price per million input tokens
-- column cached_input DOUBLE: Price per million cached input tokens; equal to input where there is no other
-- column cache_write DOUBLE: Price per million input tokens written to the cache; equal to input where there is no other
-- column output DOUBLE: Price per million output tokens
-- column batch_factor DOUBLE: Factor on these prices in batches; null when not known
-- column flex_factor DOUBLE: Factor on them in the service tier flex; null when not known
-- column priority_factor DOUBLE: Factor on them in the service tier priority or fast; null when not known
-- column currency VARCHAR: The currency of the price
with used_models as (
    select distinct
        source,
        model
    from runs
    where model is not null
),

named_models as (
    select
        used_models.source,
        used_models.model,
        coalesce(model_aliases.provider, 'openai') as provider,
        coalesce(model_aliases.priced_as, used_models.model) as priced_as
    from used_models
    left join model_aliases
        on model_aliases.source = used_models.source and model_aliases.model = used_models.model
),

matches as (
    select
        named_models.source,
        named_models.model,
        named_models.provider,
        prices.model as priced_as,
        prices.valid_from,
        prices.valid_to,
        prices.input,
        coalesce(prices.cached_input, prices.input) as cached_input,
        coalesce(prices.cache_write, prices.input) as cache_write,
        prices.output,
        prices.batch_factor,
        prices.flex_factor,
        prices.priority_factor,
        prices.currency,
        rank() over (
            partition by named_models.source, named_models.model
            order by length(replace(prices.model, '%', '')) desc, length(prices.model), prices.model
        ) as place
    from named_models
    inner join prices
        on prices.provider = named_models.provider and matches_pattern(named_models.priced_as, prices.model)
    where prices.tool is null
),

periods as (
    select
        *,
        lead(valid_from) over (partition by source, model order by valid_from) as next_from
    from matches
    where place = 1
)

select
    source,
    model,
    provider,
    priced_as,
    valid_from,
    case when valid_to is null or next_from < valid_to then next_from else valid_to end as valid_to,
    input,
    cached_input,
    cache_write,
    output,
    batch_factor,
    flex_factor,
    priority_factor,
    currency
from periods
