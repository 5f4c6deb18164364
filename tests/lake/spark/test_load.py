"""Batches on a Spark cluster give the same rows as a load by one process."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from runmart.ingest.errors import SourceError
from runmart.ingest.pipeline import ingest
from runmart.ingest.warehouse.connection import open_for_reading, open_for_writing
from runmart.lake.distributed.commit import Outcome
from runmart.lake.distributed.split import UNSPLIT_BYTES
from runmart.lake.parquet.manifest import read_manifest
from runmart.lake.view_file import write_view_file
from runmart.queries import find, install
from tests.support.lake_equality import assert_equal
from tests.support.paths import ROOT
from tests.support.view_differences import differences

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

PAGED_RUNS, LARGE_RUNS = 20_000, 10_000  # the large file is above UNSPLIT_BYTES: it is read in splits
TASKS, SHARDS = 12, 3


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """All recorded payloads, a thousand generated pages, and one large file."""
    folder = tmp_path_factory.mktemp("pages")
    generate = [sys.executable, ROOT / "benchmarks" / "generate.py"]
    subprocess.run([*generate, folder / "generated", str(PAGED_RUNS), "--page", "20"], check=True)
    large = folder / "large.jsonl"
    subprocess.run(
        [*generate, large, str(LARGE_RUNS), "--seed", "7", "--first", str(PAGED_RUNS), "--lines"], check=True
    )
    assert large.stat().st_size > UNSPLIT_BYTES
    return [ROOT / "tests" / "data" / "realdata", ROOT / "cli" / "demo" / "pages", folder / "generated", large]


@pytest.fixture(scope="session")
def alone(pages: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of the same inputs, loaded by one process."""
    warehouse = tmp_path_factory.mktemp("alone") / "alone.duckdb"
    with open_for_writing(warehouse, 0) as writer:
        install(writer)
        ingest(writer, [str(path) for path in pages], source="default")
    return warehouse


OF_ALL_TABLES = ("run_facts", "run_costs", "tool_usage", "error_summary", "turns", "load_history", "reject_summary")
"""Views that together are made of all tables of a lake."""


@pytest.fixture(name="lake", scope="module")
def _lake(spark: "SparkSession", pages: list[Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A lake loaded by a cluster, and the outcome of its batch."""
    from runmart.lake.spark.load import load

    lake = tmp_path_factory.mktemp("cluster") / "lake"
    return lake, load(spark, str(lake), [str(path) for path in pages], shards=SHARDS)


def test_a_cluster_loads_what_one_machine_does(lake: tuple[Path, Outcome], alone: Path) -> None:
    """All tables, inputs and rejects equal those of a warehouse."""
    assert_equal(lake[0], alone)


def test_the_same_batch_again_changes_nothing(
    spark: "SparkSession", pages: list[Path], lake: tuple[Path, Outcome]
) -> None:
    """Known inputs are skipped; with `reload` they are read, and no file is written."""
    from runmart.lake.spark.load import load

    folder, done = lake
    files = sorted(folder.rglob("*.parquet"))
    again = load(spark, str(folder), [str(path) for path in pages])
    assert (again.load["inputs"], again.load["inputs_unchanged"]) == (0, done.load["inputs"])
    reloaded = load(spark, str(folder), [str(path) for path in pages], reload=True)
    assert reloaded.load["observations"] == done.load["observations"]
    assert reloaded.files_written == 0
    assert sorted(folder.rglob("*.parquet")) == files


@pytest.fixture(name="engines", scope="module")
def _engines(
    spark: "SparkSession", lake: tuple[Path, Outcome]
) -> Generator[tuple["SparkSession", duckdb.DuckDBPyConnection]]:
    """Spark with the views of the lake, and DuckDB with a view file of it."""
    from runmart.lake.spark.views import register

    session, view_file = spark.newSession(), lake[0].with_suffix(".duckdb")
    register(session, lake[0])
    write_view_file(str(lake[0]), view_file)
    with open_for_reading(view_file, 0) as connection:
        yield session, connection


@pytest.mark.parametrize("name", OF_ALL_TABLES)
def test_a_view_over_a_lake_gives_the_same_in_both_engines(
    name: str, engines: tuple["SparkSession", duckdb.DuckDBPyConnection]
) -> None:
    """Views over the lake return the same rows in Spark and in DuckDB; test_views has all of them, over an export."""
    spark, duck = engines
    expected = duck.sql(f"from {name}").to_arrow_table()
    assert differences(find(name), spark.table(name).toArrow(), expected) == []


def test_two_batches_end_as_one(spark: "SparkSession", pages: list[Path], alone: Path, tmp_path: Path) -> None:
    """Runs with observations in two batches are stored at the latest one."""
    from runmart.lake.spark.load import load

    lake = tmp_path / "lake"
    for some in (pages[2:], pages[:2]):
        load(spark, str(lake), [str(path) for path in some], shards=2)
    assert_equal(lake, alone)


def executors() -> Iterator[int]:
    """The executor processes of a cluster."""
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if b"CoarseGrainedExecutorBackend" in (process / "cmdline").read_bytes():
                    yield int(process.name)
            except OSError:
                continue


@pytest.mark.parametrize("tasks", [TASKS, SHARDS])
def test_an_executor_that_is_killed_is_made_good(
    tasks: int, spark: "SparkSession", pages: list[Path], alone: Path, tmp_path: Path
) -> None:
    """If an executor is killed while inputs are read or shards written, no row is lost or duplicated."""
    from runmart.lake.spark.load import load

    lake, killed = tmp_path / "lake", list[int]()

    def kill() -> None:
        session: Any = spark
        tracker = session.sparkContext.statusTracker()
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not killed:
            for stage in tracker.getActiveStageIds():
                info = tracker.getStageInfo(stage)
                if info and info.numTasks == tasks and info.numActiveTasks > 0:
                    victim = min(executors())
                    os.kill(victim, signal.SIGKILL)
                    killed.append(victim)
                    return
            time.sleep(0.002)

    watcher = threading.Thread(target=kill)
    watcher.start()
    load(spark, str(lake), [str(path) for path in pages], shards=SHARDS, tasks=TASKS)
    watcher.join()
    assert killed
    assert_equal(lake, alone)
    manifest = read_manifest(lake)
    assert manifest is not None
    assert manifest.lake is not None
    named = {file.path for _, file in manifest.files()}
    named |= {file.path for table in manifest.lake.bookkeeping.values() for file in table.values()}
    assert {str(path.relative_to(lake)) for path in lake.rglob("*.parquet")} == named


def test_a_source_that_is_not_there_is_a_sentence(spark: "SparkSession", tmp_path: Path) -> None:
    """A missing source ends in a sentence, and no lake is created."""
    from runmart.lake.spark.load import load

    with pytest.raises(SourceError, match="no such file or folder"):
        load(spark, str(tmp_path / "lake"), [str(tmp_path / "missing")])
    assert not (tmp_path / "lake").exists()
