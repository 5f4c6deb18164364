"""The tables of prices: the bundled and imported price list, and the models that deployment names stand for."""

from typing import Any

from runmart.models.columns import DOUBLE, TIMESTAMPTZ, VARCHAR, Column, Table

PRICES: Table[Any] = Table(
    "prices",
    grain="one row per provider, model and start of validity",
    purpose="Prices of models, per million tokens; `runmart prices import` adds to them.",
    columns=(
        Column("provider", VARCHAR, meaning="Provider of the price"),
        Column(
            "model", VARCHAR, meaning="Model, or a LIKE pattern such as gpt-4o-mini%; the most specific match applies"
        ),
        Column("valid_from", TIMESTAMPTZ, meaning="Start of validity, included"),
        Column("valid_to", TIMESTAMPTZ, meaning="End of validity, excluded; null until the next price of the model"),
        Column("input", DOUBLE, meaning="Price per million input tokens"),
        Column("cached_input", DOUBLE, meaning="Price per million cached input tokens; null when equal to input"),
        Column("output", DOUBLE, meaning="Price per million output tokens"),
        Column("currency", VARCHAR, meaning="Currency, such as USD"),
        Column("source", VARCHAR, meaning="Source of the price, usually a URL"),
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
