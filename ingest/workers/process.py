"""The program of a worker: runs pickled tasks from standard input, writes pickled results to standard output."""

import os
import pickle
import sys
from contextlib import suppress

from runmart.models import arrow

READY = "ready"


def main() -> None:
    """Serve one parent process; exit when it closes the pipe, as its end does."""
    tasks = os.fdopen(os.dup(0), "rb", buffering=1 << 16)
    results = os.fdopen(os.dup(1), "wb", buffering=1 << 16)
    os.dup2(2, 1)  # so that nothing prints into the results
    arrow.leave_pandas_out()
    from runmart.ingest.workers.tasks import TaskRunner  # makes columns as it is imported

    runner = TaskRunner()
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        result: object = READY
        while True:
            pickle.dump(result, results, protocol=5)
            results.flush()
            task = pickle.load(tasks)  # noqa: S301 - from our parent
            try:
                result = runner.run(task)
            except Exception as error:  # noqa: BLE001 - raised again by the parent
                result = error
    os._exit(0)  # nothing needs cleaning up, and this is quicker


if __name__ == "__main__":
    sys.exit(main())
