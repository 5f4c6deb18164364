"""A server of the threads/runs API that is not ours, with the official client: the package myla, in `.venv-myla`."""

import json
import os
import re
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import Request, urlopen

from tests.support.paths import ROOT

PYTHON = ROOT / ".venv-myla" / "bin" / "python"
ECHO = "mock@echo"
"""A model of myla's own that repeats the last message."""
NONE = "none@none"
"""A model that myla does not have: its runs fail."""
GATE = {"type": "gate"}
"""A tool that its runs wait for, until the server's gate is open; at most 5 minutes."""
_SECONDS = 60.0
_Found = TypeVar("_Found")


class _Handler(BaseHTTPRequestHandler):
    """What the tool is for myla: an address that answers with the messages it is sent, once the gate is open."""

    is_open: threading.Event

    def do_POST(self) -> None:
        """Answer when the gate is open."""
        messages = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.is_open.wait()
        with suppress(ConnectionError):  # myla has been stopped, or waits no longer
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps({"messages": messages, "llm_args": {}, "message_metadata": {}}).encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - so the library calls it
        """Keep the tests' output clean."""


class Myla:
    """A running server, with a client that has a key."""

    def __init__(self, folder: Path, url: str, key: str, gate: threading.Event, client: subprocess.Popen[str]) -> None:
        self.url = url
        self.key = key
        self.gate = gate
        """What runs with the tool `GATE` wait for."""
        self._folder = folder
        self._client = client
        self._requests_seen = 0

    def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Call a method of the official client, such as `threads.create`."""
        assert self._client.stdin
        assert self._client.stdout
        self._client.stdin.write(json.dumps([name, arguments]) + "\n")
        self._client.stdin.flush()
        return json.loads(self._client.stdout.readline())

    def query(self, text: str) -> list[tuple[Any, ...]]:
        """The rows of a query of the server's own database."""
        with closing(sqlite3.connect(f"file:{self._folder / 'myla.db'}?mode=ro", uri=True, timeout=_SECONDS)) as opened:
            return opened.execute(text).fetchall()

    def wait_until_only(self, open_runs: int) -> None:
        """Wait until so many runs have not ended, and these are in progress."""

        def is_reached() -> bool | None:
            found = dict(self.query("select status, count(*) from run group by status"))
            return (found.get("queued", 0), found.get("in_progress", 0)) == (0, open_runs) or None

        _wait_for(is_reached, f"{open_runs} open runs")

    def requests(self) -> list[str]:
        """The paths and queries that were read since the last call."""
        found = re.findall(r'"GET (\S+)', (self._folder / "log").read_text())
        self._requests_seen, seen = len(found), self._requests_seen
        return found[seen:]


@contextmanager
def serving(folder: Path) -> Generator[Myla]:
    """A server with an empty database in a folder, which is stopped on exit."""
    if not PYTHON.exists():
        raise FileNotFoundError(f"{PYTHON} is missing: make {PYTHON.parents[1].name}/.dev")
    with ExitStack() as stack:
        gate = threading.Event()
        tool = stack.enter_context(_tool(gate))
        url = stack.enter_context(_server(folder, tool)) + "/api/v1"
        stack.callback(gate.set)
        key = _log_in(url)
        yield Myla(folder, url, key, gate, stack.enter_context(_client(url, key)))


@contextmanager
def _tool(gate: threading.Event) -> Generator[str]:
    """The address of the tool."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"is_open": gate})) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def _server(folder: Path, tool: str) -> Generator[str]:
    """The address of the server, which finds a free port itself and writes it into its log."""
    settings = {
        "DATABASE_URL": f"sqlite:///{folder / 'myla.db'}",
        "DEFAULT_LLM_MODEL_NAME": ECHO,
        "TOOLS": json.dumps([{"name": GATE["type"], "impl": "myla.tools.HTTPTool", "args": {"url": tool}}]),
    }
    words = [PYTHON, "-m", "myla", "--host", "127.0.0.1", "--port", "0", "--data", folder / "data"]
    path = folder / "log"
    with path.open("wb") as log:
        process = subprocess.Popen(words, cwd=folder, env=_environment(**settings), stdout=log, stderr=log)
    try:

        def address() -> str | None:
            if process.poll() is not None:
                raise ChildProcessError(path.read_text())
            found = re.search(r"running on (http://[\d.:]+)", path.read_text())
            return found and found[1]

        yield _wait_for(address, "myla's address")
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _client(url: str, key: str) -> Generator[subprocess.Popen[str]]:
    """A process that makes the calls of the official client, and ends with its standard input."""
    words = [PYTHON, "-P", "-W", "ignore", Path(__file__).with_name("myla_client.py"), url, key]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, env=_environment(), stdin=pipe, stdout=pipe, text=True) as process:
        yield process


def _log_in(url: str) -> str:
    """A key of the administrator that myla makes."""
    body = json.dumps({"username": "admin", "password": "admin"}).encode()
    request = Request(f"{url}/users/admin/login", body, {"Content-Type": "application/json"})  # noqa: S310 - ours
    with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - ours
        return json.load(answer)["secret_key"]["id"]


def _environment(**settings: str) -> dict[str, str]:
    """The environment variables of a process, without settings and keys of whoever runs the tests."""
    return {"PATH": os.environ["PATH"], **settings}


def _wait_for(find: Callable[[], _Found | None], what: str) -> _Found:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        if (found := find()) is not None:
            return found
        time.sleep(0.1)
    raise TimeoutError(what)
