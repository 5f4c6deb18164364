"""Fixtures: a PostgreSQL server, an S3 server, and a DuckLake for each test."""

import shutil
from collections.abc import Generator
from itertools import count
from pathlib import Path

import pytest

from tests.support.ducklake import Bare, made
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
    """Environment variables to connect to an S3 server."""
    with serving() as environment:
        yield environment


@pytest.fixture(scope="session")
def template(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Bare:
    """An empty lake that is copied for each test, which is much faster than to create one."""
    postgres.execute("create database template_lake")
    return made(Bare(postgres, "template_lake", str(tmp_path_factory.mktemp("template") / "data")))


@pytest.fixture
def lake(postgres: Postgres, template: Bare, tmp_path: Path) -> Bare:
    """An empty lake."""
    found = Bare(postgres, f"lake{next(_numbers)}", str(tmp_path / "data"))
    postgres.execute(f"create database {found.database} template {template.database}")
    postgres.execute(f"update ducklake_metadata set value = '{found.data}/' where key = 'data_path'", found.database)
    shutil.copytree(template.data, found.data)
    return found


@pytest.fixture
def bare(postgres: Postgres, tmp_path: Path) -> Bare:
    """An empty database, and a path without a folder, in which a test can create a lake."""
    found = Bare(postgres, f"lake{next(_numbers)}", str(tmp_path / "data"))
    postgres.execute(f"create database {found.database}")
    return found
