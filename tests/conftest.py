"""What all tests share: the seed, where a warehouse goes, a folder for inputs, the server of the threads/runs API."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.pull import TestServer

pytest.register_assert_rewrite("tests.support")

SEED = "RUNMART_TEST_SEED"
"""The variable that repeats what tests chose at random on another day; else the day's date is the seed."""


def _daily_seed() -> int:
    os.environ[SEED] = os.environ.get(SEED) or datetime.now(UTC).strftime("%Y%m%d")  # all workers inherit it
    return int(os.environ[SEED])


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give Hypothesis the seed of the day, if it has none, and no deadline, where it is installed; let SIGINT arrive.

    A shell lets background jobs ignore SIGINT, which is inherited by the processes that tests interrupt.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in [name for name in os.environ if name.startswith("RUNMART_") and name != SEED]:
        del os.environ[name]  # settings of whoever runs the tests
    for name in ("COLUMNS", "FORCE_COLOR"):
        os.environ.pop(name, None)
    with suppress(ImportError):
        from hypothesis import settings

        settings.register_profile("runmart", deadline=None)  # machines differ, and are shared
        settings.load_profile("runmart")
    if vars(config.option).get("hypothesis_seed", "") is None:
        config.option.hypothesis_seed = str(_daily_seed())


def pytest_report_header() -> str:
    """Say how to repeat what is chosen at random."""
    return f"random choices: {SEED}={_daily_seed()}"


@pytest.fixture(scope="session")
def daily_seed() -> int:
    """A seed for random choices: another one each day, so that many days try much."""
    return _daily_seed()


@pytest.fixture
def new_warehouse(tmp_path: Path) -> Path:
    """Where the warehouse of the test will be: nothing is there yet."""
    return tmp_path / "runs.duckdb"


@pytest.fixture
def warehouse(new_warehouse: Path) -> Path:
    """An empty warehouse with the views."""
    from tests.support.warehouse import empty

    return empty(new_warehouse)


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
        server = TestServer(int(process.stdout.readline()))
        yield server
        server.close()
        process.terminate()


@pytest.fixture
def server(server_process: "TestServer") -> "TestServer":
    """The server, with an empty world."""
    server_process.world()
    return server_process
