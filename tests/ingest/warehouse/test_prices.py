"""Prices: the bundled and the imported price list, aliases, and the costs that follow from them."""

import csv
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from runmart.ingest.warehouse import prices
from runmart.ingest.warehouse.connection import open_for_writing
from runmart.ingest.warehouse.prices import Price, PriceError
from runmart.queries import install
from tests.support.command import command
from tests.support.warehouse import page, query, run, write

HEADER = "provider,model,valid_from,valid_to,input,cached_input,output,currency,source\n"
FACTORS = "provider,model,valid_from,input,output,currency,source,cache_write,batch_factor,flex_factor\n"
FEES = "provider,model,valid_from,cached_input,currency,source,tool,per_call\n"
OCTOBER_2 = 1_727_827_200


@pytest.fixture(name="loaded")
def _loaded(pages: Path, warehouse: Path) -> Path:
    """Two runs of gpt-4o, one second before and at its price change, and a run of a model without a price."""
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 100_000, "total_tokens": 1_100_000}
    runs = [
        run(f"run_{place}", model=model, created_at=created, usage=usage)
        for place, (model, created) in enumerate(
            [("gpt-4o", OCTOBER_2 - 1), ("gpt-4o", OCTOBER_2), ("our-deployment", OCTOBER_2)]
        )
    ]
    write(pages / "1.json", page(*runs))
    assert command("ingest", pages, "-w", warehouse, "--source", "azure").returncode == 0
    return warehouse


def test_the_prices_that_come_along_are_dated_and_sourced() -> None:
    """Each bundled price has a public source, and no two periods of a model overlap."""
    found = prices.seed()
    assert len(found) > 25
    assert all(price.source.startswith("https://") and price.currency == "USD" for price in found)
    assert len({(price.model, price.tool, price.valid_from) for price in found}) == len(found)
    for price in found:
        same = [one for one in found if (one.model, one.tool) == (price.model, price.tool)]
        following = min((one.valid_from for one in same if one.valid_from > price.valid_from), default=None)
        assert price.valid_to == following or (price.model, following) == ("gpt-5.6-sol", None)
        if price.tool is not None:
            assert (price.input, price.output, price.per_call is None) == (None, None, False)
            continue
        assert price.input is not None
        assert price.output is not None
        assert price.input < price.output
        assert price.cached_input is None or price.cached_input < price.input
        assert price.cache_write is None or price.cache_write == 1.25 * price.input


def test_a_price_change_in_the_middle_of_a_month_is_right_to_the_cent(loaded: Path) -> None:
    """Costs before the change: 1,000,000 x 5 + 100,000 x 15 = 6.50; after it 1,000,000 x 2.5 + 100,000 x 10 = 3.50."""
    rows = query(loaded, "select cast(day as varchar), cost, unpriced_runs from costs_daily order by all")
    assert rows == [("2024-10-01", 6.5, 0), ("2024-10-02", 3.5, 0), ("2024-10-02", None, 1)]
    rows = query(loaded, "select runs, unpriced_runs, round(cost, 2) from cost_by_model where currency is not null")
    assert rows == [(2, 0, 10.0)]


def test_aliases_price_deployments(loaded: Path) -> None:
    """An alias prices a deployment in one source; models that remain without a price are reported."""
    listed = json.loads(command("prices", "-w", loaded, "--json").stdout)
    assert {"gpt-4o", "o3-mini%"} <= {row["model"] for row in listed}
    done = command("prices", "alias", "our-deployment", "gpt-4o-mini", "--source", "elsewhere", "-w", loaded)
    assert "have no price: our-deployment" in done.stderr
    done = command("prices", "alias", "our-deployment", "gpt-4o-mini", "--source", "azure", "-w", loaded)
    assert (done.returncode, done.stderr) == (0, "")
    [(cost,)] = query(loaded, "select cost from run_costs where model = 'our-deployment'")
    assert cost == pytest.approx(0.15 + 0.06)


