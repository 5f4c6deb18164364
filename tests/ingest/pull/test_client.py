"""The HTTP client: requests per vendor, retries, rate limits, and that the key is sent to one host only."""

import asyncio
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from runmart.ingest.errors import SettingsError
from runmart.ingest.pull.client import Client, Patience
from runmart.ingest.pull.credentials import Key, from_command, from_environment, from_file
from runmart.ingest.pull.errors import GoneError, PullError, RefusedError, ThreadError
from runmart.ingest.pull.providers import PROFILES, ProfileName, Server
from runmart.ingest.pull.schedule import Selection
from tests.support.pull import HURRIED, KEY, TestServer, assert_equals_truth, given_key, pulled
from tests.support.warehouse import query

BASES: dict[str, tuple[str, ProfileName, str | None]] = {
    "openai": ("/openai", "openai", None),
    "openai with v1": ("/openai/v1/", "openai", None),
    "azure-openai": ("/azure", "azure-openai", None),
    "azure-openai v1": ("/azure", "azure-openai", "v1"),
    "azure-foundry": ("/foundry", "azure-foundry", None),
    "compatible": ("/compatible/api", "compatible", None),
}


@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
def test_each_kind_of_server_is_asked_in_its_own_way(
    server: TestServer, warehouse: Path, tmp_path: Path, base: tuple[str, ProfileName, str | None]
) -> None:
    """Requests have the paths, headers and API version of the vendor; the server refuses any other."""
    path, profile, version = base
    server.world(threads=4, runs=150)
    names = {run["thread_id"] for run in server.truth()}
    pulled(
        server,
        warehouse,
        server=Server(server.url + path, profile, version),
        selection=Selection(sorted(names)),
        list_threads=PROFILES[profile].lists_threads,
    )
    assert_equals_truth(server, warehouse, tmp_path)


def test_a_server_that_lists_no_threads_says_so(server: TestServer, warehouse: Path) -> None:
    """A server without a list of threads ends the pull with a message that names the options for threads."""
    server.world(threads=1, runs=1, lists_threads=False)
    with pytest.raises(SettingsError, match=r"lists no threads .404.*--threads-sql"):
        pulled(server, warehouse)


def test_a_refused_key_stops_at_once_and_names_the_setting(server: TestServer, warehouse: Path) -> None:
    """A refused key ends the pull after one request, with a message that names its setting."""
    server.world(threads=5, runs=10)
    wrong = Key("$WRONG_KEY (--api-key-env)", lambda: ("sk-wrong-0123456789", None))
    with pytest.raises(PullError, match=r"401: .* refused the key from \$WRONG_KEY \(--api-key-env\)") as caught:
        pulled(server, warehouse, key=wrong)
    assert "sk-wrong" not in str(caught.value)
    assert server.requests() == 1
    with pytest.raises(PullError, match="wants a key"):
        pulled(server, warehouse, key=None)


def test_a_key_that_was_changed_meanwhile_is_read_again(server: TestServer, warehouse: Path, tmp_path: Path) -> None:
    """After status 401 a key from a file or a command is read once more."""
    server.world(threads=2, runs=10)
    (tmp_path / "key").write_text("old\n")
    key = from_file(tmp_path / "key")
    assert key.value() == "old"
    (tmp_path / "key").write_text(f"{KEY}\n")
    assert pulled(server, warehouse, key=key).totals.new_runs == 10


