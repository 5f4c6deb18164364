"""Workers: processes that read and convert beside this one, which loads.

They are started when there is enough to do, and work is given to them when they are ready; until then, and while
all of them have enough, this process does tasks itself. So a small load costs nothing more, and no core waits.
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

if TYPE_CHECKING:  # what takes long to import is imported while the workers start
    from runmart.ingest.workers.tasks import Done, Task, TaskRunner

START_BYTES = 8 << 20
"""With less to convert, workers would be ready too late."""

_QUEUED = 24
_QUEUED_BYTES = 64 << 20
"""Tasks that wait for the workers, and what they hold: enough for the time that this process takes to merge a batch."""

_GONE = (OSError, EOFError, ValueError, pickle.UnpicklingError)
"""What reading from or writing to a process that has ended raises; it may end in the middle of an answer."""

_PROGRAM = "import sys; sys.path[:] = {path!r}; from runmart.ingest.workers.process import main; main()"


def default_count() -> int:
    """One for each core but the one that reads and loads; few, since that one is soon busy."""
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 4) - 1


class Workers:
    """Does tasks, here or in up to `count` other processes."""

    def __init__(self, count: int | None = None) -> None:
        count = default_count() if count is None else count
        self._count = count if sys.executable else 0
        self._bytes = 0
        self._tasks: queue.Queue[tuple[Task, Future[Done]] | None] = queue.Queue(_QUEUED)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._threads: list[threading.Thread] = []
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        """Workers are ended on leaving."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all workers."""
        self.close()

    @property
    def pids(self) -> list[int]:
        """The processes, once they were started."""
        return [process.pid for process in self._processes]

    def submit(self, task: "Task", size: int) -> "Future[Done]":
        """Do `task`, of about `size` bytes, now or soon; the future may hold a `WorkerError`."""
        future: Future[Done] = Future()
        self._bytes += size
        if self._bytes >= START_BYTES:
            self.start()
        if not self._ready.is_set():
            future.set_result(self._work.do(task))
            return future
        while (self._tasks.full() or self._held() >= _QUEUED_BYTES) and self.help():
            pass
        self._tasks.put((task, future))
        return future

    def help(self) -> bool:
        """Do the task that has waited longest here; whether there was one."""
        for task, future in self._waiting():
            future.set_result(self._work.do(task))
            return True
        return False

    def _held(self) -> int:
        """The bytes of the blocks that wait; files wait on the disk."""
        with self._tasks.mutex:
            waiting = list(self._tasks.queue)
        return sum(
            len(part.data) for task, _ in filter(None, waiting) for part, _ in task.parts if not isinstance(part, str)
        )

    @cached_property
    def _work(self) -> "TaskRunner":
        from runmart.ingest.workers.tasks import TaskRunner

        return TaskRunner()

    def start(self) -> None:
        """Start the workers, unless they were started."""
        for _ in range(self._count - len(self._processes)):
            process = _process()
            self._processes.append(process)
            thread = threading.Thread(target=self._serve, args=(process,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, process: "subprocess.Popen[bytes]") -> None:
        """Hand tasks to one worker, until there is no worker or nothing more to do."""
        tasks, answers = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        try:
            pickle.load(answers)  # noqa: S301 - from our child, here and below
        except _GONE:
            return  # it did not start: this process does the work
        self._ready.set()
        while (taken := self._tasks.get()) is not None:
            task, future = taken
            try:
                pickle.dump(task, tasks, protocol=5)
                tasks.flush()
                answer: Done | Exception = pickle.load(answers)  # noqa: S301
            except _GONE:
                self._ready.clear()
                error = WorkerError(_epitaph(process))
                future.set_exception(error)
                for _, waiting in self._waiting():
                    waiting.set_exception(error)
                return
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    def _waiting(self) -> Iterator[tuple["Task", "Future[Done]"]]:
        """Take the tasks that wait out of the queue."""
        with suppress(queue.Empty):
            while (taken := self._tasks.get_nowait()) is not None:
                yield taken

    def close(self) -> None:
        """End all workers, whatever they do."""
        for process in self._processes:
            process.kill()
        for _ in self._waiting():
            pass
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        for process in self._processes:
            process.communicate()


def _process() -> "subprocess.Popen[bytes]":
    """A worker in a process group of its own: Ctrl-C is for us to hear, and we end it."""
    program = _PROGRAM.format(path=[entry for entry in sys.path if entry])
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-P", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
    )


def _epitaph(process: "subprocess.Popen[bytes]") -> str:
    code = process.wait()
    cause = f"was killed by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"ended with status {code}"
    return (
        f"a worker process {cause}; the batch at hand was not stored. Was there enough memory? Run the command again "
        "for the rest, or with --workers 0"
    )
