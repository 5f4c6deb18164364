"""Fixtures: a warehouse, and the path at which it is published."""

from pathlib import Path

import pytest

from tests.support.published import loaded
from tests.support.warehouse import page, run, write


@pytest.fixture(name="warehouse")
def _warehouse(tmp_path: Path) -> Path:
    """A warehouse of one run."""
    write(tmp_path / "1.json", page(run("a")))
    return loaded(tmp_path)


@pytest.fixture(name="published")
def _published(tmp_path: Path) -> Path:
    return tmp_path / "published.duckdb"
