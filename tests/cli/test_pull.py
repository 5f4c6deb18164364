"""The command `runmart pull`, as a user runs it."""

import gzip
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.command import RUNMART
from tests.support.pull import KEY, TestServer, assert_equals_truth, command, contents, given
from tests.support.warehouse import query


@pytest.fixture(name="_folder", autouse=True)
def _folder_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder, with the key in its environment variable."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEST_KEY", KEY)
    monkeypatch.delenv("RUNMART_WAREHOUSE", raising=False)


def test_a_pull_tells_in_a_line_what_it_did(server: TestServer, warehouse: Path, tmp_path: Path) -> None:
    """A pull reports its result in one line, or in JSON; without new runs the exit code is 0."""
    server.world(threads=5, runs=120)
    done = command(*given(server, "-w", warehouse, "--source", "acme"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "acme: 120 new runs, 0 updated, 0 rejected; 5 threads, " in done.stdout
    assert_equals_truth(server, warehouse, tmp_path)
    assert query(warehouse, "select distinct source from runs") == [("acme",)]
    printed = json.loads(command(*given(server, "-w", warehouse, "--source", "acme", "--json")).stdout)
    [pull] = printed["pulls"]
    assert (pull["new_runs"], pull["threads"], pull["requests"], pull["load_id"]) == (0, 5, 6, None)


def test_settings_come_from_a_file_the_environment_and_options(server: TestServer, warehouse: Path) -> None:
    """The environment overrides runmart.toml, and options override both."""
    server.world(threads=4, runs=40)
    Path("runmart.toml").write_text(f"""
        [sources.one]
        base_url = "{server.url}/foundry"
        profile = "azure-foundry"
        api_key_command = "printf {KEY}"

        [sources.two]
        base_url = "{server.url}/openai"
        profile = "openai"
        api_key_env = "NOT_THERE"
        threads_sql = "select 'thread_000001'"
        """)
    assert command("pull", "one", "-w", warehouse).returncode == 0
    done = command("pull", "-w", warehouse)
    assert done.returncode == 2
    assert "two: the environment variable NOT_THERE is not set" in done.stderr
    assert "one: 0 new runs" in done.stdout
    assert command("pull", "two", "-w", warehouse, RUNMART_API_KEY_ENV="TEST_KEY").returncode == 0
    wrong = command("pull", "two", "-w", warehouse, "--api-key-env", "PATH", RUNMART_API_KEY_ENV="TEST_KEY")
    assert wrong.returncode == 1
    assert "401: " in wrong.stderr
    assert "$PATH (--api-key-env)" in wrong.stderr
    counts = dict(query(warehouse, "select source, count(distinct thread_id) from runs group by all"))
    assert counts == {"one": 4} or counts == {"one": 3, "two": 1}  # noqa: PLR1714


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[sources.a]\nbase_ulr = 'x'", "did you mean base_url?"),
        ("[sources.a]\napi_key = 'secret-in-file'", "secrets do not belong in this file"),
        ("[sources.a]\nconcurrency = 'many'", "concurrency"),
        ("[sources", "is not valid TOML"),
        ("[sources.a]\nprofile = 'openai'", "base_url is missing"),
        ("[sources.a]\nbase_url = 'https://x.example'\nprofile = 'openai'", "which threads?"),
    ],
)
def test_what_is_wrong_with_settings_is_said(text: str, words: str) -> None:
    """Invalid settings give exit code 2 and a message that does not repeat a misplaced secret."""
    Path("runmart.toml").write_text(text)
    done = command("pull")
    assert done.returncode == 2
    assert words in done.stderr
    assert "secret-in-file" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--run", "thread_1"], "THREAD/RUN"),
        (["--since", "yesterday"], "2026-11-01"),
        (["--every", "soon"], "15m"),
        (["--deadline", "5"], "--deadline"),
        (["--concurrency", "0"], "1 or more"),
        (["--api-key-file", "x"], "give one of"),
        (["--entra"], "give one of"),
        (["--threads", "no-such-file"], "--threads"),
    ],
)
def test_wrong_usage_is_2(server: TestServer, arguments: list[str], words: str) -> None:
    """Invalid arguments give exit code 2 and a message with what is expected."""
    done = command(*given(server, *arguments))
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr


def test_single_runs_and_their_steps(server: TestServer, warehouse: Path) -> None:
    """`--run THREAD/RUN` requests single runs and no list."""
    server.world(threads=2, runs=30)
    run = server.truth()[3]
    place = f"{run['thread_id']}/{run['id']}"
    done = command(*given(server, "-w", warehouse, "--run", place, "--run", "thread_000001/run_none", "--steps"))
    assert done.returncode == 3
    assert "could not be read; first run run_none: 404" in done.stderr
    assert query(warehouse, "select run_id from runs") == [(run["id"],)]
    assert query(warehouse, "select count(*) from steps") == [(2,)]


