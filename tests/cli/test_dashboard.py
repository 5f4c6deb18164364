"""`runmart dashboard`: who has access, and which arguments are refused."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runmart.notebooks.serve import ASSETS
from tests.support.command import command
from tests.support.dashboards import RUNMART, served
from tests.support.warehouse import page, run, write


@pytest.fixture(name="warehouse")
def _warehouse(tmp_path: Path) -> Path:
    file = write(tmp_path / "1.json", page(run("a", created_at=1_754_870_400, model="gpt-4o")))
    assert command("ingest", file, "-w", tmp_path / "runs.duckdb").returncode == 0
    return tmp_path / "runs.duckdb"


def status(address: str, **headers: str) -> int:
    """The HTTP status of a page after redirects, with the cookies that are set on the way."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    try:
        with opener.open(urllib.request.Request(address, headers=headers), timeout=30) as answer:  # noqa: S310 - our own
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_this_machine_needs_no_token(warehouse: Path) -> None:
    """By default the server listens on 127.0.0.1 only, and serves all dashboards without a token."""
    with served(warehouse) as address:
        assert address.startswith("http://127.0.0.1:")
        for name in ("", "overview/", "latency/", "failures/", "costs/", "migration/", "operations/"):
            assert status(f"{address}/{name}") == 200, name
        assert status(f"{address}/nothing/") == 404
        assert status(f"{address}/assets-0/../../serve.py") == 404
        port = int(address.rpartition(":")[2])
        with socket.socket() as other, pytest.raises(OSError):  # noqa: PT011 - whatever the system says
            other.connect((_address_of_this_machine(), port))


def _address_of_this_machine() -> str:
    """An address of this machine other than loopback, or an unused address if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))
        except OSError:
            return "192.0.2.1"
        return asked.getsockname()[0]


def _websocket(address: str) -> str:
    """The status line of the response to a websocket request for a notebook, without a token."""
    port = int(address.rpartition(":")[2])
    lines = ["GET /overview/ws?session_id=1 HTTP/1.1", "Host: localhost", "Connection: Upgrade", "Upgrade: websocket"]
    lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", ""]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode())
        return connection.recv(100).decode().partition("\r\n")[0]


@contextmanager
def running(warehouse: Path, *arguments: str) -> "Generator[tuple[subprocess.Popen[str], str]]":
    """A running dashboard server and the address that it prints; it is stopped on exit."""
    command_line = [RUNMART, "dashboard", "-w", warehouse, "--no-browser", *arguments]
    server = subprocess.Popen(command_line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server, server.stdout.readline().strip().partition(": ")[2]
    finally:
        server.kill()
        server.communicate()


def test_names_of_others_do_not_lead_here(warehouse: Path) -> None:
    """Requests with a foreign host name are refused (DNS rebinding)."""
    with served(warehouse) as address:
        assert status(f"{address}/overview/", Host="localhost:1") == 200
        assert status(f"{address}/overview/", Host="evil.example.com") == 400


def test_others_need_the_token(warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other machines need the token: the configured one, or a new one in the printed address and nowhere else."""
    monkeypatch.setenv("RUNMART_DASHBOARD_TOKEN", "our-own-token")
    with running(warehouse, "--host", "0.0.0.0", "--port", "0") as (server, printed):  # noqa: S104 - is what is tested
        assert printed.endswith("/overview/?access_token=our-own-token")
        address = printed.partition("/overview/")[0]
        for path in ("overview/", "costs/", "overview/api/status", f"{ASSETS.strip('/')}/index.html"):
            assert status(f"{address}/{path}") == 401
            assert status(f"{address}/{path}?access_token=another") == 401
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        for path in ("overview/?access_token=our-own-token&grain=day", "costs/", "?x"):
            with opener.open(f"{address}/{path}", timeout=30) as answer:
                assert answer.status == 200
                assert "our-own-token" not in answer.url
        assert _websocket(address) == "HTTP/1.1 403 Forbidden"
        server.send_signal(signal.SIGINT)
        _, error = server.communicate(timeout=30)
    assert server.returncode == 0
    assert "our-own-token" not in error
    monkeypatch.delenv("RUNMART_DASHBOARD_TOKEN")
    tokens: list[str] = []
    for _ in range(2):
        with running(warehouse, "--host", "0.0.0.0", "--port", "0") as (_, printed):  # noqa: S104
            tokens.append(printed.partition("access_token=")[2])
    assert len(set(tokens)) == 2
    assert min(map(len, tokens)) > 20


def test_what_cannot_be_shown_is_refused_at_once(warehouse: Path, tmp_path: Path) -> None:
    """A missing warehouse, an unusable port or an unknown dashboard is an error at the start."""
    done = command("dashboard", "-w", tmp_path / "none.duckdb", "--no-browser")
    assert (done.returncode, "no such warehouse" in done.stderr) == (1, True)
    (tmp_path / "text.duckdb").write_text("no warehouse")
    assert command("dashboard", "-w", tmp_path / "text.duckdb", "--no-browser").returncode == 1
    assert command("dashboard", "coasts", "-w", warehouse).returncode == 2
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = command("dashboard", "-w", warehouse, "--port", port, "--no-browser")
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr


def test_the_browser_is_opened(warehouse: Path, tmp_path: Path) -> None:
    """The command opens the address of the named dashboard in the browser."""
    opened = tmp_path / "opened"
    (tmp_path / "browser").write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    (tmp_path / "browser").chmod(0o755)
    command_line = [RUNMART, "dashboard", "costs", "-w", warehouse, "--port", "0"]
    environment = {**os.environ, "BROWSER": str(tmp_path / "browser")}
    server = subprocess.Popen(command_line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip().partition(": ")[2]
        deadline = time.monotonic() + 20
        while not (opened.exists() and opened.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        server.kill()
        server.communicate()
    assert opened.read_text().strip() == address
    assert address.endswith("/costs/")
