"""A lake whose files are in S3: commands and failures."""

from pathlib import Path

import pytest

from runmart.queries import connect
from tests.support.command import command
from tests.support.ducklake import Bare, tables
from tests.support.paths import REALDATA
from tests.support.seaweedfs import BUCKET

pytestmark = pytest.mark.ducklake


@pytest.fixture(name="remote")
def _remote(bare: Bare, s3: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Bare:
    """A lake in S3 with all recorded payloads."""
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    found = Bare(bare.postgres, bare.database, f"s3://{BUCKET}/{bare.database}")
    assert found.run("ingest", REALDATA).returncode == 3
    return found


def test_files_in_s3_are_read_rewritten_and_removed(remote: Bare, tmp_path: Path) -> None:
    """After loads, prunes, maintenance and publishing, a lake in S3 holds the same rows as a file."""
    file = tmp_path / "runs.duckdb"
    assert command("ingest", REALDATA, "-w", file).returncode == 3
    assert tables(remote.location) == tables(file)
    for words in (
        ["prune", "--older-than", "2026-01-01", "--yes"],
        ["prune", "--lift"],
        ["ingest", REALDATA, "--reload"],
    ):
        assert remote.run(*words).returncode == command(*words, "-w", file).returncode
        assert tables(remote.location) == tables(file)
    copy = tmp_path / "published.duckdb"
    assert remote.run("lake", "maintain", "--keep", "0s").returncode == 0
    assert remote.run("ingest", REALDATA, "--publish", copy).returncode in {0, 3}
    assert tables(copy) == tables(remote.location) == tables(file)
    with connect(remote.location) as warehouse:
        assert warehouse.view("run_facts").height == 105


def test_what_s3_refuses_is_said(remote: Bare, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong keys and a missing server end in a sentence, with exit code 1."""
    address = ["-w", remote.location.address]
    for name, value, words in (
        ("AWS_SECRET_ACCESS_KEY", "falsch", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1", "127.0.0.1:1"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            for arguments in (["check", *address], ["ingest", str(REALDATA), "--reload", *address]):
                done = command(*arguments)
                assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
                assert words in done.stderr
                assert "falsch" not in done.stderr
    remote.assert_sound()
