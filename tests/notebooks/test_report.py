"""Reports: self-contained HTML files."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.support.command import command
from tests.support.warehouse import page, run, write

NAME = "asst_<script>alert(1)</script> & co"


@pytest.fixture(name="warehouse")
def _warehouse(tmp_path: Path) -> Path:
    runs = [
        run(
            f"run_{number}",
            "failed" if number % 5 == 0 else "completed",
            created_at=1_754_870_400 + number * 3600,
            started_at=1_754_870_401 + number * 3600,
            completed_at=1_754_870_411 + number * 3600,
            model=f"<b>model {number % 2}</b>",
            assistant_id=NAME,
            usage={"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11},
        )
        for number in range(100)
    ]
    file = write(tmp_path / "1.json", page(*runs))
    assert command("ingest", file, "-w", tmp_path / "runs.duckdb").returncode == 0
    return tmp_path / "runs.duckdb"


class _Elements(HTMLParser):
    """The elements of a page and the addresses that they refer to."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.references += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href", "srcset"}]


def test_it_holds_all_it_needs_and_no_script(warehouse: Path, tmp_path: Path) -> None:
    """A report contains its charts, no script and no external reference; names are escaped."""
    file = tmp_path / "report.html"
    done = command("report", "-w", warehouse, "--to", file, "--json", "--title", "Runs of <Acme>")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert (printed["since"], printed["until"], printed["grain"]) == ("2025-08-11", "2025-08-15", "day")
    text = file.read_text()
    assert printed["bytes"] == len(text.encode())
    found = _Elements()
    found.feed(text)
    assert "script" not in found.names
    assert found.names >= {"svg", "table", "h1"}
    assert found.references == []
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", text)
    assert text.count("<svg") == 4  # there is no cost to draw
    assert "Runs of &lt;Acme&gt;" in text
    assert "&lt;b&gt;model 0&lt;/b&gt;" in text
    assert ">20.0%<" in text  # the failure rate


@pytest.mark.slow
def test_it_is_about_what_is_asked_for(warehouse: Path, tmp_path: Path) -> None:
    """A report is limited to days, a model or an assistant; unknown values are refused with the known ones."""
    file = tmp_path / "report.html"
    asked = ["--since", "2025-08-11", "--until", "2025-08-12", "--model", "<b>model 0</b>", "--grain", "hour"]
    assert command("report", "-w", warehouse, "--to", file, *asked, "--assistant", NAME).returncode == 0
    assert ">24<" in file.read_text()  # runs of one model in two days
    done = command("report", "-w", warehouse, "--to", file, "--model", "gpt-5")
    assert done.returncode == 1
    assert "no run has the model 'gpt-5'; there is: <b>model 0</b>" in done.stderr
    assert command("report", "-w", warehouse, "--to", file, "--grain", "year").returncode == 1
    assert command("report", "-w", warehouse, "--to", file, "--since", "soon").returncode == 2
    done = command("report", "-w", warehouse, "--to", tmp_path / "no" / "such.html")
    assert (done.returncode, "cannot be written" in done.stderr) == (1, True)
    done = command("report", "-w", tmp_path / "none.duckdb", "--to", file)
    assert (done.returncode, "no such warehouse" in done.stderr) == (1, True)


def test_an_empty_warehouse_has_an_empty_report(tmp_path: Path) -> None:
    """The report of an empty warehouse has a sentence in the place of each chart."""
    write(tmp_path / "1.json", page())
    assert command("ingest", tmp_path / "1.json", "-w", tmp_path / "w.duckdb").returncode == 0
    assert command("report", "-w", tmp_path / "w.duckdb", "--to", tmp_path / "report.html").returncode == 0
    assert (tmp_path / "report.html").read_text().count("runmart-nothing") >= 6


@pytest.mark.parametrize(
    ("missing", "arguments"),
    [
        ("marimo", ["dashboard", "--no-browser"]),
        ("vl_convert", ["report", "--to", "x.html"]),
        ("altair", ["dashboard"]),
    ],
)
def test_what_is_not_installed_is_named_with_how_to_install_it(
    missing: str, arguments: list[str], warehouse: Path
) -> None:
    """Without the packages for reports, the message names how to install them."""
    script = f"""
import sys
sys.modules[{missing!r}] = None
from runmart.cli.app import run
sys.exit(run({[*arguments, "-w", str(warehouse)]!r}))"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{missing}, which is not installed; run: pip install 'runmart[notebooks]'" in done.stderr
