"""The faults of the test server, and what a pull may say after it has met some of them."""

from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from runmart.ingest.errors import RunmartError, SettingsError
from runmart.ingest.pull.client import Patience
from runmart.ingest.pull.errors import PullError
from runmart.ingest.pull.request import Outcome
from runmart.ingest.pull.thread_state import FAILED, GONE, PARTIAL
from runmart.ingest.warehouse.writer import Writer
from tests.support.pull import TestServer, pulled
from tests.support.world import ENDS, Settings

BRIEF = Patience(attempts=4, first_pause_seconds=0.002, longest_pause_seconds=0.01, answer_seconds=5)
"""Enough attempts to get through most faults, in little time."""

THREADS, RUNS = 4, 60
ONE, OTHER = "thread_000001", "thread_000002"
_REFUSAL = '{"error": {"message": "this project is closed for today"}}'

FAULTS: dict[str, dict[str, Any]] = {
    "throttled": {"throttled": 0.2},
    "storm": {"storm": 5},
    "broken": {"broken": 0.2},
    "reset": {"reset": 0.2},
    "slow": {"slow": 0.2},
    "truncated": {"truncated": 0.2},
    "lying": {"lying_has_more": 0.5},
    "always more": {"always_more": True},
    "repeated": {"repeated": 0.3},
    "ascending": {"ascending": True},
    "bare": {"bare": True},
    "clocks": {"skew_seconds": 300},
    "server's clock": {"clock_offset": -4000, "retry_after": "date"},
    "small pages": {"page_cap": 7},
    "missing": {"missing": [ONE]},
    "forbidden": {"forbidden": [OTHER]},
    "malformed": {"malformed": [ONE]},
    "spent": {"spent": True},
    "delay": {"delay_seconds": 0.02},
    "advancing": {"advance_every": 3},
    "redirected": {"redirect_to": "http://elsewhere.invalid", "redirected": [OTHER]},
    "all redirected": {"redirect_to": "http://elsewhere.invalid"},
    "refused": {"refusal": _REFUSAL},
    "threads refused": {"refusal": _REFUSAL, "refusal_status": 403, "refuses_list": False},
    "unlisted": {"lists_threads": False},
}
"""What the server can do to a pull, each with sensible parameters."""

_PROPERTIES = {"skew_seconds"}
"""Settings that its runs keep, and which do not pass by."""

_STAGES = {"queued": 0, "in_progress": 1, "requires_action": 2, **dict.fromkeys(ENDS, 3)}

Statuses = dict[str, dict[str, str]]
"""By thread and run."""


class Pulled(NamedTuple):
    """A pull, and what the server had before and after it."""

    outcome: Outcome | RunmartError
    before: Statuses
    after: Statuses
    stored: Statuses
    states: dict[str, tuple[str, str | None]]
    """By thread: state and error."""

    @property
    def is_complete(self) -> bool:
        """Whether the exit code would be 0."""
        outcome = self.outcome
        return isinstance(outcome, Outcome) and outcome.is_complete and not outcome.totals.rejected

    @property
    def missing(self) -> dict[str, list[str]]:
        """By thread: runs that are not stored in a state that they have had during the pull.

        A thread that the server did not know once is not asked for again without --full.
        """
        found: dict[str, list[str]] = {}
        for thread_id, runs in self.before.items():
            if self.states.get(thread_id, ("", None))[0] == GONE:
                continue
            for run_id, status in runs.items():
                stored = self.stored.get(thread_id, {}).get(run_id)
                last = self.after[thread_id][run_id]
                if stored is None or not _STAGES[status] <= _STAGES[stored] <= _STAGES[last]:
                    found.setdefault(thread_id, []).append(f"{run_id}: {stored} for {status} to {last}")
        return found

    def check(self) -> None:
        """Check that all is there, or that the pull says what is not."""
        outcome = self.outcome
        if self.is_complete:
            assert self.missing == {}
        elif isinstance(outcome, Outcome):
            assert bool(outcome.failures) == bool(outcome.first_failure)
            unsaid = {thread_id for thread_id in self.missing if not self._is_said(outcome, thread_id)}
            assert unsaid == set(), (self.missing, self.states, outcome)
        else:
            assert isinstance(outcome, PullError | SettingsError)
            assert "127.0.0.1" in str(outcome), outcome  # the server is named

    def _is_said(self, outcome: Outcome, thread_id: str) -> bool:
        """Whether the pull tells that runs of a thread are missing: by its state, or for what it has not come to."""
        state, error = self.states.get(thread_id, (None, None))
        is_list_incomplete = "list of threads" in (outcome.first_failure or "")
        return (
            error is not None
            or state in {PARTIAL, FAILED}
            or outcome.deadline_reached
            or (state is None and is_list_incomplete)
        )


def statuses(server: TestServer) -> Statuses:
    """The statuses of the runs on the server."""
    found: Statuses = {}
    for run in server.truth():
        found.setdefault(run["thread_id"], {})[run["id"]] = run["status"]
    return found


def pull_once(server: TestServer, warehouse: Path, /, **changes: Any) -> Pulled:
    """Pull from the server, whatever comes of it."""
    before = statuses(server)
    try:
        outcome: Outcome | RunmartError = pulled(server, warehouse, patience=BRIEF, prepare=_without_views, **changes)
    except RunmartError as error:
        outcome = error
    stored: Statuses = {}
    with duckdb.connect(warehouse, read_only=True) as connection:
        runs = connection.execute("select thread_id, run_id, status from runs").fetchall()
        rows = connection.execute("select thread_id, state, error from runmart.threads").fetchall()
    for thread_id, run_id, status in runs:
        stored.setdefault(thread_id, {})[run_id] = status
    states = {thread_id: (state, error) for thread_id, state, error in rows}
    return Pulled(outcome, before, statuses(server), stored, states)


def _without_views(_writer: Writer) -> None:
    """Install no views, since none is looked at, in half the time."""


def misbehave(server: TestServer, seed: int, *names: str) -> None:
    """Switch some faults on, and all others off."""
    plain = {name: getattr(Settings(), name) for name in Settings.__struct_fields__ if name not in _PROPERTIES}
    chosen: dict[str, Any] = {}
    for name in names:
        chosen |= FAULTS[name]
    server.steer("settings", **{**plain, **chosen, "seed": seed})


def assert_heals(server: TestServer, warehouse: Path) -> None:
    """Assert that a pull without faults is complete, and leaves the warehouse equal to the server."""
    misbehave(server, 0)
    found = pull_once(server, warehouse)
    gone = {thread_id for thread_id, (state, _) in found.states.items() if state == GONE}
    if gone:  # such threads are not asked for again without --full
        found = pull_once(server, warehouse, full=True)
    assert found.is_complete, found.outcome
    assert found.stored == {thread_id: runs for thread_id, runs in found.after.items() if runs}
