"""A PostgreSQL, and an empty catalog for each test."""

from collections.abc import Generator
from itertools import count
from pathlib import Path

import pytest

from tests.support.ducklake import Bare
from tests.support.postgres import Postgres, running
from tests.support.seaweedfs import serving

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres() -> Generator[Postgres]:
    """A server for all tests."""
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Generator[dict[str, str]]:
    """The environment that reaches an S3 server."""
    with serving() as environment:
        yield environment


@pytest.fixture
def lake(postgres: Postgres, tmp_path: Path) -> Bare:
    """Where the lake of the test will be: an empty database, and a folder that is not there yet."""
    name = f"lake{next(_numbers)}"
    postgres.execute(f"create database {name}")
    return Bare(postgres, name, str(tmp_path / "data"))