@pytest.mark.parametrize(
    "location", ["http://localhost:{port}", "http://127.0.0.1:{other}", "https://127.0.0.1:{port}"]
)
def test_redirects_to_another_host_never_carry_the_key(server: TestServer, warehouse: Path, location: str) -> None:
    """Redirects to another host are not followed; where all is redirected, the message names the target."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = server.url.rpartition(":")[2]
        target = location.format(port=port, other=other.getsockname()[1])
        server.world(threads=1, runs=1, redirect_to=target)
        base = Server(f"{server.url}/azure", "azure-openai")
        with pytest.raises(PullError, match=f"redirects to {target}: the key was not sent"):
            pulled(server, warehouse, server=base, selection=Selection(["thread_000000"]), list_threads=False)
        assert server.requests() == 1
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.accept()


async def _get(client: Client, path: str = "/thread_000000/runs") -> None:
    async with client:
        await client.get(client._server.threads + path)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


def _client(server: TestServer, patience: Patience = HURRIED) -> Client:
    return Client(Server(f"{server.url}/foundry", "azure-foundry"), given_key(), 4, patience)


@pytest.mark.parametrize(("after", "status"), [("1", 429), ("date", 429), ("1.2", 503)])
def test_retry_after_is_waited_for(server: TestServer, after: str, status: int) -> None:
    """Retry-After holds for status 429 and 503, in seconds or as a date by the server's clock."""
    clock_offset = -86_400 if after == "date" else 0
    server.world(threads=1, runs=1, storm=1, storm_status=status, retry_after=after, clock_offset=clock_offset)
    client = _client(server)
    started = time.monotonic()
    asyncio.run(_get(client))
    assert time.monotonic() - started > (0.9 if after == "date" else 1.0)
    assert (client.counters.retries, client.counters.throttled) == (1, int(status == 429))


def test_a_pause_holds_for_all_requests(server: TestServer) -> None:
    """During a back-off that the server asks for, no request is sent."""
    server.world(threads=1, runs=1, storm=1, retry_after="1")

    async def ask() -> None:
        async with _client(server) as client:
            address = client._server.runs("thread_000000")  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
            first = asyncio.create_task(client.get(address))
            await asyncio.sleep(0.3)
            started = time.monotonic()
            await client.get(address)
            assert time.monotonic() - started > 0.5
            await first

    asyncio.run(ask())


def test_a_server_that_asks_for_hours_is_left_alone(server: TestServer) -> None:
    """A longer back-off than the limit ends the pull; the next pull continues it."""
    server.world(threads=1, runs=1, storm=1, retry_after="7200")
    with pytest.raises(PullError, match="come back in 7200 s"):
        asyncio.run(_get(_client(server)))
    assert server.requests() == 1


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"broken": 1.0}, ThreadError),
        ({"reset": 1.0}, PullError),
        ({"missing": ["thread_000000"]}, GoneError),
        ({"forbidden": ["thread_000000"]}, RefusedError),
    ],
)
def test_what_does_not_pass_is_an_error(server: TestServer, settings: dict[str, Any], error: type[Exception]) -> None:
    """Transient failures are an error after the last attempt, other failures after the first."""
    server.world(threads=1, runs=1, **settings)
    with pytest.raises(error):
        asyncio.run(_get(_client(server)))
    assert server.requests() == (HURRIED.attempts if {"broken", "reset"} & set(settings) else 1)


def test_an_answer_that_takes_for_ever_is_given_up(server: TestServer) -> None:
    """The time-out holds for the whole response, however steadily bytes arrive."""
    server.world(threads=1, runs=1, delay_seconds=5)
    patience = Patience(attempts=2, first_pause_seconds=0.01, answer_seconds=0.3)
    with pytest.raises(PullError, match=r"no whole answer within 0.3 s"):
        asyncio.run(_get(_client(server, patience)))


