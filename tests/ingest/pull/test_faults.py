"""Faults of the test server, alone and in pairs, with and without a deadline: a pull is complete, or says it is not."""

import random
from itertools import combinations
from pathlib import Path

import pytest

from tests.support.faults import FAULTS, assert_heals, misbehave, pull_once
from tests.support.pull import TestServer
from tests.support.warehouse import empty

pytestmark = pytest.mark.slow

THREADS, RUNS = 4, 60
DEADLINES = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds: the end of some pulls, and the middle of others, however busy the machine is."""

SHARES = 5
"""All pairs take minutes: each day has its share of them, and each pair has its day."""


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_alone(server: TestServer, warehouse: Path, daily_seed: int, name: str) -> None:
    """A first pull, one after new runs, and one when the fault has passed; the first or the second has a deadline."""
    choice = random.Random(f"{daily_seed} {name}")
    server.steer("world", threads=THREADS, runs=RUNS, seed=daily_seed, settings=FAULTS[name])
    deadlines = [None, choice.choice(DEADLINES)]
    choice.shuffle(deadlines)
    for deadline in deadlines:
        misbehave(server, choice.randrange(1000), name)
        pull_once(server, warehouse, deadline_seconds=deadline).check()
        server.steer("advance", steps=20)
    assert_heals(server, warehouse)


@pytest.mark.parametrize("name", list(FAULTS)[:-1])
def test_pairs_of_faults(server: TestServer, tmp_path: Path, daily_seed: int, name: str) -> None:
    """One pair after the other, with new runs between and a deadline at times; in the end all have passed."""
    pairs = [pair for place, pair in enumerate(combinations(FAULTS, 2)) if (place + daily_seed) % SHARES == 0]
    choice = random.Random(f"{daily_seed} {name}")
    choice.shuffle(pairs)
    warehouse = empty(tmp_path / "pairs.duckdb")
    server.steer("world", threads=THREADS, runs=RUNS, seed=daily_seed, settings=FAULTS[name])
    for pair in pairs:
        if pair[0] != name:
            continue
        seed, deadline = choice.randrange(1000), choice.choice((None, choice.choice(DEADLINES)))
        misbehave(server, seed, *pair)
        found = pull_once(server, warehouse, deadline_seconds=deadline)
        try:
            found.check()
        except AssertionError as error:
            error.add_note(f"{pair}, seed {seed}, deadline {deadline}")
            raise
        server.steer("advance", steps=10)
    assert_heals(server, warehouse)
