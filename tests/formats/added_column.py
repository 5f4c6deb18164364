"""A runmart of tomorrow: columns are declared and added by a migration, as long as a test needs them."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from runmart.ingest.warehouse import migrations
from runmart.ingest.warehouse.migrations import AddedColumn, adding
from runmart.models import arrow
from runmart.models.columns import BIGINT, VARCHAR, Column
from runmart.models.observations import Observations
from runmart.models.tables.bookkeeping import INPUTS, LOADS
from runmart.models.tables.runs import RUNS
from runmart.models.tables.usage import USAGE, UsageRows

NEXT = migrations.MIGRATIONS[-1].version + 1
PROBLEMS = "(select count(*) from errors where errors.run_id = runs.run_id)"
"""What a run's number of problems is computed from where it is not stored."""


def _mood(runs: Observations) -> Any:
    return arrow.repeat("new", len(runs), VARCHAR)


def _problems(runs: Observations) -> Any:
    return arrow.repeat(77, len(runs), BIGINT)


def _unit(rows: UsageRows) -> Any:
    return arrow.repeat("token", len(rows.observation), VARCHAR)


_Added = tuple[tuple[Any, Any, str], ...]
"""Tables, columns and their defaults."""

OF_RUNS: _Added = (
    (RUNS, Column("mood", VARCHAR, _mood, "How it went"), "null"),
    (RUNS, Column("problems", BIGINT, _problems, "Its rows in errors; new ones show that they are stored"), PROBLEMS),
    (USAGE, Column("unit", VARCHAR, _unit, "What is counted"), "null"),
)
OF_BOOKKEEPING: _Added = (
    (INPUTS, Column("language", VARCHAR, meaning="Its language"), "'en'"),
    (LOADS, Column("retries", BIGINT, meaning="How often it was tried again"), "0"),
)


@contextmanager
def added_columns(columns: _Added = OF_RUNS) -> Generator[None]:
    """While this lasts, there is a migration more, and the columns that it adds."""
    before = {id(table): (table, table.columns) for table, *_ in columns}
    adds = [AddedColumn(table.name, column.name, default) for table, column, default in columns]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, adding(NEXT, "add columns", *adds)))
        for table, column, _ in columns:
            object.__setattr__(table, "columns", (*table.columns, column))  # declarations are frozen
        try:
            yield
        finally:
            for table, old in before.values():
                object.__setattr__(table, "columns", old)
