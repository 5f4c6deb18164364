"""Dashboards and the DuckDB shell read a lake."""

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import duckdb
import pytest

from runmart.ingest.warehouse import ducklake
from runmart.notebooks import filters_state, query_cache
from runmart.notebooks.page import DASHBOARDS
from runmart.queries import Selection
from tests.support.command import RUNMART
from tests.support.ducklake import Bare
from tests.support.paths import REALDATA, ROOT

pytestmark = pytest.mark.ducklake

PAGE = (ROOT / "docs" / "ducklake.md").read_text()


def test_each_dashboard_shows_a_lake(lake: Bare) -> None:
    """Each dashboard shows new runs after a load."""
    assert lake.run("ingest", REALDATA).returncode == 3
    assert filters_state.known(lake.location).models
    before = query_cache.version(lake.location)
    assert before == query_cache.version(lake.location)
    for name in DASHBOARDS:
        assert query_cache.read(lake.location, name, Selection()) is not None
    assert lake.run("ingest", REALDATA, "--reload").returncode == 3
    assert query_cache.version(lake.location) != before


def test_the_command_serves_a_lake(lake: Bare) -> None:
    """`runmart dashboard` prints the location of the lake without its password."""
    assert lake.run("ingest", REALDATA).returncode == 3
    words = [RUNMART, "dashboard", "--warehouse", lake.location.address, "--port", "0", "--no-browser"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stdout is not None
            said = serving.stdout.readline()
            address = re.search(r"http://\S+", said)
            assert address, said
            assert "geheim" not in said
            with urllib.request.urlopen(address[0], timeout=30) as answer:  # noqa: S310 - our own
                assert "geheim" not in answer.read().decode()
        finally:
            serving.terminate()


def test_the_shell_opens_a_lake_as_the_page_says(lake: Bare, tmp_path: Path) -> None:
    """The statements of docs/ducklake.md work in the shell, apart from the installation of extensions."""
    assert lake.run("ingest", REALDATA).returncode == 3
    services = tmp_path / "services"
    services.write_text("[runs]\n" + lake.location.catalog.replace(" ", "\n") + "\n")
    [lines] = re.findall(r"```sql\n(install ducklake;.+?)```", PAGE, re.DOTALL)
    kept = [line for line in lines.splitlines() if not line.startswith(("install", "create secret"))]
    program = f"""
import duckdb, json
from runmart.ingest.warehouse import ducklake
connection = duckdb.connect()
for name in ("postgres_scanner", "ducklake"):
    ducklake.load_extension(connection, name)
print(json.dumps(connection.execute({chr(10).join(kept)!r}).fetchall(), default=str))"""
    environment = {"PGSERVICEFILE": str(services), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert "gpt-4o" in {row[0] for row in json.loads(done.stdout)}


def test_the_lake_shows_what_it_was(lake: Bare) -> None:
    """Time travel with `at (timestamp => …)` returns the rows of an earlier time."""
    assert lake.run("ingest", REALDATA).returncode == 3
    connection = ducklake.attach(lake.location, read_only=True, is_pinned=False)
    assert connection is not None
    with pytest.raises(duckdb.Error, match="No snapshot found"):
        connection.execute("select count(*) from runs at (timestamp => now() - interval 1 day)")
    assert connection.execute("select count(*) from runs at (timestamp => now())").fetchall() == [(105,)]
    connection.close()
