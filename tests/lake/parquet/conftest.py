"""Fixtures of the tests of exports."""

import shutil
from pathlib import Path

import pytest

from tests.support.exports import MONTHS, SOURCES, a_run, a_step, load


@pytest.fixture(name="built", scope="module")
def _built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of runs of several months and sources."""
    folder = tmp_path_factory.mktemp("built")
    warehouse = folder / "runs.duckdb"
    number = 0
    for source in SOURCES:
        for created_at in MONTHS:
            number += 10
            runs = [a_run(number + place, created_at) for place in range(3)]
            load(warehouse, folder, *runs, a_step(number, created_at), source=source)
    load(warehouse, folder, {"id": "bare", "status": "queued"})
    return warehouse


@pytest.fixture(name="loaded")
def _loaded(built: Path, tmp_path: Path) -> Path:
    """A copy of that warehouse, for one test."""
    return Path(shutil.copy(built, tmp_path / "runs.duckdb"))
