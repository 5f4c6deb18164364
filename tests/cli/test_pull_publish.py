"""`runmart pull --publish`: a round that has written something publishes, one without new runs does not."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.command import RUNMART
from tests.support.pull import KEY, TestServer, command, given
from tests.support.warehouse import query


@pytest.fixture(name="published")
def _published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEST_KEY", KEY)
    return tmp_path / "published.duckdb"


def test_a_pull_without_new_runs_publishes_nothing(server: TestServer, warehouse: Path, published: Path) -> None:
    """A pull without new runs leaves a published version of this hour as it is, and reports it as unchanged."""
    server.world(threads=3, runs=30)
    arguments = given(server, "-w", warehouse, "--publish", published)
    first = json.loads(command(*arguments, "--json").stdout)["published"]
    assert query(published, "select count(*) from runs") == [(30,)]
    again = json.loads(command(*arguments, "--json").stdout)["published"]
    assert (again["how"], again["version"]) == ("unchanged", first["version"])
    assert len(list(Path(first["version"]).parent.glob("*.duckdb"))) == 1
    assert "published already" in command(*arguments).stdout
    os.utime(again["version"], (time.time() - 3601, time.time() - 3601))
    later = json.loads(command(*arguments, "--json").stdout)["published"]
    assert later["version"] != first["version"]
    pulls = query(published, "select last_pull_at = (select max(pulled_at) from runmart.sources) from data_freshness")
    assert pulls == [(True,)]
    [(before,)] = query(Path(first["version"]), "select pulled_at from runmart.sources")
    assert query(published, f"select pulled_at > '{before}' from runmart.sources") == [(True,)]


def test_a_pull_that_fails_publishes_nothing(server: TestServer, warehouse: Path, published: Path) -> None:
    """A pull that fails, here with a wrong key, does not publish."""
    server.world(threads=3, runs=30)
    assert command(*given(server, "-w", warehouse)).returncode == 0
    assert command(*given(server, "-w", warehouse, "--publish", published), TEST_KEY="wrong").returncode == 1
    assert not published.exists()


@pytest.mark.slow
def test_every_round_publishes_what_it_has_written(server: TestServer, warehouse: Path, published: Path) -> None:
    """Each round of `--every` publishes what it has written, until SIGTERM."""
    server.world(threads=3, runs=30)
    arguments = given(server, "-w", warehouse, "--publish", published, "--every", "1s", "--json")
    with subprocess.Popen([RUNMART, *arguments], stdout=subprocess.PIPE, text=True) as pulling:
        assert pulling.stdout is not None
        first, second = (json.loads(pulling.stdout.readline())["published"] for _ in range(2))
        server.world(threads=4, runs=50, seed=1)
        later = [json.loads(pulling.stdout.readline()) for _ in range(2)]
        pulling.send_signal(signal.SIGTERM)
        assert pulling.wait() == 0
    assert (second["how"], second["version"]) == ("unchanged", first["version"])
    assert later[-1]["published"]["version"] != first["version"]
    [(runs,)] = query(warehouse, "select count(*) from runs")
    assert runs > 30
    assert query(published, "select count(*) from runs") == [(runs,)]
