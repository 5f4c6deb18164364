"""Progress of `runmart pull`: on a terminal, in a log, and as events."""

import json
import os
import signal
import subprocess
import time
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from runmart.cli import pull_progress
from runmart.cli.app import run
from runmart.cli.pull_progress import facts, words
from runmart.ingest.pull.client import Counters
from runmart.ingest.pull.request import Outcome
from tests.support.command import RUNMART
from tests.support.pull import KEY, TestServer, command, given
from tests.support.terminal import Screen, terminal


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder, with the key in its environment variable, and show progress often."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEST_KEY", KEY)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(pull_progress, "LOG_SECONDS", 0.02)
    monkeypatch.setattr(pull_progress, "_LIVE_SECONDS", 0.02)


def on_terminal(arguments: list[str | Path], columns: int, monkeypatch: pytest.MonkeyPatch) -> tuple[int, Screen]:
    """The exit code of a command whose standard error is a terminal, and the screen of the terminal."""
    monkeypatch.setenv("COLUMNS", str(columns))
    with terminal(columns) as (descriptor, screen), open(os.dup(descriptor), "w") as errors, redirect_stderr(errors):  # noqa: PTH123
        code = run([str(argument) for argument in arguments])
    return code, screen


def test_a_terminal_shows_one_live_line_that_is_erased(
    server: TestServer, warehouse: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A terminal shows threads, runs, requests and the pause of a rate limit, and nothing when the pull is over."""
    server.world(threads=8, runs=60, delay_seconds=0.03, storm=1, retry_after="1.3")
    code, screen = on_terminal([*given(server, "-w", warehouse, "--concurrency", "2", "--json")], 100, monkeypatch)
    assert (code, "".join(screen.lines)) == (0, "")
    [pull] = json.loads(capsys.readouterr().out)["pulls"]
    assert pull["new_runs"] == 60
    assert any("default: looking for threads, 0 runs found, 1 requests; waiting 1 s" in line for line in screen.seen)
    assert any(" of 8 threads, " in line and " 0:00:0" in line for line in screen.seen)


def test_a_narrow_terminal_cuts_the_line(server: TestServer, warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The live line stays one line on a narrow terminal, and names of sources are shown as they are."""
    server.world(threads=8, runs=60, delay_seconds=0.03)
    arguments = given(server, "-w", warehouse, "--concurrency", "2", "--source", "[red]a lab")
    code, screen = on_terminal(arguments, 40, monkeypatch)
    assert (code, "".join(screen.lines)) == (0, "")
    assert max(map(len, screen.seen)) <= 40
    assert any(" 0:00:0" in line and " [red]a lab: " in line and line.endswith("…") for line in screen.seen)


def test_messages_follow_the_erased_line(server: TestServer, warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a pull says at its end is on a line of its own."""
    server.world(threads=9, runs=60, delay_seconds=0.05, missing=["thread_000001"])
    code, screen = on_terminal(given(server, "-w", warehouse), 100, monkeypatch)
    assert (code, screen.lines[-1]) == (3, "")
    [message] = screen.lines[:-1]
    assert message.startswith("runmart: default: 1 could not be read; first thread thread_000001: 404")


def test_a_log_gets_a_line_at_intervals(server: TestServer, warehouse: Path) -> None:
    """Without a terminal, whole lines say how far the pull is, and standard output has the result only."""
    server.world(threads=8, runs=60, delay_seconds=0.03)
    done = command(*given(server, "-w", warehouse, "--concurrency", "2"))
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert all(line.startswith("runmart: default: ") and line.endswith(" requests") for line in lines)
    assert any("looking for threads, 0 runs found, 1 requests" in line for line in lines)
    assert any(" of 8 threads, " in line for line in lines)
    assert done.stdout.count("\n") == 1


def test_events_hold_the_progress_as_fields(server: TestServer, warehouse: Path) -> None:
    """With --log-format json, standard error has events only; threads_in_all is null until all threads are known."""
    server.world(threads=8, runs=60, delay_seconds=0.03)
    done = command(*given(server, "-w", warehouse, "--concurrency", "2", "--log-format", "json", "--json"))
    events = [json.loads(line) for line in done.stderr.splitlines()]
    found = [event for event in events if event["message"] == "pull progress"]
    assert {event["source"] for event in found} == {"default"}
    assert {event["threads_in_all"] for event in found} == {None, 8}
    counts = [(event["threads"], event["runs_found"], event["requests"], event["seconds"]) for event in found]
    assert counts == sorted(counts)
    assert 0 < counts[-1][1] <= 60
    assert [event["message"] for event in events if event not in found] == ["load started", "pull finished"]
    assert json.loads(done.stdout)["pulls"][0]["new_runs"] == 60


def test_a_short_pull_is_silent(server: TestServer, warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pull of less than a minute writes nothing into a log but its result."""
    monkeypatch.setattr(pull_progress, "LOG_SECONDS", 60)
    server.world(threads=2, runs=6)
    assert command(*given(server, "-w", warehouse)).stderr == ""


def test_the_words_of_a_progress() -> None:
    """Counts have separators of thousands, and a pause is shown while it lasts."""
    counters = Counters(requests=1300, waiting_until=time.monotonic() + 40)
    outcome = Outcome(threads=1200, threads_in_all=10_000, runs_found=3456, counters=counters)
    found = "1,200 of 10,000 threads, 3,456 runs found, 1,300 requests"
    assert words(outcome) == f"{found}; waiting 40 s for the rate limit"
    assert facts(outcome, 7.5)["waiting_seconds"] == pytest.approx(40, abs=1)
    counters.waiting_until = time.monotonic() - 1
    assert words(outcome) == found
    assert facts(outcome, 7.5)["waiting_seconds"] == 0


def test_a_dumb_terminal_gets_lines(server: TestServer, warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that cannot erase a line gets lines as a log does."""
    monkeypatch.setenv("TERM", "dumb")
    server.world(threads=8, runs=60, delay_seconds=0.03)
    code, screen = on_terminal(given(server, "-w", warehouse, "--concurrency", "2"), 100, monkeypatch)
    assert (code, screen.seen) == (0, [])
    assert all(line.startswith("runmart: default: ") for line in screen.lines[:-1])
    assert len(screen.lines) > 2


def test_a_load_shows_its_progress_on_a_terminal(
    pages: Path, warehouse: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`runmart ingest` has the same live line."""
    (pages / "[red]a.json").write_text('{"id": "run_1", "object": "thread.run", "status": "queued"}')
    code, screen = on_terminal(["ingest", pages, "-w", warehouse], 100, monkeypatch)
    assert (code, "".join(screen.lines)) == (0, "")
    assert any("1 inputs, 1 runs, 0 rejected" in line and "[red]a.json" in line for line in screen.seen)
    assert "1 new" in capsys.readouterr().out


@pytest.mark.slow
def test_an_interrupted_pull_erases_the_line(server: TestServer, warehouse: Path) -> None:
    """A pull in a process of its own, interrupted, leaves its message and the cursor on the terminal."""
    server.world(threads=400, runs=400, delay_seconds=0.1)
    environment = dict(os.environ)  # without the COLUMNS that readline sets behind Python's back
    with terminal(60) as (on, screen):
        arguments = [RUNMART, *given(server, "-w", warehouse)]
        with subprocess.Popen(arguments, stdin=on, stdout=subprocess.PIPE, stderr=on, env=environment) as process:
            server.wait_for_requests(100)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
    assert screen.lines == ["runmart: interrupted; committed batches are kept, run the command again for the rest", ""]
    assert max(map(len, screen.seen)) <= 60
    assert any(" 0:00:0" in line and " of 400 threads, " in line and line.endswith("…") for line in screen.seen)
