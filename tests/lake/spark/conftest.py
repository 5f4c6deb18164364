"""Fixtures: a Spark cluster of two workers."""

import os
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from tests.support.spark_cluster import ENVIRONMENT, MASTER, settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ZONE = "America/St_Johns"
"""Of the session; half an hour off, that nobody confuses it with UTC."""


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Generator["SparkSession"]:
    """A session of a cluster for all tests: a master and two workers in processes of their own."""
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {**ENVIRONMENT, "SPARK_WORKER_DIR": str(folder / "work")}.items():
            patched.setitem(os.environ, name, value)
        builder = SparkSession.builder.master(MASTER).config("spark.sql.session.timeZone", ZONE)
        for name, value in settings(folder).items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        yield session
        session.stop()