def test_imported_prices_are_added_and_replaced(loaded: Path, tmp_path: Path) -> None:
    """A price of the same provider, model and start is replaced; a later one ends the earlier one."""
    file = tmp_path / "prices.csv"
    for amount in (1, 2):
        file.write_text(HEADER + f"openai,our-%,2024-10-01,,{amount},,1,EUR,contract\n")
        done = command("prices", "import", file, "-w", loaded)
        assert (done.returncode, done.stderr) == (0, "")
        [(cost, currency)] = query(loaded, "select cost, currency from run_costs where model like 'our%'")
        assert (cost, currency) == (pytest.approx(amount + 0.1), "EUR")
    file.write_text(HEADER + "openai,our-%,2024-10-02,,3,,1,EUR,contract\n")
    command("prices", "import", file, "-w", loaded)
    assert query(loaded, "select round(cost, 2) from run_costs where model like 'our%'") == [(3.1,)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model,input\n", "the column provider is missing"),
        (HEADER.replace("source", "url"), "the column source is missing"),
        (HEADER.replace("source", "source,note"), "there is no column note"),
        (HEADER + "openai,m,soon,,1,,1,USD,x\n", "line 2: valid_from must be a date"),
        (HEADER + "openai,m,2024-01-02,2024-01-01,1,,1,USD,x\n", "valid_to must be later"),
        (HEADER + "openai,m,2024-01-01,,free,,1,USD,x\n", "line 2: input must be a price"),
        (HEADER + "openai,m,2024-01-01,,1,,1,USD,x,y\n", "line 2: it has more values"),
        (
            HEADER + "openai,m,2024-01-01,,1,,,USD,x\n",
            "line 2: output is empty; .*prices of tokens have input and output",
        ),
        (HEADER + "openai,m,2024-01-01,,1,,1,USD,x\n" * 2, "line 3: an earlier line has the same"),
        (FACTORS + "openai,m,2024-01-01,1,1,USD,x,1,0,\n", "line 2: batch_factor must be a factor above 0"),
        (FACTORS + "openai,m,2024-01-01,1,1,USD,x,,-1,\n", "batch_factor must be a factor above 0"),
        (FACTORS + "openai,m,2024-01-01,1,1,USD,x,-1,,\n", "cache_write must be a price"),
        (FACTORS + "openai,m,2024-01-01,1,1,USD,x,,,half\n", "flex_factor must be a factor above 0"),
        (FEES + "openai,m,2024-01-01,,USD,x,web_search_call,\n", "line 2: per_call is empty; the fee of a tool has"),
        (FEES + "openai,m,2024-01-01,,USD,x,,1\n", "line 2: tool is empty"),
        (FEES + "openai,m,2024-01-01,2,USD,x,web_search_call,1\n", "line 2: cached_input must be empty in the fee"),
        (
            FEES + "openai,m,2024-01-01,,USD,x,function_call,1\n",
            "a call that the server answers, .* not 'function_call'",
        ),
        (FEES + "openai,m,2024-01-01,,USD,x,web_search,1\n", "not 'web_search'"),
        (FEES + "openai,m,2024-01-01,,USD,x,,\n", "line 2: input is empty"),
        (FEES.replace(",per_call", ""), "the column input is missing"),
        (HEADER + "openai,m,2024-01-01,,1,,-1,USD,x\n", "output must be"),
        (HEADER + "openai,,2024-01-01,,1,,1,USD,x\n", "line 2: model is empty"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(text: str, words: str) -> None:
    """An error in a price file names the line."""
    with pytest.raises(PriceError, match=words):
        prices.parsed(csv.DictReader(text.splitlines()), "prices.csv")


def test_an_earlier_warehouse_gets_bundled_prices_that_leave_its_own_alone(warehouse: Path) -> None:
    """A migration adds prices of new models; models that have a price keep theirs, and bundled ones get factors."""
    with open_for_writing(warehouse, 0) as writer:
        connection = writer.connection
        connection.execute("delete from prices where tool is not null or model like 'o3%' or model like 'gpt-5%'")
        connection.execute("update prices set batch_factor = null")
        own = Price("openai", "gpt-5%", datetime(2026, 1, 1, tzinfo=UTC), None, 1, None, 2, "EUR", "contract")
        mine = own._replace(model="gpt-4.1", valid_from=datetime(2025, 4, 14, tzinfo=UTC))
        prices.put(connection, [own, mine])
        for _ in range(2):
            prices.complete(connection)
    found = query(warehouse, "select model, currency from prices where model like 'gpt-5%' and tool is null")
    assert found == [("gpt-5%", "EUR")]
    assert query(warehouse, "select input, batch_factor from prices where model = 'gpt-4.1'") == [(1.0, None)]
    assert query(warehouse, "select input, batch_factor from prices where model = 'gpt-4o-mini'") == [(0.15, 0.5)]
    latest = "select input from prices where model = 'o3' and valid_to is null"
    assert query(warehouse, latest) == [(2.0,)]
    assert query(warehouse, "select count(*) from prices where tool is not null") == [(5,)]


def test_a_fee_and_a_price_of_one_model_live_side_by_side(loaded: Path, tmp_path: Path) -> None:
    """A fee of the same model and start replaces no price of tokens, and only a fee of the same tool."""
    file = tmp_path / "prices.csv"
    line = "openai,our-deployment,2024-10-01,,{tokens},USD,contract,{fee}"
    header = "provider,model,valid_from,valid_to,input,output,currency,source,tool,per_call\n"
    rows = [line.format(tokens="1,1", fee=","), line.format(tokens=",", fee="web_search_call,0.01")]
    rows.append(line.format(tokens=",", fee="file_search_call,0.02"))
    for fee in ("0.01", "0.03"):
        file.write_text(header + "\n".join(rows).replace("0.01", fee))
        assert command("prices", "import", file, "-w", loaded).returncode == 0
    of_model = "from prices where model = 'our-deployment' order by per_call"
    assert query(loaded, f"select tool, per_call, input {of_model}") == [
        ("file_search_call", 0.02, None),
        ("web_search_call", 0.03, None),
        (None, None, 1.0),
    ]
    assert query(loaded, "select distinct input, priced_as from model_prices where model like 'our%'") == [
        (1.0, "our-deployment")
    ]
    listed = json.loads(command("prices", "-w", loaded, "--json").stdout)
    assert [row["per_call"] for row in listed if row["model"] == "our-deployment"] == [None, 0.02, 0.03]


def test_todays_prices_do_not_price_history(pages: Path, warehouse: Path) -> None:
    """`prices update` adds prices that begin today, or at the date that the package gives."""
    now = datetime.now(UTC)
    runs = [run("old", model="codex-mini-latest", created_at=1_750_000_000), run("odd", model="no-such-model")]
    write(pages / "1.json", page(*runs))
    assert command("ingest", pages, "-w", warehouse).returncode == 0
    with open_for_writing(warehouse, 0) as writer:
        install(writer)
        [price] = prices.missing(writer.connection, now.date())
        assert isinstance(price, Price)
        assert (price.provider, price.model, price.valid_from.date()) == ("openai", "codex-mini-latest", now.date())
        assert (price.input, price.output) == (1.5, 6.0)
    assert command("prices", "update", "-w", warehouse).returncode == 0
    assert query(warehouse, "select count(*) from prices where model = 'codex-mini-latest'") == [(1,)]


def test_dated_prices_keep_their_dates(pages: Path, warehouse: Path) -> None:
    """A price with a date in the package begins at that date."""
    write(pages / "1.json", page(run("a", model="gpt-5.6")))
    assert command("ingest", pages, "-w", warehouse).returncode == 0
    with open_for_writing(warehouse, 0) as writer:
        found = prices.missing(writer.connection, date(2026, 1, 1))
    assert [(price.valid_from.date(), price.input, price.cache_write) for price in found] == [
        (date(2026, 8, 21), 4.0, 5.0)
    ]


def test_wrong_usage_of_prices_is_2(warehouse: Path) -> None:
    """A missing argument gives exit code 2 and a message that names it."""
    done = command("prices", "import", "-w", warehouse)
    assert (done.returncode, "FILE" in done.stderr) == (2, True)


def test_the_prices_of_an_older_warehouse_are_shown(warehouse: Path) -> None:
    """A warehouse whose table lacks the newer columns is only read, and shows its prices."""
    with open_for_writing(warehouse, 0) as writer:
        for column in ("cache_write", "batch_factor", "flex_factor", "priority_factor", "tool", "per_call"):
            writer.connection.execute(f"alter table prices drop {column}")
    listed = json.loads(command("prices", "-w", warehouse, "--json").stdout)
    assert {"gpt-4o", "o3-mini%"} <= {row["model"] for row in listed}
    assert {row["cache_write"] for row in listed} == {None}