def test_steps_of_new_and_of_open_runs_are_loaded(server: TestServer, warehouse: Path) -> None:
    """Steps are requested once per new or open run; an idle thread costs one request with --steps as well."""
    server.world(threads=3, runs=40)
    done = command(*given(server, "-w", warehouse, "--steps"))
    assert done.returncode == 0, done.stderr
    assert query(warehouse, "select count(*), count(distinct run_id) from steps") == [(80, 40)]
    assert query(warehouse, "select sum(steps) from step_latency") == [(80,)]
    server.steer("finish")
    server.requests()
    command(*given(server, "-w", warehouse, "--steps"))
    opened = query(warehouse, "select count(*) from steps where status <> 'completed'")
    assert server.requests() < 20
    assert opened == query(warehouse, "select 2 * count(*) from runs where status <> 'completed'")


def test_saved_answers_make_the_same_warehouse(server: TestServer, warehouse: Path, tmp_path: Path) -> None:
    """`runmart ingest` of the archive of responses gives the same warehouse as the pulls."""
    server.world(threads=4, runs=150)
    for _ in range(3):
        assert command(*given(server, "-w", warehouse, "--save", "archive", "--steps")).returncode == 0
        server.steer("advance", steps=30)
    files = [path for path in Path("archive").rglob("*") if path.is_file()]
    assert all(path.name.endswith(".json.zst") for path in files)
    again = tmp_path / "again.duckdb"
    assert command("ingest", "archive", "-w", again, "--source", "default").returncode == 0
    assert contents(again) == contents(warehouse)
    for table in ("runs", "steps"):
        columns = "select cast(columns(* exclude (load_id)) as varchar) from " + table + " order by all"
        assert query(again, columns) == query(warehouse, columns)


def decompressed(path: Path) -> bytes:
    """The decompressed body of a saved response."""
    return pa.CompressedInputStream(pa.BufferReader(path.read_bytes()), "zstd").read()


def test_redacted_content_is_in_no_saved_response(server: TestServer, new_warehouse: Path, tmp_path: Path) -> None:
    """Redacted content is neither in the warehouse nor in the archive, and both hold the same runs."""
    server.world(threads=4, runs=150)
    server.steer("advance", steps=60)
    save = ("-w", new_warehouse, "--save", "archive", "--steps")
    early = command(*given(server, *save, "--content", "hash"))
    assert (early.returncode, new_warehouse.exists(), server.requests()) == (2, False, 0)
    key = {"RUNMART_CONTENT_KEY": "0123456789abcdef"}
    assert command(*given(server, *save, "--content", "hash"), **key).returncode == 0
    server.steer("advance", steps=60)
    server.requests()
    forgotten = command(*given(server, *save))
    assert (forgotten.returncode, server.requests()) == (1, 0)
    assert "RUNMART_CONTENT_KEY" in forgotten.stderr
    assert command(*given(server, *save), **key).returncode == 0
    saved = [decompressed(path) for path in Path("archive").rglob("*.zst")]
    for word in (b"Answer briefly", b"Sorry.", b"Look something up"):
        assert not any(word in data for data in [*saved, new_warehouse.read_bytes()])
        assert word in json.dumps(server.truth()).encode()
    assert any(b'"instructions":"hash:' in data for data in saved)
    again = tmp_path / "again.duckdb"
    assert command("ingest", "archive", "-w", again, "--source", "default").returncode == 0
    assert contents(again) == contents(new_warehouse)


def test_metrics_are_what_prometheus_reads(server: TestServer, warehouse: Path) -> None:
    """The metrics file is valid for Prometheus; a failed pull keeps the time of the last success."""

    def metrics() -> dict[str, float]:
        families = text_string_to_metric_families(Path("pull.prom").read_text())
        samples = [sample for family in families for sample in family.samples]
        assert {sample.labels["source"] for sample in samples} == {'a"b\\c'}
        return {sample.name.removeprefix("runmart_pull_"): sample.value for sample in samples}

    server.world(threads=3, runs=50, throttled=0.1)
    arguments = given(server, "-w", warehouse, "--source", 'a"b\\c', "--metrics", "pull.prom")
    assert command(*arguments).returncode == 0
    found = metrics()
    assert (found["success"], found["runs_new"], found["rejects"], found["threads"]) == (1, 50, 0, 3)
    assert found["requests"] == server.requests()
    assert abs(found["last_success_timestamp_seconds"] - time.time()) < 60
    failed = command(*[argument if argument != "TEST_KEY" else "PATH" for argument in arguments])
    assert failed.returncode == 1
    assert metrics() == {"success": 0, "last_success_timestamp_seconds": found["last_success_timestamp_seconds"]}


