"""`runmart prices`: the prices of models, where they were published, and how to add to them."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App

from runmart.cli.options import DEFAULT, Options
from runmart.cli.output import echo, echo_json, say_table, warn
from runmart.cli.publishing import NOT_ASKED, PublishOptions, as_dict, echo_published

if TYPE_CHECKING:
    from collections.abc import Callable

    from duckdb import DuckDBPyConnection

_COLUMNS = (
    *("provider", "model", "cast(valid_from as date)", "cast(valid_to as date)"),
    *("input", "cached_input", "cache_write", "output", "batch_factor", "flex_factor", "priority_factor"),
    *("tool", "per_call", "currency"),
)
_HEADINGS = (
    *("provider", "model", "from", "to", "input", "cached", "cache_write", "output", "batch", "flex", "priority"),
    *("tool", "per_call", "currency"),
)

_ADDED: dict[str, str] = {
    **dict.fromkeys(("cache_write", "batch_factor", "flex_factor", "priority_factor", "per_call"), "double"),
    "tool": "varchar",
}

app = App(name="prices", help="Show or change the prices of models.")


@app.default
def list_(*, options: Options = DEFAULT) -> int:
    """Show the prices of models, per million tokens, and the fees of tools, per call.

    Each run is priced at the rates of the day on which it was created, so later prices do not change its cost.
    """
    with options.reading() as connection:
        rows = connection.execute(f"""
            with listed as (
                from main.prices
                union all by name  -- the table of an older runmart lacks these columns
                select {", ".join(f"null::{kind} as {name}" for name, kind in _ADDED.items())} where false)
            select {", ".join(_COLUMNS)} from listed
            order by provider, model, tool nulls first, valid_from""").fetchall()
    if options.json:
        echo_json([dict(zip(_HEADINGS, row, strict=True)) for row in rows])
    else:
        _say(options, [dict(zip(_HEADINGS, row, strict=True)) for row in rows])
    return 0


_TABLES = (
    ("prices per million tokens", ("model", "from", "to", "input", "cached", "write", "output")),
    ("factors of these prices", ("model", "from", "batch", "flex", "priority")),
    ("fees per call", ("model", "tool", "from", "to", "per_call")),
)
_KEYS = {"model", "tool", "from", "to"}


def _say(options: Options, listed: "list[dict[str, Any]]") -> None:
    """Prices, factors and fees of each provider and currency, in tables that fit 80 columns."""
    if not listed:
        echo(f"{options.warehouse}: no prices; add some with: runmart prices import FILE.csv")
    for provider, currency in dict.fromkeys((row["provider"], row["currency"]) for row in listed):
        of_both = [
            {**row, "write": row["cache_write"]}
            for row in listed
            if (row["provider"], row["currency"]) == (provider, currency)
        ]
        for title, names in _TABLES:
            numbers = [name for name in names if name not in _KEYS]
            found = [row for row in of_both if any(row[name] is not None for name in numbers)]
            if found:
                rows = [[_exact(row[name]) for name in names] for row in found]
                say_table(f"{options.warehouse}: {title}, {provider}, {currency}", names, rows)


def _exact(value: object) -> object:
    """A price with all of its decimals, and at least two; other values as they are."""
    if not isinstance(value, float):
        return value
    exact = Decimal(str(value))
    return exact.quantize(Decimal("0.01")) if exact == round(exact, 2) else Decimal(f"{exact:f}")


app.command(list_, name="list")


@app.command(name="import")
def import_(file: Path, /, *, publishing: PublishOptions = NOT_ASKED, options: Options = DEFAULT) -> int:
    """Add prices from a CSV file, or replace them.

    Its columns are provider, model, valid_from, input, output, currency and source, and, if you like, valid_to,
    cached_input, cache_write, batch_factor, flex_factor, priority_factor, tool and per_call. A line with a tool is the
    fee of its calls, and has no price of tokens.

    Args:
        file: The CSV file.
    """
    from runmart.ingest.warehouse import prices

    publishing.check(options)
    found = prices.read(file)

    def change(connection: "DuckDBPyConnection") -> int:
        prices.put(connection, found)
        return len(found)

    return _write(change, publishing, options)


@app.command
def update(*, publishing: PublishOptions = NOT_ASKED, options: Options = DEFAULT) -> int:
    """Add OpenAI's current prices for models that have none, from the package genai-prices (runmart[prices])."""
    from runmart.ingest.warehouse import prices

    publishing.check(options)

    def change(connection: "DuckDBPyConnection") -> int:
        found = prices.missing(connection, datetime.now(UTC).date())
        prices.put(connection, found)
        return len(found)

    return _write(change, publishing, options)


@app.command
def alias(
    model: str,
    priced_as: str,
    /,
    *,
    source: str = "default",
    provider: str = "openai",
    publishing: PublishOptions = NOT_ASKED,
    options: Options = DEFAULT,
) -> int:
    """Price one model as another, such as a deployment on Azure whose name is not that of its model.

    Args:
        model: The model as sent, such as the name of the deployment.
        priced_as: The model whose prices apply.
        source: Label of the runs that the alias applies to.
        provider: Provider of the prices.
    """
    publishing.check(options)

    def change(connection: "DuckDBPyConnection") -> None:
        connection.execute("delete from main.model_aliases where source = ? and model = ?", [source, model])
        connection.execute("insert into main.model_aliases values (?, ?, ?, ?)", [source, model, provider, priced_as])

    return _write(change, publishing, options)


def _write(change: "Callable[[DuckDBPyConnection], int | None]", publishing: PublishOptions, options: Options) -> int:
    """Change prices or aliases in one transaction, publish, and report; `change` returns the number of prices added."""
    with options.writing() as writer:

        def changed() -> int | None:
            with writer.transaction():
                return change(writer.connection)

        added = writer.with_write_lock(changed)
        unpriced = _unpriced(writer.connection)
    published = publishing.after(options)
    if options.json:
        found = {"warehouse": str(options.warehouse), "added": added or 0, "unpriced_models": unpriced}
        echo_json({**found, "published": as_dict(published)})
    else:
        echo(f"{options.warehouse}: alias set" if added is None else f"{options.warehouse}: {added:,} prices added")
        echo_published(published)
        if unpriced:
            warn(f"runmart: runs of these models have no price: {', '.join(unpriced)}")
    return 0


def _unpriced(connection: "DuckDBPyConnection") -> list[str]:
    """The models of runs without a price."""
    rows = connection.execute("""
        select distinct model from run_costs where not is_priced and priced_as is null and model is not null
        order by model""").fetchall()
    return [model for (model,) in rows]
