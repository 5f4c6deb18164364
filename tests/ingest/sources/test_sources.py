"""Inputs: how sources are discovered and read."""

import gzip
import http.server
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from runmart.ingest.sources.input import Input
from runmart.ingest.sources.reader import content_hash
from tests.support import s3 as buckets
from tests.support.command import RUNMART, command, launch
from tests.support.warehouse import load, page, query, run, write


def stored(warehouse: Path) -> list[str]:
    """The ids of the runs in a warehouse."""
    return [row[0] for row in query(warehouse, "select run_id from runs order by all")]


def test_files_folders_and_patterns_are_read_and_hidden_files_are_not(warehouse: Path, pages: Path) -> None:
    """Sources are files, folders (recursive) and globs."""
    (pages / "deep" / "er").mkdir(parents=True)
    (pages / ".git").mkdir()
    write(pages / "a.json", page(run("a")))
    write(pages / "deep" / "er" / "b", page(run("b")))
    write(pages / "deep" / "c.txt", page(run("c")))
    write(pages / ".DS_Store", b"\0\0\0")
    write(pages / ".git" / "index", b"\0\0\0")
    load(warehouse, pages / "*.json")
    assert stored(warehouse) == ["a"]
    load(warehouse, pages / "**" / "*.txt", pages)
    assert stored(warehouse) == ["a", "b", "c"]
    assert query(warehouse, "select count(*) from runmart.rejects") == [(0,)]


PLAIN = page(run("a"), run("b"))
STORED: dict[str, bytes] = {
    "gzip": gzip.compress(PLAIN),
    "two gzip members": gzip.compress(PLAIN[:10]) + gzip.compress(PLAIN[10:]),
    "zstd": pa.compress(PLAIN, "zstd", asbytes=True),
    "a byte order mark": b"\xef\xbb\xbf" + PLAIN,
}


@pytest.mark.parametrize("form", STORED)
def test_compression_is_recognised_by_content(form: str, warehouse: Path, pages: Path) -> None:
    """Inputs are recognised by content, not by file name, plain or compressed (gzip, zstd)."""
    write(pages / "page.json", STORED[form])
    load(warehouse, pages)
    assert stored(warehouse) == ["a", "b"]


def test_standard_input_is_a_source(warehouse: Path, pages: Path) -> None:
    """`-` is standard input; redirected from a file it has the file's time."""
    assert launch("ingest", "-", "-w", warehouse, stdin=page(run("a"))).returncode == 0
    path = write(pages / "p.json", page(run("b")), 1_650_000_000)
    with path.open("rb") as file:
        subprocess.run([RUNMART, "ingest", "-", "-w", warehouse], stdin=file, check=True, capture_output=True)
    assert stored(warehouse) == ["a", "b"]
    seen = query(warehouse, "select epoch_us(observed_at) from runs where run_id = 'b'")
    assert seen == [(1_650_000_000_000_000,)]


def test_a_pipe_with_a_name_is_read_once(warehouse: Path, pages: Path) -> None:
    """A named pipe, as in `<(zcat pages.gz)`, is read."""
    pipe = pages / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(page(run("a"))))
    writer.start()
    assert command("ingest", pipe, "-w", warehouse).returncode == 0
    writer.join()
    assert stored(warehouse) == ["a"]


def test_observed_at_can_be_given(warehouse: Path, pages: Path) -> None:
    """`observed_at` is `--observed-at` when given, else the file's modification time."""
    write(pages / "p.json", page(run("a")))
    command("ingest", pages, "-w", warehouse, "--observed-at", "2024-05-01T12:00:00")
    assert query(warehouse, "select epoch_us(observed_at) from runs") == [(1_714_564_800_000_000,)]


