"""`runmart prices`, as it is read, and tables that are wider than 80 columns."""

from pathlib import Path

import pytest

from runmart.cli.output import say_table
from tests.support.command import command

PRICES = """
provider,model,valid_from,input,cached_input,cache_write,output,batch_factor,tool,per_call,currency,source
acme,house-model-2026-07-09,2026-07-09,5,0.0375,6.25,30,0.5,,,EUR,me
acme,house-model-%,2026-07-09,,,,,,web_search_call,0.0025,EUR,me
""".lstrip()


def test_prices_are_shown_whole(warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices, factors and fees are tables of their own, in which each price has all of its decimals."""
    monkeypatch.chdir(tmp_path)
    Path("prices.csv").write_text(PRICES)
    assert command("prices", "import", "prices.csv", "-w", warehouse).returncode == 0
    found = command("prices", "-w", warehouse.name).stdout.splitlines()
    assert max(map(len, found)) <= 80
    lines = {" ".join(line.split()) for line in found}
    assert lines >= {
        "runs.duckdb: prices per million tokens, acme, EUR",
        "model from to input cached write output",
        "house-model-2026-07-09 2026-07-09 5.00 0.0375 6.25 30.00",
        "runs.duckdb: factors of these prices, acme, EUR",
        "house-model-2026-07-09 2026-07-09 0.50",
        "runs.duckdb: fees per call, acme, EUR",
        "house-model-% web_search_call 2026-07-09 0.0025",
        "gpt-4o 2024-10-02 2.50 1.25 10.00",
    }


def test_tables_that_are_too_wide_are_wrapped_and_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """All characters are there, in lines of 80."""
    say_table("wide", [f"{letter}_name" for letter in "pqrstuvwyz"], [[letter * 20 for letter in "pqrstuvwyz"]])
    found = capsys.readouterr().out
    assert max(map(len, found.splitlines())) <= 80
    assert [found.count(letter) for letter in "pqrstuvyz"] == [21] * 9
