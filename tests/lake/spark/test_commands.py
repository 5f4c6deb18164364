"""`runmart lake load` with spark-submit, with a server of Spark Connect, and with files in S3."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from runmart.cli import submit as submitted
from runmart.lake.distributed.lake_storage import Storage
from runmart.lake.view_file import write_view_file
from runmart.queries import find
from tests.support import s3 as buckets
from tests.support.command import RUNMART, command
from tests.support.lake_equality import assert_equal
from tests.support.paths import ROOT
from tests.support.spark_cluster import ENVIRONMENT, MASTER, connect_server, home, options
from tests.support.view_differences import differences

pytestmark = pytest.mark.spark

CONNECTED = Path(__file__).with_name("connected.py")
VIEWS = ("run_facts", "runs_hourly", "costs_daily", "required_tool_calls", "metadata_usage", "load_history")
SOURCES = [ROOT / "cli" / "demo" / "pages", ROOT / "tests" / "data" / "realdata"]


@pytest.fixture(name="alone", scope="module")
def _alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of the same inputs, loaded by one process."""
    warehouse = tmp_path_factory.mktemp("alone") / "alone.duckdb"
    assert command("ingest", *SOURCES, "-w", warehouse).returncode == 3
    return warehouse


def execute(*words: str | Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command that uses Spark."""
    variables = {**os.environ, **ENVIRONMENT, **environment}
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=300, env=variables)


def submit(
    folder: Path, *words: str | Path, master: str = MASTER, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `spark-submit` with executors in the same environment."""
    given = options(folder, {f"spark.executorEnv.{name}": value for name, value in environment.items()}, master)
    variables = {"SPARK_WORKER_DIR": str(folder / "work"), **environment}
    return execute(home() / "bin" / "spark-submit", *given, submitted.__file__, *words, environment=variables)


def test_spark_submit_loads_what_one_machine_does(alone: Path, tmp_path: Path) -> None:
    """spark-submit loads the same rows, with the command's exit codes and summary."""
    lake = tmp_path / "lake"
    done = submit(tmp_path, lake, *SOURCES, "--shards", "2", "--json")
    assert done.returncode == 3, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["load"]["new_runs"], summary["load"]["state"]) == (105, "done with rejects")
    assert_equal(lake, alone)
    refused = submit(tmp_path, lake, tmp_path / "missing", master="local[1]")
    said = refused.stdout + refused.stderr  # Spark puts both into one
    assert (refused.returncode, "no such file or folder" in said) == (1, True), said
    assert "Traceback" not in said


def test_a_server_of_spark_connect_loads_and_has_the_views(alone: Path, tmp_path: Path) -> None:
    """Load and views work over Spark Connect, with a client without Java and without other output."""
    lake, view_file, given = tmp_path / "lake", tmp_path / "view_file.duckdb", tmp_path / "views"
    given.mkdir()
    with connect_server(tmp_path) as address:
        remote = {"SPARK_REMOTE": address, "JAVA_HOME": "/nowhere"}
        done = execute(RUNMART, "lake", "load", lake, *SOURCES, "--shards", "2", environment=remote)
        assert done.returncode == 3, done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
        connected = execute(sys.executable, CONNECTED, lake, given, *VIEWS, environment=remote)
        assert connected.returncode == 0, connected.stderr
    assert_equal(lake, alone)
    write_view_file(str(lake), view_file)
    ipc: Any = pa.ipc
    with duckdb.connect(view_file, read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        for name in VIEWS:
            expected = connection.sql(f"from {name}").to_arrow_table()
            assert differences(find(name), ipc.open_file(given / f"{name}.arrow").read_all(), expected) == []


def test_lakes_and_inputs_are_in_object_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lake in S3 loaded in batches from S3 holds, copied to a disk, the same rows as a warehouse."""
    at, copied = ["--observed-at", "2026-01-01"], tmp_path / "lake"
    with buckets.serving() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        bucket = Storage(f"s3://{buckets.BUCKET}")
        for number, path in enumerate(path for source in SOURCES for path in source.rglob("*") if path.is_file()):
            bucket.put(path, f"inputs/{number % 2}/{number}")
        inputs = [f"s3://{buckets.BUCKET}/inputs/{number}" for number in range(2)]
        lake = f"s3://{buckets.BUCKET}/lake"
        words = ["--shards", "2", "--json", *at]
        done = [submit(tmp_path, lake, some, *words, **environment) for some in inputs]
        done.append(submit(tmp_path, lake, inputs[0], *words, master="local[1]", **environment))
        assert {one.returncode for one in done} <= {0, 3}, [one.stderr for one in done]
        assert json.loads(done[-1].stdout)["files_written"] == 0  # nothing has changed
        for name in bucket.names("lake"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(bucket.read(name) or b"")
        assert command("ingest", *inputs, *at, "-w", tmp_path / "once.duckdb").returncode == 3
    assert_equal(copied, tmp_path / "once.duckdb")
