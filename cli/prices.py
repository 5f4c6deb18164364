"""`runmart prices`: what models cost, and where that comes from."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from runmart.cli.options import DEFAULT, Options
from runmart.cli.output import echo, echo_json, say_table, warn
from runmart.cli.publishing import NOT_ASKED, PublishOptions, as_dict, echo_published
from runmart.ingest.errors import SettingsError
from runmart.ingest.warehouse.write_lock import in_turn, transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from runmart.ingest.warehouse.prices import Price

_COLUMNS = (
    *("provider", "model", "cast(valid_from as date)", "cast(valid_to as date)"),
    *("input", "cached_input", "output", "currency"),
)
_HEADINGS = ("provider", "model", "from", "to", "input", "cached", "output", "currency")


def prices(
    action: Literal["list", "import", "update", "alias"] = "list",
    given: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    /,
    *,
    source: str = "default",
    provider: str = "openai",
    publishing: PublishOptions = NOT_ASKED,
    options: Options = DEFAULT,
) -> int:
    """Show the prices of models, per million tokens, or add to them.

    `runmart prices import FILE.csv` adds prices from a file with the columns provider, model, valid_from, valid_to,
    input, cached_input, output, currency and source. `runmart prices update` adds OpenAI's prices of today from the
    package genai-prices (runmart[prices]), for models that have none. `runmart prices alias MODEL PRICED_AS` says what
    a deployment's name stands for. History keeps the prices of its days.

    Args:
        action: list, import, update or alias.
        given: The file to import; or the model, as sent, and what it is priced as.
        source: Of an alias: the label of the runs.
        provider: Of an alias: whose price it is.
    """
    from runmart.ingest.warehouse import prices as table

    arguments = given or []
    wanted = {"list": 0, "import": 1, "update": 0, "alias": 2}[action]
    if len(arguments) != wanted:
        raise SettingsError(f"runmart prices {action} takes {wanted} arguments, not {len(arguments)}; see --help")
    if action == "list":
        return _list(options)
    publishing.check(options)
    added: list[Price] = []
    if action == "import":
        added = table.read(Path(arguments[0]))
    with options.writing() as connection:

        def put() -> "list[Price]":
            with transaction(connection):
                new = table.missing(connection, datetime.now(UTC).date()) if action == "update" else added
                if action == "alias":
                    _alias(connection, source, provider, arguments)
                table.put(connection, new)
            return new

        added = in_turn(connection, put)
        unpriced = _unpriced(connection)
    published = publishing.after(options)
    if options.json:
        found = {"warehouse": str(options.warehouse), "added": len(added), "unpriced_models": unpriced}
        echo_json({**found, "published": as_dict(published)})
    else:
        echo(f"{options.warehouse}: {len(added):,} prices added" if action != "alias" else f"{options.warehouse}: done")
        echo_published(published)
        if unpriced:
            warn(f"runmart: runs of these models have no price: {', '.join(unpriced)}")
    return 0


def _alias(connection: "DuckDBPyConnection", source: str, provider: str, given: list[str]) -> None:
    model, priced_as = given
    connection.execute("delete from main.model_aliases where source = ? and model = ?", [source, model])
    connection.execute("insert into main.model_aliases values (?, ?, ?, ?)", [source, model, provider, priced_as])


def _unpriced(connection: "DuckDBPyConnection") -> list[str]:
    """Models of which runs have no price."""
    rows = connection.execute("""
        select distinct model from run_costs where not is_priced and priced_as is null and model is not null
        order by model""").fetchall()
    return [model for (model,) in rows]


def _list(options: Options) -> int:
    with options.reading() as connection:
        rows = connection.execute(f"""
            select {", ".join(_COLUMNS)} from main.prices order by provider, model, valid_from""").fetchall()
    if options.json:
        echo_json([dict(zip(_HEADINGS, row, strict=True)) for row in rows])
    else:
        say_table(f"{options.warehouse}: prices per million tokens", _HEADINGS, rows)
    return 0
