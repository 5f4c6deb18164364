"""Counts the requests of pulls of many threads, and measures their time and memory, beside an earlier state of runmart.

The earlier state is a checkout, as `git worktree add ../before COMMIT` makes it; this Python runs both. They pull from
one server and world, in turn, so that the ratios hold on a shared machine.
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import duckdb
from measure import Timing, machine, table, timed
from results import save

sys.path.append(str(Path(__file__).parents[1]))

from tests.support.pull import TestServer
from tests.support.server import KEY
from tests.support.world import World

ROOT = Path(__file__).parents[1]
BUSY_SHARE = 0.025
"""Of all runs, those of one thread beside its own."""

CHANGED_SHARE = 0.01
SLICES = 4
"""Pulls with a deadline that together have the time of one without."""

MOST_SLICES = 8
LATER_SECONDS = 900
YOUNG_THREADS = 50
"""So few that the list of threads is one page, and the server never says that more follow."""

FIRST, AGAIN = "first pull", "nothing new since"
CHANGED, AFTER, LATER = "1 to 3 new runs in 1 % of the threads", "nothing new, at once", "nothing new, 15 minutes later"


class Server(NamedTuple):
    """The test server."""

    control: TestServer
    pid: int

    def cpu_seconds(self) -> float:
        """CPU time that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


class State(NamedTuple):
    """A state of runmart, and the warehouse that it fills."""

    name: str
    checkout: Path
    warehouse: Path


class Pull(NamedTuple):
    """One pull."""

    timing: Timing
    server_seconds: float
    """CPU time of the server meanwhile."""
    asked: Counter[str]
    """Requests for each thread."""
    list_requests: int
    new_runs: int
    known_runs: int
    """Runs that were stored again, though nothing in them had changed."""
    idle: int
    """Threads that were not asked, since they are idle."""


