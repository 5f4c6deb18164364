"""Fixtures of all tests: where a warehouse goes, a folder for inputs, and the server of the threads/runs API."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.pull import TestServer

pytest.register_assert_rewrite("tests.support")


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


@pytest.fixture(scope="session")
def server_process(pytestconfig: pytest.Config) -> Iterator["TestServer"]:
    """The server, started once for all tests."""
    from tests.support.pull import TestServer

    words = [sys.executable, "-m", "tests.support.server"]
    with subprocess.Popen(words, cwd=pytestconfig.rootpath, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield TestServer(int(process.stdout.readline()))
        process.terminate()


@pytest.fixture
def server(server_process: "TestServer") -> "TestServer":
    """The server, with an empty world."""
    server_process.world()
    return server_process
