"""Proxies and certificates of the environment that cannot be used: named by their variables, never by their values."""

from pathlib import Path

import pytest

from tests.support.command import command

PULL = ("pull", "--base-url", "https://127.0.0.1:9", "--profile", "compatible", "--api-key-env", "TEST_KEY")
NAMES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")


@pytest.mark.parametrize("command_line", [(PULL, 2), (("ingest", "https://127.0.0.1:9/runs.json"), 1)])
@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (("ALL_PROXY", "socks5://user:hunter2@127.0.0.1:1"), "ALL_PROXY names a SOCKS proxy"),
        (
            ("HTTPS_PROXY", "ftp://user:hunter2@host"),
            "HTTPS_PROXY names no proxy that can be used; its form is http://",
        ),
        (
            ("HTTP_PROXY", "http://user:hunter2/x@proxy:8080"),
            "HTTP_PROXY names no proxy that can be used; its form is http://",
        ),
        (("SSL_CERT_FILE", "/nowhere/hunter2.pem"), "SSL_CERT_FILE names a file that cannot be used: No such file"),
    ],
)
def test_what_cannot_be_used_is_named(
    new_warehouse: Path,
    monkeypatch: pytest.MonkeyPatch,
    command_line: tuple[tuple[str, ...], int],
    setting: tuple[str, str],
    words: str,
) -> None:
    """Pulls and loads say which variable it is."""
    (arguments, code), (name, value) = command_line, setting
    for other in NAMES:
        monkeypatch.delenv(other, raising=False)
    done = command(*arguments, "-w", new_warehouse, environment={"TEST_KEY": "sk-test", name: value})
    assert (done.returncode, words in done.stderr, "hunter2" in done.stderr) == (code, True, False), done.stderr
