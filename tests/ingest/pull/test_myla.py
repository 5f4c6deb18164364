"""A compatible server that nobody here wrote: what was pulled from it is what its own database holds.

In myla, `after` means "created later" in either order, `has_more` is always false, and `created_at` is in milliseconds.
"""

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest

from tests.support.command import Completed, launch
from tests.support.myla import ECHO, GATE, NONE, Myla, serving
from tests.support.warehouse import assert_sound, query

pytestmark = pytest.mark.slow

THREADS = 110
RUNS = 130
"""Runs of one thread; others have one."""
MORE_RUNS = 110
"""Runs that the one thread gets later."""

_SENT = "id, thread_id, assistant_id, model, status, created_at, started_at, completed_at, failed_at"
_STORED = """
    run_id, thread_id, assistant_id, model, status, epoch_ms(created_at),
    epoch(started_at)::bigint, epoch(completed_at)::bigint, epoch(failed_at)::bigint"""


@pytest.fixture(scope="module")
def myla(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Myla]:
    """The server, started once for all tests."""
    with serving(tmp_path_factory.mktemp("myla")) as server:
        yield server


def pull(server: Myla, warehouse: Path, key: str | None = None) -> Completed:
    """Pull all that the server lists."""
    words = ["pull", "-w", warehouse, "--base-url", server.url, "--profile", "compatible", "--api-key-env", "MYLA_KEY"]
    return launch(*words, environment={"MYLA_KEY": key or server.key})


def assert_pulled(server: Myla, warehouse: Path) -> int:
    """Pull, assert that the warehouse then holds what the server's database does, and return the number of requests."""
    server.requests()
    done = pull(server, warehouse)
    assert done.returncode == 0, done.stderr
    requests = server.requests()
    assert query(warehouse, f"select {_STORED} from runs order by run_id") == server.query(
        f"select {_SENT} from run order by id"
    )
    assert query(warehouse, "select run_id, code, message from errors order by all") == server.query(
        "select id, last_error ->> 'code', last_error ->> 'message' from run where status = 'failed' order by id"
    )
    assert query(warehouse, "select thread_id, state from runmart.threads order by all") == server.query(
        "select id, 'complete' from thread order by id"
    )
    assert_sound(warehouse)
    return len(requests)


def test_pulls_with_changes_in_between(myla: Myla, new_warehouse: Path) -> None:
    """Each pull has all threads and runs that the official client has made, runs that have ended since included."""
    assistant = myla.call("assistants.create", model=ECHO, instructions="Repeat what was said.")["id"]
    models = cycle([ECHO, NONE, None])

    def thread() -> str:
        return myla.call("threads.create")["id"]

    def run(thread_id: str, model: str | None, *tools: dict[str, str]) -> None:
        myla.call("threads.runs.create", thread_id=thread_id, assistant_id=assistant, model=model, tools=tools)

    first, busy, *others = [thread() for _ in range(THREADS)]
    for one, model in zip([busy] * (RUNS - 2) + others, models, strict=False):
        run(one, model)
    for one, model in [(first, None), (busy, ECHO), (busy, NONE)]:
        run(one, model, GATE)
    myla.wait_until_only(open_runs=3)
    assert_pulled(myla, new_warehouse)

    for one, model in zip([busy] * MORE_RUNS + [first, others[-1], thread(), thread()], models, strict=False):
        run(one, model)
    myla.gate.set()
    myla.wait_until_only(open_runs=0)
    assert_pulled(myla, new_warehouse)

    pages = (THREADS + RUNS + MORE_RUNS) // 100 + 4  # both lists are read again, as their ends are minutes old
    assert assert_pulled(myla, new_warehouse) <= THREADS + 2 + pages


def test_a_refused_key(myla: Myla, new_warehouse: Path) -> None:
    """Its answer to a key that it does not know, which is 403, ends the pull."""
    done = pull(myla, new_warehouse, key="sk-of-others")
    assert done.returncode == 1
    assert 'refuses the list of threads: 403: the key may not read it, saying "Forbidden"' in done.stderr
    assert "sk-of-others" not in done.stdout + done.stderr