def test_entra_tokens_open_azure(server: TestServer, warehouse: Path) -> None:
    """Azure is accessed with a token of a managed identity; without the package the message names it."""
    server.world(threads=2, runs=10)
    arguments = [*given(server, "-w", warehouse)[:5], "-w", warehouse, "--entra"]
    identity = {"IDENTITY_ENDPOINT": f"{server.url}/_identity", "IDENTITY_HEADER": "proof"}
    done = command(*arguments, **identity)
    assert done.returncode == 0, done.stderr
    assert query(warehouse, "select count(*) from runs") == [(10,)]
    code = "import sys; sys.modules['azure.identity'] = None; from runmart.cli.app import main; main()"
    missing = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert (missing.returncode, "pip install 'runmart[azure]'" in missing.stderr) == (2, True)


def test_every_pulls_again_until_it_is_stopped(server: TestServer, warehouse: Path) -> None:
    """`--every` pulls periodically, one pull at a time, and SIGTERM ends it with exit code 0."""
    server.world(threads=2, runs=10)
    arguments = given(server, "-w", warehouse, "--every", "0.5s", "--log-format", "json")
    found: list[dict[str, Any]] = []
    with subprocess.Popen([RUNMART, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            event = json.loads(line)
            found += [event] if event["message"] == "pull finished" else []
            if len(found) == 3:
                server.steer("run", thread_id="thread_000001", status="completed")
            if len(found) > 3 and event["new_runs"] == 1:
                process.send_signal(signal.SIGTERM)
                break
        process.communicate(timeout=20)
    assert process.returncode == 0
    assert [event["new_runs"] for event in found[:3]] == [10, 0, 0]
    assert query(warehouse, "select count(*) from runs") == [(11,)]


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupted_pull_is_130_and_keeps_what_it_has(
    server: TestServer, warehouse: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """An interrupted pull ends with 130 and keeps what it has stored; the next pull completes it."""
    server.world(threads=40, runs=400, delay_seconds=0.1)
    arguments = given(server, "-w", warehouse, "--concurrency", "2")
    with subprocess.Popen([RUNMART, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        server.wait_for_requests(20)
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130, errors
    assert "interrupted" in errors
    stored = query(warehouse, "select count(*) from runs")[0][0]
    assert 0 < stored < 400
    server.steer("settings", delay_seconds=0)
    assert command(*given(server, "-w", warehouse)).returncode == 0
    assert_equals_truth(server, warehouse, tmp_path)


def test_the_key_is_nowhere(server: TestServer, warehouse: Path, tmp_path: Path) -> None:
    """No failure writes the key to logs, errors, the warehouse, saved responses, metrics or settings."""
    names: dict[str, Any] = {"missing": ["thread_000001"], "malformed": ["thread_000002"]}
    server.world(threads=6, runs=90, throttled=0.1, broken=0.1, reset=0.1, truncated=0.1, **names)
    common = ["-w", warehouse, "--save", "archive", "--metrics", "pull.prom", "--config", "runmart.toml"]
    Path("runmart.toml").write_text(f"[sources.x]\nbase_url = '{server.url}/foundry'\nprofile = 'azure-foundry'\n")
    heard: list[str] = []
    for more in (
        ["--api-key-env", "TEST_KEY", "--log-format", "json"],
        ["--api-key-env", "TEST_KEY", "--json"],
        ["--api-key-command", f"sh -c 'echo {KEY}; echo {KEY} >&2'"],
        ["--api-key-command", f"sh -c 'echo {KEY} >&2; exit 3'"],
        ["--api-key-command", f"printf '{KEY}\nx'"],
        ["--api-key-file", tmp_path / "none"],
        ["--api-key-env", "TEST_KEY", "--base-url", f"{server.url}/azure", "--profile", "openai"],
    ):
        done = command("pull", "x", *common, *more)
        heard.append(done.stderr)
    server.steer("settings", redirect_to="http://localhost:1")
    heard.append(command("pull", "x", *common, "--api-key-env", "TEST_KEY").stderr)
    assert "redirects to http://localhost:1" in heard[-1]
    shutil.copy(warehouse, tmp_path / "copy")
    for path in tmp_path.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            if path.suffix == ".zst":
                data = decompressed(path)
            assert KEY.encode() not in data, path
            assert gzip.compress(KEY.encode())[10:20] not in data
    with_text = query(warehouse, "select error from runmart.threads where error is not null")
    assert with_text
