"""The tables of prices: the bundled and imported price list, and the models that deployment names stand for."""

from typing import Any

from runmart.models.columns import DOUBLE, TIMESTAMPTZ, VARCHAR, Column, Table

PRICES: Table[Any] = Table(
    "prices",
    grain="one row per provider, model, tool and start of validity",
    purpose="Prices of models, per million tokens, and fees of tools, per call; `runmart prices import` adds to them.",
    columns=(
        Column("provider", VARCHAR, meaning="Provider of the price"),
        Column(
            "model", VARCHAR, meaning="Model, or a LIKE pattern such as gpt-4o-mini%; the most specific match applies"
        ),
        Column("valid_from", TIMESTAMPTZ, meaning="Start of validity, included"),
        Column("valid_to", TIMESTAMPTZ, meaning="End of validity, excluded; null until the next price of the model"),
        Column("input", DOUBLE, meaning="Price per million input tokens; null for the fee of a tool"),
        Column("cached_input", DOUBLE, meaning="Price per million cached input tokens; null when equal to input"),
        Column("output", DOUBLE, meaning="Price per million output tokens; null for the fee of a tool"),
        Column("currency", VARCHAR, meaning="Currency, such as USD"),
        Column("source", VARCHAR, meaning="Source of the price, usually a URL"),
        Column(
            "cache_write",
            DOUBLE,
            meaning="Price per million input tokens written to the cache; null when equal to input",
        ),
        Column("batch_factor", DOUBLE, meaning="Factor on all prices of tokens in batches; null when not known"),
        Column("flex_factor", DOUBLE, meaning="Factor on them in the service tier flex; null when not known"),
        Column("priority_factor", DOUBLE, meaning="Factor on them in the tier priority or fast; null when not known"),
        Column(
            "tool",
            VARCHAR,
            meaning="Type of the step that a fee is for, such as web_search_call; null for prices of tokens",
        ),
        Column("per_call", DOUBLE, meaning="Fee per call of the tool; null for prices of tokens"),
    ),
)

MODEL_ALIASES: Table[Any] = Table(
    "model_aliases",
    grain="one row per source and model",
    purpose="Aliases: which model's prices apply to a model of another name, such as an Azure deployment.",
    columns=(
        Column("source", VARCHAR, meaning="Label of the runs (--source)"),
        Column("model", VARCHAR, meaning="The model, as sent"),
        Column("provider", VARCHAR, meaning="Provider of the price; null for openai"),
        Column("priced_as", VARCHAR, meaning="Model whose prices apply"),
    ),
)
