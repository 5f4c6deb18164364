"""A worker process: takes tasks from its standard input, gives back what came of them, until nobody asks any more."""

import os
import pickle
import sys
from contextlib import suppress

from runmart.ingest.workers.tasks import TaskRunner

READY = "ready"


def main() -> None:
    """Serve one parent. Its end, however it came, ends the worker."""
    tasks = os.fdopen(os.dup(0), "rb", buffering=1 << 16)
    answers = os.fdopen(os.dup(1), "wb", buffering=1 << 16)
    os.dup2(2, 1)  # whatever prints must not print into an answer
    work = TaskRunner()
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        answer: object = READY
        while True:
            pickle.dump(answer, answers, protocol=5)
            answers.flush()
            task = pickle.load(tasks)  # noqa: S301 - from our parent
            try:
                answer = work.do(task)
            except Exception as error:  # noqa: BLE001 - to be raised there
                answer = error
    os._exit(0)  # nothing to clean up, and no time to lose


if __name__ == "__main__":
    sys.exit(main())
