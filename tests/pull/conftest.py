"""Fixtures: the server, and where the warehouse is."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pulls import TestServer


@pytest.fixture(name="process", scope="session")
def _process() -> Iterator[TestServer]:
    program = Path(__file__).parent / "server.py"
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield TestServer(int(process.stdout.readline()))
        process.terminate()


@pytest.fixture(name="server")
def _server(process: TestServer) -> TestServer:
    """The server, with an empty world."""
    process.world()
    return process


@pytest.fixture(name="warehouse")
def _warehouse(tmp_path: Path) -> Path:
    return tmp_path / "w.duckdb"
