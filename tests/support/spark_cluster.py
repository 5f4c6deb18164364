"""A Spark cluster of separate processes, which share only the disk and the loopback interface."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

MASTER = "local-cluster[2,1,1024]"
"""A master, and two workers with a process each."""

ENVIRONMENT = {
    "PYSPARK_PYTHON": sys.executable,
    "SPARK_LOCAL_HOSTNAME": "127.0.0.1",
    "SPARK_LOCAL_IP": "127.0.0.1",
    # for processes that live for seconds: the quick compiler alone, and no threads to collect garbage
    "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}


def home() -> Path:
    """The folder of Spark."""
    import pyspark

    return Path(pyspark.__file__).parent


def settings(folder: Path) -> dict[str, str]:
    """Settings that keep the files of a cluster within a folder, and its processes small."""
    return {
        "spark.local.dir": str(folder / "local"),
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.ui.enabled": "false",
    }


def options(folder: Path, more: Mapping[str, str], master: str = MASTER) -> list[str]:
    """These settings, and more, as options of spark-submit."""
    given = {**settings(folder), **more}
    return ["--master", master, *(word for one in given.items() for word in ("--conf", "=".join(one)))]


@contextmanager
def connect_server(folder: Path) -> Generator[str]:
    """A server of Spark Connect; returns its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = home() / "sbin" / "start-connect-server.sh"
    address = {"spark.connect.grpc.binding.address": "127.0.0.1", "spark.connect.grpc.binding.port": str(port)}
    environment = {**os.environ, **ENVIRONMENT, "SPARK_WORKER_DIR": str(folder / "work")}
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            ["bash", script, "--wait", *options(folder, address)],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 120
        while not _answers(port):
            assert server.poll() is None, (folder / "server.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield f"sc://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
