"""`runmart pull` of responses, as a user runs it."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from runmart.ingest.pull.names import RESPONSES
from tests.support.command import RUNMART, launch
from tests.support.pull import KEY, TestServer, command
from tests.support.responses_server import HOUR_AGO, add, stored
from tests.support.warehouse import query


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder, with the key in its environment variable."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEST_KEY", KEY)


def given(server: TestServer, profile: str, *more: str | Path) -> list[str | Path]:
    """The arguments of a pull from the server."""
    base = {"foundry-v2": "foundry", "azure-foundry": "foundry", "openai": "openai"}.get(profile, "llama")
    options = ["--base-url", f"{server.url}/{base}", "--profile", profile, "--api-key-env", "TEST_KEY"]
    return ["pull", *options, *more]


@pytest.mark.parametrize("profile", ["foundry-v2", "llama-stack", "ogx"])
def test_a_pull_reads_what_the_server_lists(server: TestServer, warehouse: Path, profile: str) -> None:
    """Without names, the list of responses is read; a line tells what was done, and --json too."""
    server.world()
    ids = add(server, 120)
    done = command(*given(server, profile, "-w", warehouse))
    assert (done.returncode, done.stderr) == (0, "")
    assert "default: 120 new runs, 0 updated, 0 rejected; 1 lists, 3 requests" in done.stdout
    assert stored(warehouse) == ids
    [pull] = json.loads(command(*given(server, profile, "-w", warehouse, "--json")).stdout)["pulls"]
    assert (pull["new_runs"], pull["threads"], pull["requests"], pull["load_id"]) == (0, 1, 1, None)


@pytest.mark.parametrize(
    ("profile", "arguments", "words"),
    [
        ("foundry-v2", ["--steps"], "--steps is for runs of threads: the output items of responses come with them"),
        ("openai", ["--response", "resp_1", "--steps"], "--steps is for runs of threads"),
        ("foundry-v2", ["--threads", "x"], "--threads is for threads and their runs, and --profile foundry-v2 is for"),
        ("foundry-v2", ["--known"], "--known is for threads and their runs"),
        ("llama-stack", ["--run", "thread_1/run_1"], "--run is for threads and their runs"),
        ("ogx", ["--runs-path", "/a/{thread_id}"], "--runs-path is for threads and their runs"),
        ("azure-foundry", ["--list-responses"], "use --profile foundry-v2 for the same project"),
        ("azure-foundry", ["--response", "resp_1"], "use --profile foundry-v2 for the same project"),
        ("langgraph", ["--response", "resp_1"], "use --profile compatible"),
        ("openai", ["--filter", "model=x"], "which threads?"),
        ("openai", [], "for chat completions, --list-completions"),
        ("openai", ["--response", "resp_1", "--filter", "model=x"], "--filter is for lists of responses"),
        ("foundry-v2", ["--filter", "agent_name"], "--filter must be NAME=VALUE, such as agent_name=support"),
        ("foundry-v2", ["--filter", "after=x"], "--filter cannot set after"),
        ("openai", ["--response", "a/b"], "--response is no response id: 'a/b' (it holds a slash)"),
        ("openai", ["--responses", "no-such-file"], "no-such-file (--responses) cannot be read"),
        ("openai", ["--responses", "-", "--threads", "-"], "cannot both be standard input"),
        ("llama-stack", ["--entra"], "give one of"),
    ],
)
def test_wrong_combinations_are_one_sentence(
    server: TestServer, new_warehouse: Path, profile: str, arguments: list[str], words: str
) -> None:
    """Exit code 2, one line that says what to do, and no request."""
    done = command(*given(server, profile, "-w", new_warehouse, *arguments))
    assert (done.returncode, words in done.stderr, server.requests()) == (2, True, 0), done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_responses_by_id_and_from_a_list(server: TestServer, warehouse: Path) -> None:
    """`--response` and `--responses` add up; what is not there is named, with exit code 3."""
    server.world()
    ids = add(server, 3)
    listed = f"# yesterday\n{ids[1]}\n{ids[2]}\n".encode()
    arguments = given(server, "openai", "-w", warehouse, "--response", ids[0], "--responses", "-")
    done = launch(*arguments, stdin=listed)
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 new runs, 0 updated, 0 rejected; 3 responses, 3 requests" in done.stdout
    assert stored(warehouse) == ids
    done = launch(*arguments, "--response", "resp_none", stdin=listed)
    assert done.returncode == 3
    assert "1 could not be read; first response resp_none: 404" in done.stderr
    assert "1 responses (3 ended skipped), 1 requests" in done.stdout


def test_settings_of_responses_are_in_the_file_too(server: TestServer, warehouse: Path) -> None:
    """Lists and filters can be in runmart.toml, and filters in the environment."""
    server.world()
    ids = add(server, 10)
    Path("runmart.toml").write_text(f"""
        [sources.project]
        base_url = "{server.url}/foundry"
        profile = "foundry-v2"
        api_key_env = "TEST_KEY"
        filters = {{ agent_name = "agent_1" }}
        """)
    assert command("pull", "-w", warehouse).returncode == 0
    assert stored(warehouse) == ids[::2]
    assert command("pull", "-w", warehouse, RUNMART_FILTERS="agent_name=agent_0").returncode == 0
    assert stored(warehouse) == ids


def test_an_archive_of_responses_makes_the_same_warehouse(server: TestServer, warehouse: Path, tmp_path: Path) -> None:
    """`runmart ingest` of what `--save` has written gives the same rows as the pull."""
    server.world()
    add(server, 150)
    assert command(*given(server, "foundry-v2", "-w", warehouse, "--save", "archive")).returncode == 0
    again = tmp_path / "again.duckdb"
    assert command("ingest", "archive", "-w", again).returncode == 0
    rows = "select cast(columns(* exclude (load_id, observed_position)) as varchar) from runs order by all"
    assert query(again, rows) == query(warehouse, rows)
    assert len(query(again, "select * from steps")) == 150


def test_a_killed_pull_is_completed_by_the_next(server: TestServer, warehouse: Path) -> None:
    """A pull that is interrupted half-way has stored what it read, and the next one reads the rest alone."""
    server.world(delay_seconds=0.25)
    ids = add(server, 2000, HOUR_AGO - 70_000)
    arguments = [str(one) for one in given(server, "foundry-v2", "-w", warehouse)]
    with subprocess.Popen([RUNMART, *arguments]) as pull:
        server.wait_for_requests(8)
        pull.send_signal(signal.SIGINT)
        assert pull.wait(30) == 130
    got = len(stored(warehouse))
    assert 500 <= got < 2000
    [(name, state)] = query(warehouse, "select thread_id, state from runmart.threads")
    assert (name, state) == (RESPONSES, "partial")
    server.steer("settings", delay_seconds=0)
    server.requests()
    assert command(*given(server, "foundry-v2", "-w", warehouse)).returncode == 0
    assert stored(warehouse) == ids
    assert server.requests() <= 22 - got // 100 + 2


def test_a_sudden_death_loses_no_state(server: TestServer, warehouse: Path) -> None:
    """A pull that dies without a word (SIGKILL) has promised nothing that is not stored."""
    server.world(delay_seconds=0.25)
    ids = add(server, 1200, HOUR_AGO - 70_000)
    arguments = [str(one) for one in given(server, "foundry-v2", "-w", warehouse)]
    with subprocess.Popen([RUNMART, *arguments]) as pull:
        server.wait_for_requests(6)
        pull.kill()
    server.steer("settings", delay_seconds=0)
    assert command(*given(server, "foundry-v2", "-w", warehouse)).returncode == 0
    assert stored(warehouse) == ids


def test_the_key_goes_as_a_key_and_a_token_as_a_token(server: TestServer, warehouse: Path) -> None:
    """Foundry takes an API key in `api-key`, and an Entra token in `authorization`."""
    server.world()
    add(server, 1)
    assert command(*given(server, "foundry-v2", "-w", warehouse)).returncode == 0
    sent = server.steer("log")["headers"][0]
    assert (sent["api-key"], "authorization" in sent) == (KEY, False)
    token = "eyJ0eXAi.e30.c2ln"  # noqa: S105
    assert command(*given(server, "foundry-v2", "-w", warehouse), TEST_KEY=token).returncode == 1
    sent = server.steer("log")["headers"][0]
    assert (sent["authorization"], "api-key" in sent) == (f"Bearer {token}", False)


def test_help_names_the_options(server: TestServer) -> None:  # noqa: ARG001 - the fixture starts it once
    """The help has each option of responses, and the profiles."""
    shown = " ".join(command("pull", "--help", COLUMNS="200").stdout.split())
    for word in (
        "--response ",
        "--responses ",
        "--responses-sql",
        "--list-responses",
        "--list-completions",
        "--filter",
    ):
        assert word in shown
    for profile in ("foundry-v2", "llama-stack", "ogx"):
        assert profile in shown
