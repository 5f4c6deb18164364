"""A pool of worker processes, which read and convert inputs while this process loads.

Workers start when there is enough to convert, and get tasks once they are ready. Until then, and while the queue is
full, this process runs tasks itself, so that a small load starts no process and no core is idle.

Not `concurrent.futures.ProcessPoolExecutor`: for 200 pages (44 MB) and one worker it took 7 to 12 % more CPU time and 9
to 30 % more wall time, with `forkserver` and with `spawn`. Its processes import the caller's main module and look for
modules in the current folder, and it does not say by which signal a worker was killed.
"""

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import cached_property
from typing import IO, TYPE_CHECKING, Self, cast

from runmart.ingest.errors import WorkerError

if TYPE_CHECKING:  # these take long to import: they are imported while the workers start
    from runmart.ingest.workers.tasks import Done, Task, TaskRunner

START_BYTES = 8 << 20
"""Bytes to convert from which on workers are worth their start."""

_QUEUED = 24
_QUEUED_BYTES = 64 << 20
"""The most tasks in the queue, and bytes in them: enough for the time that this process takes to merge a batch."""

_PIPE_ERRORS = (OSError, EOFError, ValueError, pickle.UnpicklingError)
"""Raised by the pipes of a process that has ended, maybe in the middle of a result."""

_PROGRAM = "import sys; sys.path[:] = {path!r}; from runmart.ingest.workers.process import main; main()"


def default_count() -> int:
    """Workers by default: one for each core but this process's, at most 3, which keep it busy."""
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 4) - 1


class Workers:
    """Runs tasks in this process or in up to `count` workers; a context manager that ends the workers."""

    def __init__(self, count: int | None = None) -> None:
        """Start no worker yet; `count` is `default_count()` when None."""
        count = default_count() if count is None else count
        self._count = count if sys.executable else 0
        self._bytes = 0
        self._tasks: queue.Queue[tuple[Task, Future[Done]] | None] = queue.Queue(_QUEUED)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._threads: list[threading.Thread] = []
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        """The pool itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all workers."""
        self.close()

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers that were started."""
        return [process.pid for process in self._processes]

    def submit(self, task: "Task", size: int) -> "Future[Done]":
        """The future result of `task`, which holds about `size` bytes.

        It holds a `WorkerError` when the worker that ran the task has ended.
        """
        future: Future[Done] = Future()
        self._bytes += size
        if self._bytes >= START_BYTES:
            self.start()
        if not self._ready.is_set():
            future.set_result(self._runner.run(task))
            return future
        while (self._tasks.full() or self._queued_bytes() >= _QUEUED_BYTES) and self.run_oldest():
            pass
        self._tasks.put((task, future))
        return future

    def run_oldest(self) -> bool:
        """Run the oldest queued task in this process. Returns False if the queue is empty."""
        for task, future in self._take_queued():
            future.set_result(self._runner.run(task))
            return True
        return False

    def _queued_bytes(self) -> int:
        """The bytes of the queued blocks; files are read by whoever runs their task."""
        with self._tasks.mutex:
            queued = list(self._tasks.queue)
        return sum(
            len(part.data) for task, _ in filter(None, queued) for part, _ in task.parts if not isinstance(part, str)
        )

    @cached_property
    def _runner(self) -> "TaskRunner":
        from runmart.ingest.workers.tasks import TaskRunner

        return TaskRunner()

    def start(self) -> None:
        """Start the workers that are not started yet."""
        for _ in range(self._count - len(self._processes)):
            process = _start_process()
            self._processes.append(process)
            thread = threading.Thread(target=self._serve, args=(process,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, process: "subprocess.Popen[bytes]") -> None:
        """Pass queued tasks to one worker, in a thread, until the worker ends or the pool is closed."""
        tasks, results = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        try:
            pickle.load(results)  # noqa: S301 - from our child, here and below
        except _PIPE_ERRORS:
            return  # it did not start: this process runs the tasks
        self._ready.set()
        while (taken := self._tasks.get()) is not None:
            task, future = taken
            try:
                pickle.dump(task, tasks, protocol=5)
                tasks.flush()
                result: Done | Exception = pickle.load(results)  # noqa: S301
            except _PIPE_ERRORS:
                self._ready.clear()
                error = WorkerError(_exit_reason(process))
                future.set_exception(error)
                for _, queued in self._take_queued():
                    queued.set_exception(error)
                return
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

    def _take_queued(self) -> Iterator[tuple["Task", "Future[Done]"]]:
        """Take tasks out of the queue, the oldest first, until it is empty."""
        with suppress(queue.Empty):
            while (taken := self._tasks.get_nowait()) is not None:
                yield taken

    def close(self) -> None:
        """Kill all workers and drop the queued tasks."""
        for process in self._processes:
            process.kill()
        for _ in self._take_queued():
            pass
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        for process in self._processes:
            process.communicate()


def _start_process() -> "subprocess.Popen[bytes]":
    """A worker, in a process group of its own, since Ctrl-C is for the parent only, which ends the workers."""
    program = _PROGRAM.format(path=[entry for entry in sys.path if entry])
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-P", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
    )


def _exit_reason(process: "subprocess.Popen[bytes]") -> str:
    """Why a worker has ended, and what to do, as a sentence."""
    code = process.wait()
    cause = f"was killed by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"ended with status {code}"
    return (
        f"a worker process {cause}; the batch at hand was not stored. Was there enough memory? Run the command again "
        "for the rest, or with --workers 0"
    )
