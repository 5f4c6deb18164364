"""Pulls into a lake, also concurrently with loads."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.command import command
from tests.support.ducklake import Bare, query
from tests.support.paths import ROOT
from tests.support.server import KEY
from tests.support.warehouse import DOUBLES, page, run, write

pytestmark = pytest.mark.ducklake

KEYS = {"TEST_KEY": KEY}


@pytest.fixture(name="server")
def _server() -> Generator[str]:
    """The address of a server with 8 threads of 200 runs."""
    words = [sys.executable, "-m", "tests.support.server"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            address = f"http://127.0.0.1:{process.stdout.readline().strip()}"
            world: dict[str, Any] = {"threads": 8, "runs": 200, "seed": 1, "settings": {}}
            httpx2.post(f"{address}/_admin/world", json=world).raise_for_status()
            yield address
        finally:
            process.terminate()


def arguments(server: str) -> list[str | Path]:
    """The arguments of a pull of all threads."""
    return ["pull", "--base-url", f"{server}/foundry", "--profile", "azure-foundry", "--api-key-env", "TEST_KEY"]


def test_a_pull_into_a_lake_is_that_into_a_file(server: str, lake: Bare, tmp_path: Path) -> None:
    """A pull stores the same runs and thread states in a lake as in a file; without new runs, nothing soon after."""
    file = tmp_path / "runs.duckdb"
    assert command(*arguments(server), "-w", file, environment=KEYS).returncode == 0
    assert lake.run(*arguments(server), environment=KEYS).returncode == 0
    texts = "select cast(to_json(r) as varchar) from (select * exclude (load_id, observed_at) from runs) r order by all"
    assert query(lake.location, texts) == query(file, texts)
    threads = "select thread_id, state, newest_run_id, page_digest from runmart.threads order by all"
    assert query(lake.location, threads) == query(file, threads)
    snapshot = lake.query("select id from ducklake_current_snapshot('warehouse')")
    assert lake.run(*arguments(server), environment=KEYS).returncode == 0
    assert lake.query("select id from ducklake_current_snapshot('warehouse')") == snapshot


def test_pulls_and_loads_at_the_same_time(server: str, lake: Bare, tmp_path: Path) -> None:
    """Two concurrent pulls of the same threads and a load store each run once."""
    write(tmp_path / "p.json", page(*(run(f"own{number}") for number in range(50))))
    pulls = [
        subprocess.Popen(_words(lake, server), stdout=subprocess.PIPE, text=True, env={**os.environ, **KEYS})
        for _ in range(2)
    ]
    for _ in range(3):
        assert lake.run("ingest", tmp_path / "p.json", "--reload").returncode == 0
    outcomes = [json.loads(one.communicate(timeout=120)[0]) for one in pulls]
    assert [one.returncode for one in pulls] == [0, 0], outcomes
    assert query(lake.location, "select count(*) from runs") == [(250,)]
    assert query(lake.location, DOUBLES) == []
    assert query(lake.location, "select source, thread_id from runmart.threads group by all having count(*) > 1") == []
    assert query(lake.location, "select distinct state from runmart.loads") == [("done",)]
    assert lake.run("check").returncode == 0


def _words(lake: Bare, server: str) -> list[str]:
    runmart = str(Path(sys.executable).parent / "runmart")
    return [runmart, *map(str, arguments(server)), "--json", *lake.options]
