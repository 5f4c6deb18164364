"""Views over a warehouse that holds responses only, with expected results that can be checked by hand."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from runmart.queries import find, views
from tests.support.rows import Fill, assert_rows, records

ARCHIVE: dict[str, Any] = tomllib.loads((Path(__file__).parent / "responses" / "archive.toml").read_text())
EXPECTED: dict[str, list[dict[str, Any]]] = ARCHIVE.pop("expected")
MOVING = {"age_seconds", "unseen_seconds"}


@pytest.mark.parametrize("name", EXPECTED)
def test_responses_in_give_the_expected_rows_out(name: str, filled: Fill) -> None:
    """Each of these views returns the expected rows where there is no run."""
    names = [column.name for column in find(name).columns if column.name not in MOVING]
    assert all(set(row) <= set(names) for row in EXPECTED[name])
    wanted = [{one: row.get(one) for one in names} for row in EXPECTED[name]]
    assert_rows(records(filled(ARCHIVE), name, "all"), wanted)


def test_views_of_what_responses_lack_are_empty(filled: Fill) -> None:
    """Responses have no required actions: their calls are steps."""
    assert records(filled(ARCHIVE), "required_tool_calls", "all") == []


def test_every_view_can_be_asked(filled: Fill) -> None:
    """No view fails over responses."""
    connection = filled(ARCHIVE)
    for view in views():
        records(connection, view.name, "all")
