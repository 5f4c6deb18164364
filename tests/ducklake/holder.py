"""A load that writes a batch, and then holds the lock for as long as it lives: holder.py FILE WAREHOUSE DATA."""

import sys
import time

from runmart.cli import app
from runmart.ingest import pipeline
from runmart.ingest.load import loader
from runmart.ingest.warehouse.write_lock import DuckLakeWriter

loader.MERGE_OBSERVATIONS, pipeline.BLOCK_BYTES = 1, 1 << 10
_commit, _seen = DuckLakeWriter.commit, [0]


def commit(self: DuckLakeWriter) -> None:
    """Commit; the second time, wait instead."""
    _seen[0] += 1
    if _seen[0] > 1:
        print("holding", flush=True)  # noqa: T201 - to the test
        time.sleep(600)
    _commit(self)


DuckLakeWriter.commit = commit
file, warehouse, data = sys.argv[1:]
app.run(["ingest", file, "--warehouse", warehouse, "--data", data, "--workers", "0"])
