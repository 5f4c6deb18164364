-- purpose: Fees of tools for the models in runs, by period of validity. The most specific matching name of a model in prices applies; a later fee ends an earlier one.
-- grain: one row per source, model, tool and period of validity
-- column source VARCHAR: Label of the runs (--source)
-- column model VARCHAR: Model, as sent
-- column tool VARCHAR: Type of the step that the fee is for, such as web_search_call
-- column provider VARCHAR: Provider of the fee: openai, or that of the alias
-- column priced_as VARCHAR: Matching pattern in prices, for the model or its alias
-- column valid_from TIMESTAMP WITH TIME ZONE: Start of validity, included
-- column valid_to TIMESTAMP WITH TIME ZONE: End of validity, excluded; null when open
-- column per_call DOUBLE: Fee per call
-- column currency VARCHAR: The currency of the fee
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
        prices.tool,
        named_models.provider,
        prices.model as priced_as,
        prices.valid_from,
        prices.valid_to,
        prices.per_call,
        prices.currency,
        rank() over (
            partition by named_models.source, named_models.model, prices.tool
            order by length(replace(prices.model, '%', '')) desc, length(prices.model), prices.model
        ) as place
    from named_models
    inner join prices
        on prices.provider = named_models.provider and matches_pattern(named_models.priced_as, prices.model)
    where prices.tool is not null
),

periods as (
    select
        *,
        lead(valid_from) over (partition by source, model, tool order by valid_from) as next_from
    from matches
    where place = 1
)

select
    source,
    model,
    tool,
    provider,
    priced_as,
    valid_from,
    case when valid_to is null or next_from < valid_to then next_from else valid_to end as valid_to,
    per_call,
    currency
from periods
