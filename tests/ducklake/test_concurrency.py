"""Concurrent writes to one lake give the same rows as one load into a file."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import RUNMART, command
from tests.support.ducklake import Bare, query, tables
from tests.support.paths import REALDATA
from tests.support.seaweedfs import BUCKET
from tests.support.warehouse import DOUBLES, ORPHANS, WRONG_TOOL_SUMS, page, run, write

pytestmark = pytest.mark.ducklake

LOADERS, LOADS_EACH, FILES, RUNS = 4, 2, 24, 300
STATUSES = ("queued", "in_progress", "completed", "failed")


def _inputs(folder: Path, seed: int) -> list[Path]:
    """Files with many observations of the same runs, all different."""
    chance = random.Random(seed)
    found: list[Path] = []
    for number in range(FILES):
        runs: list[Mapping[str, Any]] = []
        for name in chance.sample(range(RUNS), 60):
            status = chance.choice(STATUSES)
            tool = {"type": "function", "function": {"name": f"f{chance.randrange(3)}"}}
            counts = {"prompt_tokens": number, "completion_tokens": name, "total_tokens": number + name}
            runs.append(
                run(
                    f"run_{name}",
                    status,
                    created_at=1_700_000_000 + name,
                    model=f"model-{name % 3}",
                    started_at=1_700_000_100 + number,
                    completed_at=1_700_000_200 + chance.randrange(50) if status == "completed" else None,
                    last_error={"code": "server_error", "message": f"m{number}"} if status == "failed" else None,
                    tools=[tool] * chance.randrange(3),
                    usage=counts if chance.random() < 0.8 else None,
                )
            )
        found.append(write(folder / f"{number}.json", page(*runs), 1_700_000_000 + chance.randrange(1000)))
    return found


def _load(lake: Bare, files: list[Path], seed: int, environment: Mapping[str, str], failed: list[str]) -> None:
    """Some loads of one machine: most of the files, in random order; all machines together load all files."""
    chance, third = random.Random(seed), len(files) // 3
    shuffled = chance.sample(files, len(files))
    for number in range(LOADS_EACH):
        left_out = shuffled[number * third : (number + 1) * third]
        some = [str(path) for path in chance.sample(files, len(files)) if path not in left_out]
        more = [str(REALDATA)] if number == seed % LOADS_EACH else []
        words = [RUNMART, "ingest", *some, *more, "--reload", "--lock-timeout", "120", "--workers", "0", *lake.options]
        done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, **environment})
        if done.returncode not in {0, 3}:
            failed.append(done.stderr)


def _maintain(lake: Bare, environment: Mapping[str, str], end: threading.Event, outcomes: list[str]) -> None:
    while not end.is_set():
        words = [RUNMART, "lake", "maintain", "--keep", "1m", "--lock-timeout", "120", "--json", *lake.options]
        done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, **environment})
        outcomes.append(done.stdout if done.returncode == 0 else f"failed: {done.stderr}")
        end.wait(0.5)


@pytest.mark.parametrize("where", ["folder", "s3"])
def test_loads_at_the_same_time_give_what_one_load_gives(
    where: str, bare: Bare, tmp_path: Path, daily_seed: int, request: pytest.FixtureRequest
) -> None:
    """Four loaders of overlapping inputs, two readers and maintenance: no row is duplicated, lost or stale."""
    lake, environment = bare, dict[str, str]()
    if where == "s3":
        environment = request.getfixturevalue("s3")
        lake = Bare(bare.postgres, bare.database, f"s3://{BUCKET}/{bare.database}")
    (tmp_path / "pages").mkdir()
    files, file = _inputs(tmp_path / "pages", daily_seed), tmp_path / "one.duckdb"
    assert command("ingest", *files, REALDATA, "-w", file).returncode == 3
    end, maintained, failed = threading.Event(), list[str](), list[str]()
    readers = [_reader(lake, tmp_path / "end", environment) for _ in range(2)]
    try:
        seeds = range(daily_seed, daily_seed + LOADERS)
        loaders = [_thread(_load, lake, files, seed, environment, failed) for seed in seeds]
        while not query_or_none(lake, environment):
            assert any(loader.is_alive() for loader in loaders), failed
            time.sleep(0.2)
        maintainer = _thread(_maintain, lake, environment, end, maintained)
        for loader in loaders:
            loader.join()
        end.set()
        maintainer.join()
    finally:
        (tmp_path / "end").touch()
    answers = [json.loads(reader.communicate(timeout=60)[0]) for reader in readers]

    assert failed == []
    assert [one for one in maintained if one.startswith("failed")] == []
    assert sum(json.loads(one)["merged"] for one in maintained) > 0
    assert [answer["wrong"] for answer in answers] == [[], []]
    assert all(answer["reads"] >= 3 for answer in answers)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        for text in (DOUBLES, ORPHANS, WRONG_TOOL_SUMS):
            assert query(lake.location, text) == []
        assert tables(lake.location) == tables(file)
        books = "select address, size, content_hash, observations, rejected from runmart.inputs order by all"
        assert query(lake.location, books) == query(file, books)
        rejects = "select input, position, reason, raw from runmart.rejects order by all"
        assert query(lake.location, rejects) == query(file, rejects)
        loads = (
            "select count(*), count(distinct load_id), count(*) filter (where state like 'done%') from runmart.loads"
        )
        assert query(lake.location, loads) == [(LOADERS * LOADS_EACH,) * 3]
        new = "select sum(new_runs) = (select count(*) from runs) from runmart.loads"
        assert query(lake.location, new) == [(True,)]
        lake.assert_sound()


def _reader(lake: Bare, end: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    words = [sys.executable, Path(__file__).with_name("reader.py"), lake.location.address, end]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})


def _thread(target: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments)
    thread.start()
    return thread


def query_or_none(lake: Bare, environment: Mapping[str, str]) -> bool:
    """Whether the lake exists already, according to `runmart status`."""
    return lake.run("status", environment=environment).returncode == 0