def test_unchanged_inputs_are_skipped_and_counted(warehouse: Path, pages: Path) -> None:
    """Unchanged inputs (same address, size and hash) are skipped on the next run; `--reload` overrides."""
    write(pages / "a.json", page(run("a")))
    write(pages / "b.json", page(run("b")))
    assert load(warehouse, pages).totals.inputs == 2
    write(pages / "b.json", page(run("c")))  # of the same size
    again = load(warehouse, pages).totals
    assert (again.inputs, again.inputs_unchanged, again.new_runs) == (1, 1, 1)
    reloaded = load(warehouse, pages, reload=True).totals
    assert (reloaded.inputs, reloaded.inputs_unchanged, reloaded.unchanged) == (2, 0, 2)
    assert query(warehouse, "select count(*) from runmart.inputs") == [(3,)], "one row per input and content"


class Server(http.server.BaseHTTPRequestHandler):
    """A web server of one page; `/secret` needs its query, `/short` breaks off, other paths are errors or a loop."""

    def do_GET(self) -> None:
        """Respond to a request."""
        body = page(run("a"))
        if self.path in {"/403", "/500"}:
            self.send_error(int(self.path[1:]))
            return
        if self.path == "/loop":
            self.send_response(302)
            self.send_header("Location", "/loop")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if not self.path.startswith(("/page", "/short", "/secret?sig=hush")):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) * (2 if self.path == "/short" else 1)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Log nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a web server on this machine."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_a_page_behind_a_url_is_read(server: str, warehouse: Path) -> None:
    """Sources are `https://` addresses, too."""
    assert command("ingest", f"http://{server}/page", "-w", warehouse).returncode == 0
    assert stored(warehouse) == ["a"]
    assert query(warehouse, "select address from runmart.inputs") == [(f"http://{server}/page",)]


def test_a_download_that_breaks_off_is_a_reject(server: str, warehouse: Path) -> None:
    """A response that is cut short is a reject with its reason, and the load continues."""
    done = command("ingest", f"http://{server}/short", f"http://{server}/page", "-w", warehouse)
    assert done.returncode == 3
    assert stored(warehouse) == ["a"]
    assert "broke off" in query(warehouse, "select reason from runmart.rejects")[0][0]


UNREACHABLE = {
    "http://127.0.0.1:1/x?sig=hush": "http://127.0.0.1:1/x: cannot be reached: Connection refused; check the address",
    "https://no-such-host.invalid/x": "https://no-such-host.invalid/x: cannot be reached: ",
    "https://SERVER/page": "https://SERVER/page: cannot be reached: [SSL",
    "http://SERVER/nowhere": "http://SERVER/nowhere: cannot be fetched: the server answered 404 Not Found; check the",
    "http://SERVER/403": "the server answered 403 Forbidden; check the address, and whether it holds what permits",
    "http://SERVER/500": "the server answered 500 Internal Server Error; try again later",
    "http://SERVER/loop": "http://SERVER/loop: cannot be reached: it is redirected again and again; check",
    "s3://nowhere/x": "s3://nowhere/x: cannot be listed: ",
}
NO_S3 = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.mark.parametrize(
    "url", [pytest.param(url, marks=pytest.mark.slow) if url.startswith("s3:") else url for url in UNREACHABLE]
)  # S3 is tried for long
def test_a_url_that_cannot_be_reached_is_a_failure(url: str, server: str, warehouse: Path, pages: Path) -> None:
    """Such a URL ends the load with 1 and a sentence, not with a reject; all other sources are loaded."""
    message = UNREACHABLE[url].replace("SERVER", server)
    url = url.replace("SERVER", server)
    alone = command("ingest", url, "-w", warehouse, environment=NO_S3)
    assert alone.returncode == 1
    assert alone.stderr.startswith("runmart: ")
    assert message in alone.stderr
    assert "hush" not in alone.stderr
    assert len(alone.stderr.splitlines()) == 1
    write(pages / "b.json", page(run("b")))
    write(pages / "c.json", b"{broken")
    among = command("ingest", f"http://{server}/page", url, pages, "-w", warehouse, environment=NO_S3)
    assert (among.returncode, message in among.stderr) == (1, True)
    assert among.stderr.endswith("; all that could be read was loaded\n")
    assert stored(warehouse) == ["a", "b"]
    assert query(warehouse, "select state, new_runs, rejected from runmart.loads order by load_id") == [
        ("failed", 0, 0),
        ("failed", 2, 1),
    ]
    assert query(warehouse, "select count(*) from runmart.rejects where input not like '%c.json'") == [(0,)]


