"""Tests of the documentation: generated pages and examples are compared with the real output."""

import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from runmart.models.redaction_policy import CONTENT_FIELDS
from tests.support.paths import ROOT

BIN = Path(sys.executable).parent
README = (ROOT / "README.md").read_text()


def generator() -> ModuleType:
    """The module docs/generate.py, which is not in the package."""
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["data-dictionary.md", "quirks.md"])
def test_generated_documentation_is_that_of_a_new_warehouse(name: str) -> None:
    """docs/ is generated from a database that was just built; `make docs` brings it up to date."""
    module = generator()
    assert set(module.GENERATED) == {"data-dictionary.md", "quirks.md"}
    assert (ROOT / "docs" / name).read_text() == module.GENERATED[name]()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The warehouse that `make demo` creates."""
    warehouse = tmp_path_factory.mktemp("demo") / "demo.duckdb"
    subprocess.run([BIN / "runmart", "demo", "--warehouse", warehouse], check=True, capture_output=True)
    return warehouse


RECIPES = (ROOT / "docs" / "recipes.md").read_text()
EXAMPLES, RECIPE_EXAMPLES = (
    re.findall(r"```sql\n(.+?)\n```\n\n```text\n(.+?)\n```", text, re.DOTALL) for text in (README, RECIPES)
)


def test_every_query_is_shown_with_its_output() -> None:
    """README has three real examples, and every recipe has one."""
    assert len(EXAMPLES) == 3
    assert len(RECIPE_EXAMPLES) == RECIPES.count("```sql") == RECIPES.count("\n## ") == 9


@pytest.mark.parametrize(("query", "output"), EXAMPLES + RECIPE_EXAMPLES)
def test_an_example_gives_in_the_shell_what_is_shown(query: str, output: str, demo: Path) -> None:
    """Every query of README and of the recipes prints what it says."""
    command = [BIN / "duckdb", "-readonly", demo, "-c", query]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.rstrip("\n") == output


def test_the_python_page_prints_what_it_shows(demo: Path) -> None:
    """The program in docs/python.md prints the output that is shown there."""
    text = (ROOT / "docs" / "python.md").read_text()
    [(program, output)] = re.findall(r"```python\n((?:(?!```).)+)\n```\n\n```text\n(.+?)\n```", text, re.DOTALL)
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=demo.parent, capture_output=True, text=True, check=True)
    assert done.stdout.rstrip("\n") == output


def test_the_privacy_page_names_every_field() -> None:
    """docs/privacy.md lists exactly the content fields of the redaction policy."""
    text = (ROOT / "docs" / "privacy.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(CONTENT_FIELDS)


def test_the_capacity_model_is_the_one_that_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables in docs/scale.md are those of benchmarks/capacity.py."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    tables: dict[str, str] = importlib.import_module("capacity").tables()
    text = (ROOT / "docs" / "scale.md").read_text()
    assert len(tables) == 3
    for name, table in tables.items():
        assert table in text, name


def test_the_worked_example_costs_what_it_costs_by_hand(tmp_path: Path) -> None:
    """The example in docs/costs.md gives the output that is shown, and the costs in its table."""
    text = (ROOT / "docs" / "costs.md").read_text()
    for name, language in (("prices.csv", "csv"), ("runs.jsonl", "json")):
        [(named, content)] = re.findall(rf"`([\w.]+)`:\n\n```{language}\n(.+?)```", text, re.DOTALL)
        assert named == name
        (tmp_path / name).write_text(content)
    [commands] = re.findall(r"```sh\n(.+?)```", text, re.DOTALL)
    for line in commands.splitlines():
        subprocess.run([BIN / line.split()[0], *line.split()[1:]], cwd=tmp_path, check=True, capture_output=True)
    [(query, output)] = re.findall(r"```sql\n(.+?)\n```\n\n```text\n(.+?)\n```", text, re.DOTALL)
    shell = [BIN / "duckdb", "-readonly", tmp_path / "costs.duckdb", "-c", query]
    assert subprocess.run(shell, capture_output=True, text=True, check=True).stdout.rstrip("\n") == output
    by_hand = re.findall(r"\*\*(\d+\.\d\d)\*\*", text)
    assert (
        by_hand == [f"{float(cost):.2f}" for cost in re.findall(r"│ +([\d.]+) │ +\d+ │\n", output)] == ["2.60", "1.95"]
    )


def test_the_demo_prints_the_three_families_of_answers_in_80_columns(tmp_path: Path) -> None:
    """`runmart demo` prints latency, failures and tokens as tables that fit 80 columns."""
    text = subprocess.run([BIN / "runmart", "demo"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert (tmp_path / "demo.duckdb").exists()
    for view in ("latency_by_model", "failure_rates_by_model", "token_usage_by_model"):
        assert view in text
    assert max(map(len, text.splitlines())) <= 80
    assert re.search(r"gpt-4o-mini +15 +8\.000", text)


def test_the_readme_names_every_command_and_every_folder() -> None:
    """README.md lists every command and every top-level folder."""
    shown = subprocess.run([BIN / "runmart", "--help"], check=True, capture_output=True, text=True).stdout
    for command in re.findall(r"^│ ([a-z]+) ", shown, re.MULTILINE):
        assert f"runmart {command}" in README or f"make {command}" in README, command
    for folder in re.findall(r"^\| `(\w+)/` \|", README, re.MULTILINE):
        assert (ROOT / folder).is_dir()


def test_the_sample_pages_are_those_of_the_manifest() -> None:
    """The manifest lists every sample file with its origin and licence."""
    pages = ROOT / "cli" / "demo" / "pages"
    listed = {line.split("\t")[0] for line in (ROOT / "cli" / "demo" / "MANIFEST.tsv").read_text().splitlines()[1:]}
    assert {str(path.relative_to(pages)) for path in pages.rglob("*") if path.is_file()} == listed
    assert f"loads {len(listed)} recorded" in README
