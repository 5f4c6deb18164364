"""The tables of prices: what tokens cost, and which price a deployment's name stands for."""

from runmart.models.columns import DOUBLE, TIMESTAMPTZ, VARCHAR
from runmart.models.tables.bookkeeping import Book, Note

PRICES = Book(
    "prices",
    grain="one row per provider, model and beginning of a price",
    purpose="Prices of models, per million tokens; `runmart prices import` adds to them.",
    columns=(
        Note("provider", VARCHAR, "Whose price it is"),
        Note("model", VARCHAR, "The model, or a pattern for LIKE, such as gpt-4o-mini%; what fits most closely counts"),
        Note("valid_from", TIMESTAMPTZ, "From when it holds"),
        Note("valid_to", TIMESTAMPTZ, "Until when, exclusive; null until the next one of the same model begins"),
        Note("input", DOUBLE, "Price of a million input tokens"),
        Note("cached_input", DOUBLE, "Price of a million input tokens from the cache; null when they cost as much"),
        Note("output", DOUBLE, "Price of a million output tokens"),
        Note("currency", VARCHAR, "The currency, such as USD"),
        Note("source", VARCHAR, "Where the price was published"),
    ),
)

MODEL_ALIASES = Book(
    "model_aliases",
    grain="one row per source and model",
    purpose="What models are priced as whose name says nothing, such as deployments on Azure.",
    columns=(
        Note("source", VARCHAR, "The label of the runs"),
        Note("model", VARCHAR, "The model, as sent"),
        Note("provider", VARCHAR, "Whose price it has; null for openai"),
        Note("priced_as", VARCHAR, "The model that it is"),
    ),
)