def test_a_path_that_is_not_there_is_said_before_a_url_is_read(server: str, warehouse: Path, pages: Path) -> None:
    """All local sources are checked before the first input is read."""
    done = command("ingest", f"http://{server}/page", pages / "nowhere", "-w", warehouse)
    assert (done.returncode, "nowhere: no such file" in done.stderr) == (1, True)
    assert stored(warehouse) == []


def test_secrets_of_a_url_reach_nothing(server: str, warehouse: Path) -> None:
    """Secrets never reach the file, a log, an error or a traceback."""
    url = f"http://somebody:pass-word@{server}/secret?sig=hush"
    done = command("ingest", url, url + "x&other=hush", "-w", warehouse, "--json", "--log-format", "json")
    closed = command("ingest", "http://somebody:pass-word@127.0.0.1:9/x?sig=hush", "-w", warehouse)
    assert (done.returncode, closed.returncode) == (0, 1)
    assert stored(warehouse) == ["a"]
    shown = command("rejects", "-w", warehouse, "--json")
    for text in (done.stdout, done.stderr, closed.stdout, closed.stderr, shown.stdout):
        assert "hush" not in text
        assert "pass-word" not in text
    assert b"hush" not in warehouse.read_bytes()
    assert b"pass-word" not in warehouse.read_bytes()


@pytest.fixture
def bucket() -> Iterator[dict[str, str]]:
    """Environment variables to connect to an S3 server with an empty bucket."""
    with buckets.serving() as environment:
        yield environment


def test_pages_in_a_bucket_are_read(bucket: dict[str, str], warehouse: Path) -> None:
    """Sources are `s3://` addresses: an object, a prefix, a pattern."""
    system = buckets.files(bucket)
    for key, run_id in (("one.json", "a"), ("deep/two.json", "b"), ("deep/three.txt", "c")):
        with system.open_output_stream(f"pages/{key}") as file:
            file.write(page(run(run_id)))
    for source, expected in (
        ("s3://pages/one.json", ["a"]),
        ("s3://pages/deep/*.json", ["a", "b"]),
        ("s3://pages/", ["a", "b", "c"]),
    ):
        done = command("ingest", source, "-w", warehouse, environment=bucket)
        assert done.returncode == 0, done
        assert stored(warehouse) == expected
    assert command("ingest", "s3://nowhere/x", "-w", warehouse, environment=bucket).returncode == 1


def test_what_was_read_long_ago_is_not_read_again(
    warehouse: Path, pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of the same size and time is skipped without reading it, unless it may have changed while it was read."""
    read: list[str] = []

    def recorded(item: Input, prefix: str) -> str:
        read.append(Path(item.address).name)
        return content_hash(item, prefix)

    monkeypatch.setattr("runmart.ingest.load.seen_inputs.content_hash", recorded)
    for name in "abc":
        write(pages / f"{name}.json", page(run(name)))
    load(warehouse, pages)
    assert load(warehouse, pages).totals.inputs_unchanged == 3
    assert read == ["a.json", "b.json", "c.json"], "they were written at the very moment when they were read"
    with duckdb.connect(warehouse) as connection:
        connection.execute("update runmart.loads set started_at = started_at + interval 1 hour")
    os.utime(pages / "c.json", (1_600_000_000, 1_600_000_000))
    read.clear()
    assert load(warehouse, pages).totals.inputs_unchanged == 3
    assert read == ["c.json"]
