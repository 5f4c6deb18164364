"""The faults of the test server, and what a pull may say after it has met some of them."""

from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from runmart.ingest.errors import RunmartError, SettingsError
from runmart.ingest.pull.client import Patience
from runmart.ingest.pull.errors import PullError
from runmart.ingest.pull.runner import Outcome
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

PROPERTIES = {"skew_seconds"}
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
        """By thread: runs that are not stored in a state that they have had during the pull."""
        found: dict[str, list[str]] = {}
        for thread_id, runs in self.before.items():
            for run_id, status in runs.items():
                stored = self.stored.get(thread_id, {}).get(run_id)
                last = self.after[thread_id][run_id]
                if stored is None or not _STAGES[status] <= _STAGES[stored] <= _STAGES[last]:
                    found.setdefault(thread_id, []).append(f"{run_id}: {stored} for {status} to {last}")
        return found

    def check(self) -> None:
        """Check that all is there, or that the pull says what is not."""
        if self.is_complete:
            assert self.missing == {}
            return
        outcome = self.outcome
        if isinstance(outcome, RunmartError):
            assert isinstance(outcome, PullError | SettingsError), outcome
            return
        assert outcome.failures.total() == 0 or outcome.first_failure
        for thread_id, runs in self.missing.items():
            assert self.is_recorded(thread_id), (thread_id, runs, self.states)

    def is_recorded(self, thread_id: str) -> bool:
        """Whether something tells that runs of a thread are missing."""
        assert isinstance(self.outcome, Outcome)
        state, error = self.states.get(thread_id, (None, None))
        if state in {"partial", "failed", "gone"} or error:
            return True
        is_listed = not any("list of threads" in text for text in [self.outcome.first_failure or ""])
        return self.outcome.deadline_reached or (state is None and not is_listed)


def statuses(server: TestServer) -> Statuses:
    """The statuses of the runs on the server."""
    found: Statuses = {}
    for run in server.truth():
        found.setdefault(run["thread_id"], {})[run["id"]] = run["status"]
    return found


def pull_once(server: TestServer, warehouse: Path, **changes: Any) -> Pulled:
    """Pull from the server, whatever comes of it."""
    before = statuses(server)
    try:
        outcome: Outcome | RunmartError = pulled(
            server, warehouse, patience=BRIEF, prepare=lambda _writer: None, **changes
        )
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


def behave(server: TestServer) -> None:
    """Switch all faults off."""
    plain = {name: getattr(Settings(), name) for name in Settings.__struct_fields__ if name not in PROPERTIES}
    server.steer("settings", **plain)
