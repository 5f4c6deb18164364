"""Each view over a few rows, with expected results that can be checked by hand."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from runmart.queries import View, views
from tests.support.rows import Fill, assert_rows, records

FOLDER = Path(__file__).parent


def fixture(view: View) -> dict[str, Any]:
    """The rows of a view's fixture by table, and `expected`; `rows_of` names a view whose rows are shared."""
    found = tomllib.loads((FOLDER / f"{view.name}.toml").read_text())
    if "rows_of" in found:
        others = tomllib.loads((FOLDER / f"{found.pop('rows_of')}.toml").read_text())
        found = {**others, **found}
    return found


@pytest.mark.parametrize("view", views(), ids=lambda view: view.name)
def test_a_few_rows_in_give_the_expected_rows_out(view: View, filled: Fill) -> None:
    """Each view returns the expected rows of its fixture."""
    tables = fixture(view)
    expected, unchecked = tables.pop("expected"), tables.pop("unchecked", [])
    names = [column.name for column in view.columns if column.name not in unchecked]
    found = records(filled(tables), view.name, "all")
    wanted = [{name: row.get(name) for name in names} for row in expected]
    assert all(set(row) <= set(names) for row in expected)
    assert_rows(found, wanted)


@pytest.mark.parametrize("view", views(), ids=lambda view: view.name)
def test_an_empty_warehouse_gives_no_rows(view: View, filled: Fill) -> None:
    """Views over empty tables return no rows."""
    assert records(filled({}), view.name, "all") == []


def test_every_fixture_belongs_to_a_view() -> None:
    """Each fixture has the name of a view."""
    assert {path.stem for path in FOLDER.glob("*.toml")} == {view.name for view in views()}