def test_a_server_that_is_down_ends_the_pull(new_warehouse: Path) -> None:
    """A server that is down ends the pull, without a try for each thread."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    nowhere = TestServer(port)
    with pytest.raises(PullError, match=r"127.0.0.1 refuses connections to port \d+; .*--base-url"):
        pulled(nowhere, new_warehouse, selection=Selection(["a", "b"]), list_threads=False)
    assert not new_warehouse.exists()


def test_certificates_are_always_verified(warehouse: Path, tmp_path: Path) -> None:
    """A self-signed certificate is refused before a request is sent."""
    import threading

    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run([*request, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def serve() -> None:
            try:
                connection, _ = listening.accept()
                with context.wrap_socket(connection, server_side=True) as secured:
                    heard.append(secured.recv(1000))
            except OSError:
                return

        thread = threading.Thread(target=serve)
        thread.start()
        base = Server(f"https://localhost:{listening.getsockname()[1]}", "compatible")
        with pytest.raises(PullError, match=r"certificate .* cannot be verified.*SSL_CERT_FILE"):
            pulled(TestServer(1), warehouse, server=base, selection=Selection(["a"]), list_threads=False)
        thread.join()
    assert heard in ([], [b""])


def test_keys_come_from_the_environment_a_file_or_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are read from each source, and errors do not show them."""
    monkeypatch.setenv("SOME_KEY", " secret-1 \n")
    assert from_environment("SOME_KEY").value() == "secret-1"
    assert from_command("printf secret-2").value() == "secret-2"
    for key, words in (
        (from_environment("NO_KEY"), "NO_KEY is not set"),
        (from_file(tmp_path / "none"), "cannot be read"),
        (from_command("false"), "exit code 1"),
        (from_command("/no/such/program"), "did not run"),
        (from_command("true"), "is empty"),
        (from_command("printf 'two\nlines'"), "no header can carry"),
    ):
        with pytest.raises((PullError, SettingsError), match=words):
            key.value()
    assert "secret" not in repr(from_command("printf secret-2"))


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("api.example.com", "https://api.example.com"),
        ("ftp://api.example.com", "must be an address"),
        ("http://[secret", "must be an address"),
        ("http://api.example.com:99999", "must be an address"),
        ("https://user:secret@api.example.com", "no user"),
        ("https://api.example.com?key=secret", "no user, password or query"),
    ],
)
def test_a_base_url_is_an_address_and_nothing_else(base: str, words: str) -> None:
    """A base URL with a password or a query is refused by a message that does not repeat it."""
    with pytest.raises(SettingsError, match=words) as caught:
        Server(base, "openai")
    assert "secret" not in str(caught.value)


def test_ids_are_quoted_in_addresses(server: TestServer, warehouse: Path) -> None:
    """Thread ids are percent-encoded, so that none can change the path of a request."""
    server.world(threads=1, runs=1)
    outcome = pulled(server, warehouse, selection=Selection(["../_admin/truth", "a/b?c#d"]), list_threads=False)
    assert outcome.failures.total() == 2
    assert not [path for path in server.steer("log")["paths"] if "_admin" in path and "threads" not in path]
    assert query(warehouse, "select count(*) from runs") == [(0,)]


def test_the_official_client_sees_the_same_runs(server: TestServer, warehouse: Path) -> None:
    """The official client reads the same runs from the test server, which shows that the server is realistic."""
    import warnings

    import openai

    server.world(threads=5, runs=250, page_cap=100)
    names = sorted({run["thread_id"] for run in server.truth()})
    base = Server(f"{server.url}/openai", "openai")
    pulled(server, warehouse, server=base, selection=Selection(names), list_threads=False)
    found: set[tuple[Any, ...]] = set()
    with (
        warnings.catch_warnings(),
        openai.OpenAI(api_key=KEY, base_url=f"{server.url}/openai/v1") as client,
    ):
        warnings.simplefilter("ignore", DeprecationWarning)
        for name in names:
            runs = client.beta.threads.runs
            for run in runs.list(name, limit=100):  # pyright: ignore[reportDeprecated]
                tokens = run.usage.total_tokens if run.usage else None
                found.add((run.id, run.status, run.created_at, run.model, run.thread_id, tokens))
    stored = query(
        warehouse,
        """
        select run_id, status, cast(epoch(created_at) as bigint), model, runs.thread_id, total_tokens
        from runs left join usage using (run_id)""",
    )
    assert set(stored) == found
    assert len(found) == 250
