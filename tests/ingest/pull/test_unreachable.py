"""Servers that cannot be reached: each cause has its own sentence, soon, with and without a deadline."""

import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from runmart.ingest.pull.client import Patience
from runmart.ingest.pull.errors import PullError
from runmart.ingest.pull.providers import Server
from runmart.ingest.pull.schedule import Selection
from runmart.ingest.pull.unreachable import failure
from tests.support.pull import TestServer, pulled
from tests.support.tls import certificate, is_silent, listening, says, speaks_tls


@pytest.fixture(name="port_of")
def port_of_fixture(tmp_path: Path) -> Iterator[dict[str, int]]:
    """Ports of servers, by what is wrong with them."""
    with ExitStack() as stack:
        answers = {
            "plain": says(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
            "tls": speaks_tls(certificate(tmp_path, "localhost", 9)),
            "nginx": says(b"HTTP/1.1 400 No\r\n\r\n<h1>The plain HTTP request was sent to HTTPS port</h1>"),
            "closing": says(b""),
            "silent": is_silent,
        }
        ports = {name: stack.enter_context(listening(answer)) for name, answer in answers.items()}
        with socket.create_server(("127.0.0.1", 0)) as unused:
            ports["unused"] = unused.getsockname()[1]
        yield ports


CASES = {
    "misspelt host": ("http://no-such-host.invalid", r"(no host|the name) no-such-host\.invalid.*spelt right"),
    "refused connection": (
        "http://127.0.0.1:{unused}",
        r"127\.0\.0\.1 refuses connections to port {unused}.*server up",
    ),
    "TLS to a plain port": ("https://localhost:{plain}", r"localhost does not speak TLS at port {plain}.*http://"),
    "plain HTTP to a TLS port": ("http://localhost:{tls}", r"localhost closed the connection.*https://"),
    "plain HTTP to nginx with TLS": ("http://localhost:{nginx}", r"localhost wants TLS at this port.*https://"),
    "no answer at all": ("http://localhost:{closing}", r"localhost closed the connection without a whole answer"),
}


@pytest.mark.parametrize("deadline", [None, 5.0], ids=["no deadline", "deadline"])
@pytest.mark.parametrize(("address", "words"), CASES.values(), ids=CASES)
def test_why_a_server_cannot_be_reached_is_said_soon(
    port_of: dict[str, int], new_warehouse: Path, address: str, words: str, deadline: float | None
) -> None:
    """The sentence comes within seconds, not after all attempts; no deadline hides it, and nothing is written."""
    server = Server(address.format(**port_of), "compatible")
    started = time.monotonic()
    with pytest.raises(PullError, match=words.format(**port_of)):
        pulled(
            TestServer(1),
            new_warehouse,
            server=server,
            selection=Selection(["a"]),
            list_threads=False,
            deadline_seconds=deadline,
            patience=Patience(first_pause_seconds=0.05),
        )
    assert time.monotonic() - started < 3
    assert not new_warehouse.exists()


def test_a_silent_server_has_its_sentence_at_the_deadline(port_of: dict[str, int], new_warehouse: Path) -> None:
    """A server that accepts connections and answers nothing is not "hit its time limit"."""
    server = Server(f"http://localhost:{port_of['silent']}", "compatible")
    with pytest.raises(PullError, match=r"answered nothing within 0.3 s .--deadline.*is the server up"):
        pulled(TestServer(1), new_warehouse, server=server, deadline_seconds=0.3)


def test_a_connection_that_is_not_made_in_time_has_its_sentence(port_of: dict[str, int], new_warehouse: Path) -> None:
    """TLS that is never agreed on ends the pull after the time-out for connections."""
    server = Server(f"https://localhost:{port_of['silent']}", "compatible")
    patience = Patience(connect_seconds=0.3)
    with pytest.raises(PullError, match=r"no connection to localhost, port \d+, within 0.3 s.*firewall"):
        pulled(TestServer(1), new_warehouse, server=server, patience=patience)
    assert Patience().connect_seconds < 10


def test_a_name_that_is_not_looked_up_in_time_has_its_sentence(new_warehouse: Path) -> None:
    """Name servers that have not answered in time are not taken for a server or a firewall."""
    server = Server("http://no-such-host.invalid", "compatible")
    with pytest.raises(PullError, match=r"the name no-such-host.invalid cannot be looked up now"):
        pulled(TestServer(1), new_warehouse, server=server, patience=Patience(connect_seconds=0))


@pytest.mark.slow
@pytest.mark.parametrize("deadline", [[], ["--deadline", "2s"]], ids=["no deadline", "deadline"])
def test_silent_name_servers_do_not_hold_up_the_end(tmp_path: Path, deadline: list[str]) -> None:
    """The command ends soon with the sentence, though the system's resolver asks silent name servers for 30 s."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        try:
            silent.bind(("127.0.0.77", 53))
        except PermissionError:
            pytest.skip("port 53 is for root")
        names = tmp_path / "resolv.conf"
        names.write_text("nameserver 127.0.0.77\n" * 3)
        (tmp_path / "threads").write_text("a\n")
        script = 'mount --bind "$0" /etc/resolv.conf || exit 77; exec "$@"'
        command = [sys.executable, "-m", "runmart", "pull", "--warehouse", tmp_path / "new.duckdb", *deadline]
        source = ["--base-url", "https://api.example.com", "--profile", "compatible", "--threads", tmp_path / "threads"]
        started = time.monotonic()
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, names, *command, *source],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("this machine allows no mounts of one's own")
    assert time.monotonic() - started < 15  # half of it is for a busy machine
    assert "the name api.example.com cannot be looked up now" in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("host", "days", "words"),
    [
        ("example.com", 9, "certificate of localhost is for another host"),
        ("localhost", -1, "certificate of localhost has expired"),
        ("localhost", 9, r"certificate of localhost cannot be verified.*SSL_CERT_FILE"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_said(
    new_warehouse: Path, monkeypatch: pytest.MonkeyPatch, host: str, days: float, words: str
) -> None:
    """A certificate for another host, an expired one and an unknown authority are told apart."""
    path = certificate(new_warehouse.parent, host, days)
    if "cannot be verified" not in words:
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with listening(speaks_tls(path)) as port, pytest.raises(PullError, match=words):
        pulled(TestServer(1), new_warehouse, server=Server(f"https://localhost:{port}", "compatible"))


def test_causes_that_no_test_can_bring_about_have_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    """No route, a name server that does not answer, several addresses, and a proxy, whose password is not shown."""

    def said(*causes: Exception) -> str:
        error = httpx2.ConnectError("")
        error.__cause__ = ExceptionGroup("all addresses", causes)
        return failure(error, "https://host.example/x", 8).sentence

    no_route = OSError(113, "Connect call failed")
    assert "there is no route to host.example" in said(no_route)
    assert "there is no route to host.example" in said(ValueError(), no_route)
    assert "cannot be looked up now" in said(socket.gaierror(socket.EAI_AGAIN, "Temporary failure"))
    assert "do not agree on TLS at port 443" in said(ssl.SSLError(1, "no protocols available"))
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy.example")
    assert "no connection to the proxy in HTTPS_PROXY" in said(no_route)
    assert "secret" not in said(no_route)
    proxy = failure(httpx2.ProxyError("403 Forbidden"), "https://host.example/x", 8).sentence
    assert "the proxy does not lead to host.example" in proxy


def test_a_server_that_was_there_is_waited_for(server: TestServer, warehouse: Path) -> None:
    """Connections that break in the middle of a pull are retried as before."""
    server.world(threads=3, runs=9, reset=0.5, seed=4)
    outcome = pulled(server, warehouse)
    assert outcome.totals.new_runs == 9
    assert outcome.counters.retries > 0
