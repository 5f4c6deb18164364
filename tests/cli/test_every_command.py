"""Uses each command once; together the commands import every library that runmart depends on.

`make test-lowest` relies on it: a command or a library that is new fails here until it has a use.
"""

import re
import subprocess
import tomllib
import urllib.request
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from cyclopts import App

from runmart.cli.commands import app
from tests.support import batch_engine
from tests.support.command import RUNMART, launch
from tests.support.paths import REALDATA, ROOT
from tests.support.pull import TestServer, given

EXTRAS_TESTED_ELSEWHERE = {"ducklake": "tests/ducklake", "spark": "tests/lake/spark"}
"""Each needs servers, in a version of their own."""

COMMANDS_TESTED_ELSEWHERE = {"lake load": "tests/lake/spark", "lake maintain": "tests/ducklake"}


def commands(parent: App, prefix: str = "") -> Iterator[str]:
    """All commands of an app and its sub-apps, as they are typed."""
    for name in parent:
        if not name.startswith("-"):
            yield from list(commands(parent[name], f"{prefix}{name} ")) or [prefix + name]


def project() -> dict[str, str]:
    """The dependencies of runmart, with and without extras, and the lower bound of each."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needs: list[str] = list(declared["dependencies"])
    for extra, more in declared["optional-dependencies"].items():
        needs += () if extra in EXTRAS_TESTED_ELSEWHERE else more
    found = [re.match(r"([a-z0-9-]+)>=([0-9.]+),", one) for one in needs]
    assert all(found)
    return {one[1]: one[2] for one in found if one}


def imported(errors: str) -> set[str]:
    """The modules that Python reports on standard error with PYTHONPROFILEIMPORTTIME, without submodules."""
    return set(re.findall(r"^import time:.*\| +(\w+)[\w.]*$", errors, re.MULTILINE))


def imported_by_dashboard(warehouse: Path, log: Path) -> set[str]:
    """The modules that the dashboard server imports until its first page is served."""
    words = [RUNMART, "dashboard", "-w", warehouse, "--port", "0", "--no-browser"]
    with log.open("w") as errors, subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True) as serving:
        assert serving.stdout is not None
        try:
            address = serving.stdout.readline().strip().partition(": ")[2]
            with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - our own
                assert answer.status == 200
        finally:
            serving.terminate()
    return imported(log.read_text())


@pytest.mark.slow
@pytest.mark.lowest
def test_every_command_runs_and_every_dependency_is_used(
    server: TestServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command succeeds in its most common use, and each dependency is imported."""
    server.world(threads=2, runs=10)
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    identity = {"IDENTITY_ENDPOINT": f"{server.url}/_identity", "IDENTITY_HEADER": "proof"}
    warehouse, lake, out = tmp_path / "runs.duckdb", tmp_path / "lake", tmp_path / "out"
    batch_engine.load(lake, [REALDATA])
    prices = tmp_path / "prices.csv"
    prices.write_text("provider,model,valid_from,input,output,currency,source\nopenai,m,2024-01-01,1,2,USD,me\n")
    rules = tmp_path / "rules.csv"
    rules.write_text("deployment,side,match_kind,match_value\nd,before,model,gpt-4o\n")
    uses: dict[str, tuple[list[str | Path], int]] = {
        "ingest": ([REALDATA, "-w", warehouse], 3),
        "demo": (["-w", tmp_path / "demo.duckdb"], 0),
        "pull": (
            [
                *given(server, "-w", warehouse)[1:5],
                "--entra",
                "--metrics",
                tmp_path / "pull.prom",
                "-w",
                tmp_path / "pulled.duckdb",
            ],
            0,
        ),
        "prices update": (["-w", warehouse], 0),
        "prices alias": (["mine", "gpt-4o", "-w", warehouse], 0),
        "prices import": ([prices, "-w", warehouse], 0),
        "prices list": (["-w", warehouse], 0),
        "deployments suggest": (["-w", warehouse], 0),
        "deployments import": ([rules, "-w", warehouse], 0),
        "deployments show": (["-w", warehouse], 0),
        "check": (["-w", warehouse], 4),  # the documentation of one server has times of 1970
        "status": (["-w", warehouse], 0),
        "views": (["run_facts", "-w", warehouse], 0),
        "rejects": (["--retry", "-w", warehouse], 3),
        "report": (["-w", warehouse, "--to", tmp_path / "report.html"], 0),
        "export": (["-w", warehouse, "--to", out], 0),
        "import": ([out, "-w", tmp_path / "again.duckdb"], 0),
        "prune": (["--older-than", "2020-01-01", "--yes", "-w", warehouse], 0),
        "lake open": ([lake, "-w", tmp_path / "window.duckdb"], 0),
    }
    assert {*uses, "dashboard", *COMMANDS_TESTED_ELSEWHERE} == {*commands(app)}
    modules = set[str]()
    for name, (arguments, code) in uses.items():
        done = launch(*name.split(), *arguments, environment=identity)
        assert done.returncode == code, (name, done.stdout, done.stderr)
        modules |= imported(done.stderr)
    modules |= imported_by_dashboard(warehouse, tmp_path / "dashboard.log")
    distributions = packages_distributions()
    used = {one.lower().replace("_", "-") for name in modules for one in distributions.get(name, ())}
    assert {*project()} - used == set()


def test_the_oldest_versions_are_those_that_are_declared() -> None:
    """constraints/lowest.txt lists exactly the lower bounds of the dependencies."""
    lines = (ROOT / "constraints" / "lowest.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert pinned.keys() == project().keys()
    for name, oldest in project().items():
        assert f"{pinned[name]}.".startswith(f"{oldest}."), name
