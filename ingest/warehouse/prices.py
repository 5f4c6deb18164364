"""Prices of tokens and fees of tools: read from CSV, validated, and inserted into a warehouse."""

import csv
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from runmart.ingest.errors import RunmartError
from runmart.models.response_record import CLIENT_CALLS
from runmart.models.tables.prices import PRICES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

REQUIRED = ("provider", "model", "valid_from", "currency", "source")
OF_TOKENS = ("input", "output")
OF_TOOLS = ("tool", "per_call")
OPTIONAL = ("valid_to", "cached_input", "cache_write", "batch_factor", "flex_factor", "priority_factor")
_RATES = ("input", "cache_read", "output", "cache_write")
COLUMNS = (*REQUIRED, *OF_TOKENS, *OPTIONAL, *OF_TOOLS)


class PriceError(RunmartError):
    """Prices cannot be read, or are invalid."""


class Price(NamedTuple):
    """For a period: the price of a million tokens of a model, or the fee of a tool per call."""

    provider: str
    model: str
    """The name of a model, or a pattern for LIKE."""
    valid_from: datetime
    valid_to: datetime | None
    """Exclusive."""
    input: float | None
    cached_input: float | None
    output: float | None
    currency: str
    source: str
    cache_write: float | None = None
    batch_factor: float | None = None
    flex_factor: float | None = None
    priority_factor: float | None = None
    tool: str | None = None
    """The type of the step that a fee is for."""
    per_call: float | None = None


def seed() -> list[Price]:
    """The bundled price list."""
    lines = files("runmart.models").joinpath("prices.csv").read_text("utf-8").splitlines()
    return parsed(csv.DictReader(lines), "prices.csv")


