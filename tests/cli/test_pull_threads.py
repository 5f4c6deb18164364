"""The lists of threads of `runmart pull`, as a user gives them."""

import json
from pathlib import Path

import pytest

from tests.support.command import launch
from tests.support.pull import KEY, TestServer, command, given
from tests.support.warehouse import query


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder, with the key in its environment variable."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEST_KEY", KEY)


def threads_of(warehouse: Path) -> list[str]:
    """The threads whose runs were loaded, in order."""
    return [name for (name,) in query(warehouse, "select distinct thread_id from runs order by all")]


def test_a_table_from_a_spreadsheet_is_a_list_of_threads(server: TestServer, warehouse: Path) -> None:
    """`--threads` reads the right column of a table in UTF-16, with a heading and an address."""
    server.world(threads=9, runs=90)
    rows = 'Titel;Thread ID\r\n"Hallo; Welt";thread_000002\r\n\r\n;https://x.example/threads/thread_000004\r\n'
    Path("threads.csv").write_text(rows, "utf-16")
    done = command(*given(server, "-w", warehouse, "--threads", "threads.csv"))
    assert (done.returncode, done.stderr) == (0, "")
    assert threads_of(warehouse) == ["thread_000002", "thread_000004"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--threads", "wrong.txt"], "default: wrong.txt: line 3 is no thread id: '..' (it is a step in a path)"),
        (["--threads", "columns.csv"], "default: columns.csv: 'a' and 'b' may both name the threads"),
        (["--threads-sql", "select 'thread_1' union all select ''"], "--threads-sql: row 2 is no thread id: ''"),
        (["--threads-sql", "select 'a/b'"], "--threads-sql: row 1 is no thread id: 'a/b' (it holds a slash)"),
        (
            ["--run", "thread_1/run_1", "--threads-sql", "select '.'"],
            "row 1 is no thread id: '.' (it is a step in a path)",
        ),
        (["--run", "../run_1"], "--run '../run_1': '..' is no thread id (it is a step in a path)"),
        (["--run", "thread_1/run 1"], "'run 1' is no run id (it holds a space)"),
    ],
)
def test_what_is_no_id_is_said_before_anything_is_requested(
    server: TestServer, new_warehouse: Path, arguments: list[str], words: str
) -> None:
    """What is no id is named with its place, with exit code 2 and without a request."""
    Path("wrong.txt").write_text("thread_1\n# here\n..\n")
    Path("columns.csv").write_text("a,b\nthread_1,thread_2\n")
    done = command(*given(server, "-w", new_warehouse, *arguments))
    assert (done.returncode, words in done.stderr, server.requests()) == (2, True, 0), done.stderr


def test_null_in_a_query_is_skipped(server: TestServer, warehouse: Path) -> None:
    """Null in `--threads-sql` is no thread, and the ids around it are read."""
    server.world(threads=9, runs=90)
    sql = "select * from (values (null), ('thread_000003'), (null), ('thread_000005'))"
    assert command(*given(server, "-w", warehouse, "--threads-sql", sql)).returncode == 0
    assert threads_of(warehouse) == ["thread_000003", "thread_000005"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_empty_list_is_said(server: TestServer, warehouse: Path, form: str) -> None:
    """A list without threads, as a failed export leaves behind, is a warning."""
    Path("empty.csv").write_text("thread_id\n")
    done = command(*given(server, "-w", warehouse, "--threads", "empty.csv", "--log-format", form))
    assert (done.returncode, server.requests()) == (0, 0)
    if form == "text":
        assert done.stderr == "runmart: default: empty.csv (--threads) names no threads\n"
    else:
        [event] = [event for line in done.stderr.splitlines() if (event := json.loads(line))["level"] == "warning"]
        assert (event["message"], event["source"], event["threads"]) == ("no threads", "default", "empty.csv")


@pytest.mark.slow
def test_standard_input_is_a_list_for_all_sources(server: TestServer, warehouse: Path) -> None:
    """`--threads -` is read once, for all sources."""
    server.world(threads=9, runs=90)
    source = f'base_url = "{server.url}/foundry"\nprofile = "azure-foundry"\napi_key_env = "TEST_KEY"\n'
    Path("runmart.toml").write_text(f"[sources.a]\n{source}[sources.b]\n{source}")
    listed = b'{"id": "thread_000001"}\n{"id": "thread_000007"}\n'
    done = launch("pull", "-w", warehouse, "--threads", "-", stdin=listed)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.partition("; ")[2].partition(",")[0] for line in done.stdout.splitlines()] == ["2 threads"] * 2
    assert threads_of(warehouse) == ["thread_000001", "thread_000007"]
    wrong = launch("pull", "a", "-w", warehouse, "--threads", "-", stdin=b"a b")
    assert (wrong.returncode, "a: standard input: line 1 is no thread id: 'a b'" in wrong.stderr) == (2, True)