@contextmanager
def served() -> Generator[Server]:
    """The test server, in a process of its own."""
    command = [sys.executable, "-m", "tests.support.server"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        control = TestServer(int(process.stdout.readline()))
        yield Server(control, process.pid)
        control.close()
        process.terminate()


def few_young(server: Server) -> int:
    """Make a world of few threads, each with some runs of the last minutes; the number of its threads."""
    server.control.steer("world", threads=YOUNG_THREADS)
    for thread in range(YOUNG_THREADS):
        _add(server, f"thread_{thread:06}", (240, 180, 120))
    return YOUNG_THREADS


def many(server: Server, threads: int, runs: int) -> int:
    """Make a world whose runs have all ended, and whose newest was created just now; the number of its threads."""
    busy = round(threads * BUSY_SHARE)
    alike = World(threads, runs, busy=busy)
    hours = (alike.now - alike.started) / 3600
    server.control.steer("world", threads=threads, runs=runs, busy=busy, hours=hours)
    for _ in range(math.ceil(math.log2(runs)) + 1):  # each ends half of those that are open
        server.control.steer("finish")
    return threads


def _add(server: Server, thread: str, ages: Sequence[int]) -> None:
    """Add runs to a thread, so many seconds old, that have ended."""
    for seconds in ages:
        created = int(time.time()) - seconds
        end = {"started_at": created, "completed_at": created + 1, "expires_at": created + 600}
        server.control.steer("run", thread_id=thread, status="completed", created_at=created, **end)


def change(server: Server, threads: int, seed: int) -> Counter[str]:
    """Add runs to some threads; how many to each."""
    chosen = random.Random(seed)
    some = chosen.sample(range(threads), max(round(threads * CHANGED_SHARE), 1))
    added = Counter({f"thread_{number:06}": chosen.randint(1, 3) for number in some})
    for thread, count in added.items():
        _add(server, thread, range(5 * count, 0, -5))
    return added


def pull(server: Server, state: State, *more: str) -> Pull:
    """One `runmart pull`, measured."""
    server.control.steer("log")
    given = ["--base-url", f"{server.control.url}/foundry", "--profile", "azure-foundry", "--api-key-env", "KEY"]
    environment = {"KEY": KEY, "PYTHONPATH": str(state.checkout)}
    before = server.cpu_seconds()
    with tempfile.TemporaryFile() as output:
        timing = timed(
            [sys.executable, "-P", "-m", "runmart", "pull", *given, "--json", "--warehouse", state.warehouse, *more],
            environment=environment,
            output=output,
            accepted=(0, 3) if more else (0,),
        )
        output.seek(0)
        [done] = json.load(output)["pulls"]
    server_seconds = server.cpu_seconds() - before
    print(f"{state.warehouse.stem} {' '.join(more)}: {timing.wall_seconds:.1f} s", file=sys.stderr)
    paths = [path.split("/") for path in server.control.steer("log")["paths"]]
    asked = Counter(path[3] for path in paths if len(path) > 3)
    listed = sum(len(path) == 3 for path in paths)
    return Pull(timing, server_seconds, asked, listed, done["new_runs"], done["unchanged"], done["threads_quiet"])


def age(warehouse: Path) -> None:
    """Let the last changes of all threads lie further back."""
    with duckdb.connect(warehouse) as connection:
        past = ", ".join(f"{name} = {name} - to_seconds({LATER_SECONDS})" for name in ("changed_at", "checked_at"))
        connection.execute(f"update runmart.threads set {past}")


class Figures:
    """The pulls of all rounds, by situation and state."""

    def __init__(self) -> None:
        self.pulls: dict[tuple[str, str], list[tuple[Pull, Counter[str]]]] = {}

    def add(self, situation: str, state: str, done: Pull, added: Counter[str]) -> None:
        """Add a pull, and the runs that each thread had got before."""
        self.pulls.setdefault((situation, state), []).append((done, added))

    def requests(self) -> str:
        """Requests, as a table."""
        rows: list[list[str]] = []
        order = list(dict.fromkeys(situation for situation, _ in self.pulls))
        found_in_order = sorted(self.pulls.items(), key=lambda pair: (order.index(pair[0][0]), pair[0][1]))
        for (situation, state), found in found_in_order:
            rows.append([situation, state, *_requests(*found[-1])])
        columns = (
            "requests",
            "of these the list",
            "a quiet thread",
            "a thread with new runs",
            "a new run",
            "at most a thread",
            "known runs stored again",
        )
        return table(("pull", "runmart", *columns), rows)

    def times(self, states: Sequence[str]) -> str:
        """Times and memory, as a table: medians, and of ratios the median over the pairs of a round."""
        rows: list[list[str]] = []
        for situation in dict.fromkeys(situation for situation, _ in self.pulls):
            first = [done.timing for done, _ in self.pulls[situation, states[0]]]
            for state in states:
                pulls = [done for done, _ in self.pulls[situation, state]]
                timings = [done.timing for done in pulls]
                wall, cpu, memory = (median(values) for values in zip(*timings, strict=True))
                pairs = list(zip(timings, first, strict=True))
                ratios = [median(one[which] / other[which] for one, other in pairs) for which in range(3)]
                busy = median(done.server_seconds / done.timing.wall_seconds for done in pulls)
                requests = median(done.asked.total() + done.list_requests for done in pulls)
                runs = median(done.new_runs for done in pulls)
                cells = [f"{wall:.1f}", f"{requests / wall:,.0f}", f"{runs / wall:,.0f}", f"{cpu:.1f}", f"{busy:.0%}"]
                rows.append([situation, state, *cells, f"{memory:,.0f}", *(f"{one:.2f}" for one in ratios)])
        columns = ("wall s", "requests/s", "runs/s", "CPU s", "server's CPU / wall", "peak MB")
        return table(("pull", "runmart", *columns, *(f"{name} / first" for name in ("wall", "CPU", "MB"))), rows)


def _requests(done: Pull, added: Counter[str]) -> list[str]:
    quiet = [count for thread, count in done.asked.items() if thread not in added]
    changed = sum(count for thread, count in done.asked.items() if thread in added)
    every = done.asked.total()
    is_first = done.new_runs > 0 and not added
    each = f"{sum(quiet) / len(quiet):.4f}" if quiet else ""
    new_runs = done.new_runs if is_first else added.total()
    return [
        f"{every + done.list_requests:,}",
        f"{done.list_requests:,}",
        "" if is_first else each,
        each if is_first else f"{changed / len(added):.3f}" if added else "",
        f"{(every if is_first else changed) / new_runs:.3f}" if new_runs else "",
        f"{max(done.asked.values(), default=0)}",
        f"{done.known_runs:,}",
    ]


def in_slices(server: Server, state: State, threads: int, deadline: int) -> list[str]:
    """Pulls with a deadline until each thread that is due was asked: a row of the table."""
    found: list[Pull] = []
    asked: Counter[str] = Counter()
    while len(found) < MOST_SLICES and (not found or len(asked) < threads - found[0].idle):
        found.append(pull(server, state, "--deadline", f"{deadline}s"))
        asked += found[-1].asked
    count = f"{len(found)}" if len(asked) >= threads - found[0].idle else f"not in {len(found)}"
    new_runs = sum(one.new_runs for one in found)
    each = f"{asked.total() / len(asked):.3f}"
    return [state.name, f"{deadline}", count, f"{len(asked):,}", each, f"{new_runs:,}"]


def measured(server: Server, states: Sequence[State], into: Figures, *, threads: int, seed: int) -> None:
    """One round in a new world: each situation, in each state of runmart."""
    nothing = Counter[str]()
    for situation in (FIRST, AGAIN, CHANGED, AFTER, LATER):
        added = change(server, threads, seed) if situation == CHANGED else nothing
        for state in states if seed % 2 else reversed(states):
            if situation == LATER:
                age(state.warehouse)
            done = pull(server, state)
            into.add(situation, state.name, done, added)


def _earlier(checkout: Path | None) -> str:
    """Which commit an earlier state is."""
    if checkout is None:
        return ""
    asked = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return f"before: {subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()}; "


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", type=Path, help="a checkout of an earlier state of runmart, to compare with")
    parser.add_argument("--save", action="store_true", help="put the tables into RESULTS.md")
    given = parser.parse_args()
    checkouts = {"before": given.before.resolve()} if given.before else {}
    checkouts["now"] = ROOT
    figures, young = Figures(), Figures()
    slices: list[list[str]] = []
    with served() as server, tempfile.TemporaryDirectory() as name:
        states = [State(one, at, Path(name) / f"young-{one}.duckdb") for one, at in checkouts.items()]
        measured(server, states, young, threads=few_young(server), seed=0)
        for number in range(given.rounds):
            states = [State(one, at, Path(name) / f"{number}-{one}.duckdb") for one, at in checkouts.items()]
            threads = many(server, given.threads, given.runs)
            measured(server, states, figures, threads=threads, seed=number)
        added = change(server, given.threads, given.rounds)
        quiet = median(done.timing.wall_seconds for done, _ in figures.pulls[AFTER, "now"])
        deadline = max(round(quiet / SLICES), 1)
        slices += [in_slices(server, state, given.threads, deadline) for state in states]
    columns = ("runmart", "deadline, s", "pulls", "threads asked", "requests a thread", "new runs found")
    text = "\n\n".join(
        [
            _earlier(given.before)
            + f"{given.threads:,} threads, {given.runs:,} runs, rounds: {given.rounds}; {machine()}",
            figures.requests(),
            figures.times(list(checkouts)),
            f"{YOUNG_THREADS} threads, each with 3 runs of the last minutes:",
            young.requests(),
            f"Pulls with a deadline, until each thread that is due was asked; {added.total()} runs are new:",
            table(columns, slices),
        ]
    )
    print(text)
    if given.save:
        save("polling", text)


if __name__ == "__main__":
    main()
