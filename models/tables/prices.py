"""The tables of prices: what tokens cost, and which price a deployment's name stands for."""

from runmart.models.columns import DOUBLE, TIMESTAMPTZ, VARCHAR
from runmart.models.tables.bookkeeping import Book, Note

PRICES = Book(
    "prices",
    grain="one row per provider, model and start of validity",
    purpose="Prices of models, per million tokens; `runmart prices import` adds to them.",
    columns=(
        Note("provider", VARCHAR, "Provider of the price"),
        Note("model", VARCHAR, "Model, or a LIKE pattern such as gpt-4o-mini%; the most specific match applies"),
        Note("valid_from", TIMESTAMPTZ, "Start of validity, included"),
        Note("valid_to", TIMESTAMPTZ, "End of validity, excluded; null until the next price of the model"),
        Note("input", DOUBLE, "Price per million input tokens"),
        Note("cached_input", DOUBLE, "Price per million cached input tokens; null when equal to input"),
        Note("output", DOUBLE, "Price per million output tokens"),
        Note("currency", VARCHAR, "Currency, such as USD"),
        Note("source", VARCHAR, "Source of the price, usually a URL"),
    ),
)

MODEL_ALIASES = Book(
    "model_aliases",
    grain="one row per source and model",
    purpose="Aliases: which model's prices apply to a model of another name, such as an Azure deployment.",
    columns=(
        Note("source", VARCHAR, "Label of the runs (--source)"),
        Note("model", VARCHAR, "The model, as sent"),
        Note("provider", VARCHAR, "Provider of the price; null for openai"),
        Note("priced_as", VARCHAR, "Model whose prices apply"),
    ),
)
