"""A warehouse to load into, and a folder for inputs."""

from pathlib import Path

import pytest


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """Where the warehouse of the test is."""
    return tmp_path / "runs.duckdb"


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """An empty folder for inputs."""
    folder = tmp_path / "pages"
    folder.mkdir()
    return folder
