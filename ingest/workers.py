"""Workers: processes that convert blocks beside this one, which reads and loads.

They are started when there is enough to do, and work is given to them when they are ready; until then, and whenever
all of them have enough, this process converts a block itself. So a small load costs nothing more, and no core waits.
"""

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import cached_property
from typing import IO, TYPE_CHECKING, Self, TypeAlias, cast

from runmart.ingest.errors import WorkerError

if TYPE_CHECKING:  # what takes long to import is imported while the workers start
    from runmart.ingest.blocks import Block
    from runmart.ingest.convert import Converted, Converter
    from runmart.models.observations import Origin

Task: TypeAlias = "Sequence[tuple[Block, Origin]]"

START_BYTES = 8 << 20
"""With less to convert, workers would be ready too late."""

_QUEUED = 8
"""Tasks that wait for the workers: enough for the time that this process spends on merging a batch."""

_GONE = (OSError, EOFError, ValueError, pickle.UnpicklingError)
"""What reading from or writing to a process that has ended raises; it may end in the middle of an answer."""

_PROGRAM = "import sys; sys.path[:] = {path!r}; from runmart.ingest.worker import main; main()"


def default_count() -> int:
    """One for each core but the one that reads and loads; few, since that one is soon busy."""
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 4) - 1


class Workers:
    """Converts tasks, here or in up to `count` other processes."""

    def __init__(self, count: int | None = None) -> None:
        count = default_count() if count is None else count
        self._count = count if sys.executable else 0
        self._bytes = 0
        self._tasks: queue.Queue[tuple[Task, Future[Converted]] | None] = queue.Queue(_QUEUED + count)
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

    def submit(self, task: Task) -> "Future[Converted]":
        """Convert `task`, now or soon; the future may hold a `WorkerError`."""
        future: Future[Converted] = Future()
        self._bytes += sum(len(block.data) for block, _ in task)
        if self._bytes >= START_BYTES:
            self.start()
        if self._ready.is_set():
            try:
                self._tasks.put_nowait((task, future))
            except queue.Full:
                pass
            else:
                return future
        future.set_result(self._converter.convert(task))
        return future

    @cached_property
    def _converter(self) -> "Converter":
        from runmart.ingest.convert import Converter

        return Converter()

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
                answer: Converted | Exception = pickle.load(answers)  # noqa: S301
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

    def _waiting(self) -> Iterator[tuple[Task, "Future[Converted]"]]:
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
