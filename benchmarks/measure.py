"""Runs a command and measures it from outside: wall and CPU time, and the peak memory of all of its processes."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import IO, NamedTuple

BIN = Path(sys.executable).parent
RUNMART = str(BIN / "runmart")
_SAMPLE_SECONDS = 0.1


class Timing(NamedTuple):
    """One run of a command."""

    wall_seconds: float
    cpu_seconds: float
    peak_megabytes: float
    """Of the process and its children at one moment: memory shared between them is counted once (PSS)."""


def timed(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    output: IO[bytes] | None = None,
    accepted: Collection[int] = (0,),
) -> Timing:
    """Run `command` to its end.

    Args:
        command: The program and its arguments.
        environment: Variables beside those of this process.
        output: Where its standard output goes; nowhere for None.
        accepted: The exit codes with which it may end.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=output or subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    peak = _Peak(process.pid)
    peak.start()
    error = process.stderr.read() if process.stderr else b""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    peak.stop()
    if process.returncode not in accepted:
        sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}: {error.decode(errors='replace')}")
    return Timing(wall, used.ru_utime + used.ru_stime, max(peak.megabytes, used.ru_maxrss / 1024 * (not peak.samples)))


def best_of(measure: Callable[[], Timing], times: int) -> Timing:
    """The medians of `times` runs."""
    found = [measure() for _ in range(times)]
    return Timing(*map(median, zip(*found, strict=True)))


class _Peak(threading.Thread):
    """Samples the memory of a process and its descendants."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._stopped = threading.Event()
        self.megabytes = 0.0
        self.samples = 0

    def run(self) -> None:
        """Until stopped."""
        while not self._stopped.wait(_SAMPLE_SECONDS):
            found = sum(map(_kibibytes, family(self._pid)))
            if found:
                self.samples += 1
                self.megabytes = max(self.megabytes, found / 1024)

    def stop(self) -> None:
        """Take no more samples."""
        self._stopped.set()
        self.join()


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").glob("*/children"):
                found += map(int, task.read_text().split())
        except OSError:
            continue  # it has ended
    return found


def _kibibytes(pid: int) -> int:
    """The proportional set size of a process; 0 when it has gone."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def machine() -> str:
    """The machine and the versions on which the numbers were measured."""
    import platform
    from importlib.metadata import version

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    names = ("duckdb", "msgspec", "pyarrow", "polars")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return (
        f"{_processor()}, {cores} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {versions}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "processor unknown"
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "processor unknown"
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])
