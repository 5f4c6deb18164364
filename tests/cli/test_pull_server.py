"""What `runmart pull` says of a server: exit codes, and the options `--header` and `--runs-path`."""

import json
import time
from pathlib import Path

import pytest

from tests.support.pull import KEY, TestServer, command, given
from tests.support.warehouse import query

RUNS_PATH = "/agents/threads/{thread_id}/runs"
VALUE = "purple-team-0815"


@pytest.fixture(name="_folder", autouse=True)
def _folder_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder, with the key and the value of a header in environment variables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEST_KEY", KEY)
    monkeypatch.setenv("TEAM", VALUE)
    monkeypatch.delenv("RUNMART_WAREHOUSE", raising=False)


def to(base_url: str, *more: str | Path) -> list[str | Path]:
    """The arguments of a pull from a compatible server."""
    return ["pull", "--base-url", base_url, "--profile", "compatible", "--api-key-env", "TEST_KEY", *more]


@pytest.mark.parametrize("deadline", [[], ["--deadline", "5s"]], ids=["no deadline", "deadline"])
def test_a_misspelt_host_is_1(new_warehouse: Path, deadline: list[str]) -> None:
    """The exit code is 1, with one sentence, within 10 seconds; a deadline is not to blame."""
    started = time.monotonic()
    done = command(*to("http://no-such-host.invalid", "-w", new_warehouse, *deadline))
    assert time.monotonic() - started < 10
    assert done.returncode == 1
    assert "no-such-host.invalid" in done.stderr
    assert "time limit" not in done.stderr


def test_a_forbidden_server_is_1_and_a_forbidden_thread_3(server: TestServer, warehouse: Path) -> None:
    """A key that may read nothing is refused; one that may not read a thread leaves something out."""
    body = json.dumps({"error": {"message": "this key may not read project lab", "code": "forbidden"}})
    server.world(threads=3, runs=30, refusal=body, refusal_status=403, refuses_list=False)
    done = command(*given(server, "-w", warehouse))
    assert done.returncode == 1
    assert 'saying "this key may not read project lab"' in done.stderr
    server.steer("settings", refusal="", forbidden=["thread_000001"])
    done = command(*given(server, "-w", warehouse))
    assert done.returncode == 3
    assert 'thread_000001: 403: the key may not read it, saying "Not yours"' in done.stderr
    assert query(warehouse, "select count(distinct thread_id) from runs") == [(2,)]


def test_headers_and_paths_come_from_options_the_file_and_the_environment(server: TestServer, warehouse: Path) -> None:
    """Headers of runmart.toml, RUNMART_HEADERS and options are added up; the path of runs is a setting too."""
    server.world(threads=2, runs=20)
    Path("runmart.toml").write_text(f"""
        [sources.lab]
        base_url = "{server.url}/elsewhere"
        profile = "compatible"
        api_key_env = "TEST_KEY"
        runs_path = "{RUNS_PATH}"
        headers = {{ X-File = "TEAM" }}
        """)
    server.steer("log")
    done = command("pull", "-w", warehouse, "--header", "X-Option=TEAM", RUNMART_HEADERS="X-One=TEAM X-Two=TEAM")
    assert (done.returncode, done.stderr) == (0, "")
    assert VALUE not in done.stdout
    for sent in server.steer("log")["headers"]:
        assert [sent.get(f"x-{name}") for name in ("file", "option", "one", "two")] == [VALUE] * 4
    assert query(warehouse, "select count(*) from runs") == [(20,)]
    assert VALUE.encode() not in warehouse.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--header", f"X-Team:{VALUE}"], "NAME=VARIABLE"),
        (["--header", f"X-Team={VALUE}"], "not the value"),
        (["--header", "X-Team=EMPTY"], "not set or empty"),
        (["--header", "X-Team=TWO_LINES"], "no header can carry"),
        (["--header", "X Team=TEAM"], "letters, digits and hyphens"),
        (["--header", "X-Team=TEAM", "--header", "x-team=TEAM"], "given twice"),
        (["--header", "Authorization=TEAM"], "--api-key-env"),
        (["--header", "API-Key=TEAM"], "--api-key-env"),
        (["--header", "Host=TEAM"], "belongs to the connection"),
        (["--header", "content-length=TEAM"], "belongs to the connection"),
        (["--runs-path", "/runs"], "{thread_id}"),
        (["--runs-path", "/{thread_id}/{thread_id}"], "{thread_id}"),
        (["--runs-path", "/threads/{thread_id}/../runs"], "{thread_id}"),
        (["--runs-path", "threads/{thread_id}/runs"], "{thread_id}"),
        (["--runs-path", "/runs?thread={thread_id}"], "{thread_id}"),
        (["--runs-path", "//evil.example/{thread_id}"], "{thread_id}"),
    ],
)
def test_wrong_headers_and_paths_are_2(server: TestServer, warehouse: Path, arguments: list[str], words: str) -> None:
    """They are found before anything is asked, and no message repeats what may be a secret."""
    server.requests()
    done = command(*to(f"{server.url}/elsewhere", "-w", warehouse, *arguments), EMPTY=" ", TWO_LINES=f"{VALUE}\nx")
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert VALUE not in done.stderr
    assert server.requests() == 0