def read(path: Path) -> list[Price]:
    """The prices in a CSV file with the columns of the table.

    Raises:
        PriceError: It cannot be read, or a line is invalid.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return parsed(csv.DictReader(file), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise PriceError(f"{path} cannot be read: {reason}") from None


def missing(connection: "DuckDBPyConnection", today: date) -> list[Price]:
    """Prices of OpenAI's models that have runs but no price, from the package genai-prices.

    A price with a start date is valid from that day on, any other from `today` on: past runs are not priced at today's
    rates. Where a price depends on the length of the prompt, it is that of short prompts.

    Raises:
        PriceError: The package is not installed.
    """
    try:
        from genai_prices.data_snapshot import get_snapshot  # pyright: ignore
    except ImportError:
        raise PriceError("prices of today need another package: pip install 'runmart[prices]'") from None
    snapshot: Any = get_snapshot()
    rows = connection.execute("""
        select distinct model from main.runs where model is not null
        and not exists (select 1 from model_prices where model_prices.model = runs.model) order by model""").fetchall()
    found: list[Price] = []
    for (model,) in rows:
        try:
            provider, known = snapshot.find_provider_model(model, None, "openai", None)
        except LookupError:
            continue
        source = (provider.pricing_urls or ["genai-prices"])[0]
        for start, price in _dated(known.prices, today):
            base = {name: _base(getattr(price, f"{name}_mtok")) for name in _RATES}
            if base["input"] is not None and base["output"] is not None:
                begins = datetime(start.year, start.month, start.day, tzinfo=UTC)
                rates = (base["input"], base["cache_read"], base["output"])
                found.append(Price("openai", model, begins, None, *rates, "USD", source, base["cache_write"]))
    return found


def _dated(prices: Any, today: date) -> Iterator[tuple[date, Any]]:
    """Each price with the day from which it is valid; a price without a day only when it is the only one."""
    if not isinstance(prices, list):
        yield today, prices
        return
    for one in cast("list[Any]", prices):
        start = getattr(one.constraint, "start_date", None)
        if start is not None:
            yield start, one.prices


def _base(price: Any) -> float | None:
    """An amount; of a tiered one, the lowest tier."""
    return None if price is None else float(getattr(price, "base", price))


def parsed(rows: "csv.DictReader[str]", name: str) -> list[Price]:
    """The prices in the rows of a CSV file.

    Raises:
        PriceError: A column is missing or unknown, or a value is invalid.
    """
    columns = set(rows.fieldnames or ())
    required = REQUIRED if columns.issuperset(OF_TOOLS) else (*REQUIRED, *OF_TOKENS)
    missing = [column for column in required if column not in columns]
    unknown = sorted(columns - {*COLUMNS})
    if missing or unknown:
        what = f"the column {missing[0]} is missing" if missing else f"there is no column {unknown[0]}"
        raise PriceError(f"{name}: {what}; the columns are {', '.join(COLUMNS)}")
    found: dict[tuple[object, ...], Price] = {}
    for row in rows:
        where = f"{name}, line {rows.line_num}"
        price = _price(row, where)
        key = (price.provider, price.model, price.tool, price.valid_from)
        if key in found:
            raise PriceError(f"{where}: an earlier line has the same provider, model, tool and valid_from; remove one")
        found[key] = price
    return list(found.values())


def _price(row: Mapping[str | None, str | list[str] | None], where: str) -> Price:
    if None in row:
        raise PriceError(f"{where}: it has more values than there are columns; quote values that hold commas")
    given = {str(column): str(value or "").strip() for column, value in row.items()}

    def amount(column: str, read: Callable[[str, str], float] = _amount) -> float | None:
        return read(given[column], f"{where}: {column}") if given.get(column) else None

    _check_form(given, where)
    price = Price(
        provider=given["provider"],
        model=given["model"],
        valid_from=_instant(given["valid_from"], f"{where}: valid_from"),
        valid_to=_instant(given["valid_to"], f"{where}: valid_to") if given.get("valid_to") else None,
        input=amount("input"),
        cached_input=amount("cached_input"),
        output=amount("output"),
        currency=given["currency"],
        source=given["source"],
        cache_write=amount("cache_write"),
        batch_factor=amount("batch_factor", _factor),
        flex_factor=amount("flex_factor", _factor),
        priority_factor=amount("priority_factor", _factor),
        tool=given.get("tool") or None,
        per_call=amount("per_call"),
    )
    if price.valid_to is not None and price.valid_to <= price.valid_from:
        raise PriceError(f"{where}: valid_to must be later than valid_from")
    return price


def _check_form(given: Mapping[str, str], where: str) -> None:
    """Check that a line is either the price of tokens or the fee of a tool, and complete."""
    is_fee = any(given.get(column) for column in OF_TOOLS)
    required = (*REQUIRED, *(OF_TOOLS if is_fee else OF_TOKENS))
    empty = [column for column in required if not given.get(column)]
    if empty:
        what = "the fee of a tool has tool and per_call, prices of tokens have input and output"
        raise PriceError(f"{where}: {empty[0]} is empty" + ("" if empty[0] in REQUIRED else f"; {what}"))
    mixed = [column for column in (*OF_TOKENS, *OPTIONAL) if is_fee and column != "valid_to" and given.get(column)]
    if mixed:
        raise PriceError(f"{where}: {mixed[0]} must be empty in the fee of a tool; give tokens a line of their own")
    tool = given.get("tool", "")
    if is_fee and (not tool.endswith("_call") or tool in CLIENT_CALLS):
        raise PriceError(
            f"{where}: tool must be the type of a call that the server answers, such as web_search_call, not {tool!r}"
        )


def _instant(text: str, where: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise PriceError(f"{where} must be a date such as 2024-10-02, not {text!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _amount(text: str, where: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < float("inf"):
        raise PriceError(f"{where} must be a price, such as 2.5, not {text!r}")
    return amount


def _factor(text: str, where: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise PriceError(f"{where} must be a factor above 0, such as 0.5, not {text!r}")
    return factor


def put(connection: "DuckDBPyConnection", prices: Iterable[Price]) -> None:
    """Insert prices, in the open transaction; those of the same provider, model, tool and start are replaced."""
    with _staged(connection, list(prices)):
        connection.execute("""
            delete from main.prices as old using new_prices as new
            where old.provider = new.provider and old.model = new.model and old.tool is not distinct from new.tool
            and old.valid_from = new.valid_from""")
        connection.execute(f"insert into main.prices ({_NAMES}) select {_NAMES} from new_prices")


def complete(connection: "DuckDBPyConnection") -> None:
    """Insert the bundled prices that a warehouse of an earlier version lacks, in the open transaction.

    Models that the warehouse has prices for keep those alone, since more specific ones would change the cost of past
    runs; bundled prices among them get their factors.
    """
    factors = ("batch_factor", "flex_factor", "priority_factor")
    with _staged(connection, seed()):
        connection.execute(f"""
            update main.prices as old set {", ".join(f"{name} = new.{name}" for name in factors)}
            from new_prices as new
            where old.provider = new.provider and old.model = new.model and old.valid_from = new.valid_from
            and old.source = new.source and old.input = new.input and old.output = new.output""")
        connection.execute(f"""
            insert into main.prices ({_NAMES})
            select {_NAMES} from new_prices as new where not exists (
                select 1 from main.prices as old
                where old.provider = new.provider and old.tool is not distinct from new.tool
                and new.model like old.model)""")


_NAMES = ", ".join(Price._fields)


@contextmanager
def _staged(connection: "DuckDBPyConnection", prices: Sequence[Price]) -> Generator[None]:
    """Prices as the temporary table `new_prices`."""
    types = {column.name: column.duckdb_type for column in PRICES.columns}
    given = ", ".join(f"cast(unnest(?::varchar[]) as {types[name]}) as {name}" for name in Price._fields)
    values = [[_sent(getattr(price, name)) for price in prices] for name in Price._fields]
    connection.execute(f"create or replace temp table new_prices as select {given}", values)
    yield
    connection.execute("drop table new_prices")


def _sent(value: object) -> str | None:
    """A value as it is bound: as text, since DuckDB needs another package for instants, and columns may be all null."""
    return None if value is None else value.isoformat() if isinstance(value, datetime) else str(value)
