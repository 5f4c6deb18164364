"""The bookkeeping tables and those of prices: declared like the tables of runs, without getters."""

import re
from typing import Any

import pytest

from runmart.models.columns import Table
from runmart.models.tables.all import OTHER_TABLES
from runmart.models.tables.bookkeeping import BOOKKEEPING_TABLES


@pytest.mark.parametrize("table", [*BOOKKEEPING_TABLES, *OTHER_TABLES], ids=lambda table: table.name)
def test_every_column_has_a_name_of_its_own_and_a_meaning(table: Table[Any]) -> None:
    """Each table says what a row is and what it is for, each column what it means: the data dictionary shows it."""
    names = [column.name for column in table.columns]
    assert len(set(names)) == len(names)
    assert table.grain
    assert table.purpose
    assert [column.name for column in table.columns if not column.meaning] == []


def test_a_column_without_a_getter_refuses_observations() -> None:
    """A table whose rows do not come from observations cannot be filled from a batch."""
    with pytest.raises(TypeError, match=re.escape("do not come from observations")):
        BOOKKEEPING_TABLES[0].columns[0].getter([])
