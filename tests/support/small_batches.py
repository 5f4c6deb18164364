"""A load in a process of its own, slowed down so that tests can interrupt it, and its child processes."""

import subprocess
from pathlib import Path

MANY_RUNS = 24_000
"""More than two of the batches of `SMALL_BATCHES`."""

SMALL_BATCHES = """
import time
import runmart.ingest.load.loader as load, runmart.ingest.pipeline as pipeline, runmart.ingest.workers.pool as workers
from runmart.cli.app import main
load.BATCH_OBSERVATIONS, pipeline.GROUP_BYTES, workers.START_BYTES = 5000, 500_000, 0
add = pipeline.Load.add
def slowly(self, *arguments):
    time.sleep(0.03)  # else it is over before anybody can disturb it
    add(self, *arguments)
pipeline.Load.add = slowly
main()
"""
"""The command, with batches small enough that there are some; workers start at once."""


def children(pid: int) -> list[int]:
    """The child processes of a process."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split() if Path(f"/proc/{line}/cmdline").read_bytes()]
