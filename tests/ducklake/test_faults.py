"""Failures of a lake end in one sentence, and nothing is lost or written in part."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from runmart.cli import app
from runmart.ingest.warehouse import ducklake
from runmart.ingest.warehouse.ducklake_backend import DuckLake
from runmart.ingest.warehouse.location import parse_location
from runmart.ingest.warehouse.migrations import MIGRATIONS
from runmart.ingest.warehouse.write_lock import DuckLakeWriter
from runmart.queries import connect
from tests.support.command import command
from tests.support.ducklake import Bare, made, query, tables
from tests.support.paths import REALDATA
from tests.support.postgres import PASSWORD, Postgres, running
from tests.support.warehouse import DOUBLES, page, run, write

pytestmark = pytest.mark.ducklake

BIG = 200


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    return write(tmp_path / "1.json", page(run("a")))


def refused(*arguments: str | Path, words: str, environment: dict[str, str] | None = None, code: int = 1) -> None:
    """Assert that a command ends with one sentence that holds some words, and no password."""
    done = command(*arguments, environment=environment)
    assert (done.returncode, done.stdout) == (code, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert words in done.stderr, done.stderr
    assert PASSWORD.split("&")[0] not in done.stderr


def test_what_is_wrong_with_an_address_is_said(bare: Bare, file: Path, tmp_path: Path) -> None:
    """A wrong password, a missing database, server or address is reported by commands that write and that read."""
    good = bare.location.catalog
    cases = {
        good.replace(PASSWORD, "falsch"): "password authentication failed",
        good.replace(bare.database, "nowhere"): 'database "nowhere" does not exist',
        good.replace(str(bare.postgres.port), "1"): "Connection refused",
        good.replace(PASSWORD, "geheim und streng"): "the address is not as PostgreSQL has it",
        f"postgresql://runmart:{PASSWORD}x@127.0.0.1:{bare.postgres.port}/{bare.database}": "authentication failed",
    }
    for catalog, words in cases.items():
        for arguments in (("ingest", file, "--data", tmp_path / "data"), ("check",)):
            refused(*arguments, "-w", f"ducklake:postgres:{catalog}", words=words)
    refused("check", "-w", "ducklake:sqlite:x.db", words="is kept by PostgreSQL; name it so: ducklake:postgres:")
    with pytest.raises(ConnectionError, match="password authentication failed") as found:
        connect(f"ducklake:postgres:{good.replace(PASSWORD, 'falsch')}")
    assert "falsch" not in str(found.value)


def test_an_address_never_shows_its_password() -> None:
    """No spelling of an address is printed with its password."""
    for catalog in (
        "dbname=a password=geheim host=h",
        "dbname=a password = 'ge h\\'eim' host=h",
        "dbname=a password=ge\\ heim",
        "dbname=a password=ge&heim",
        "dbname=a PASSWORD=geheim",
        "dbname=a sslpassword=geheim",
        "postgresql://u:ge@h:eim@h:5432/a",
        "postgresql://h/a?user=u&password=geheim&x=y",
        "dbname=a password=ge heim",
    ):
        shown = str(parse_location(f"ducklake:postgres:{catalog}"))
        assert "heim" not in shown and "ge" not in shown.replace("postgres", ""), shown  # noqa: PT018
        assert shown == repr(DuckLake(catalog))


def test_a_lake_is_made_where_it_is_said_once(bare: Bare, file: Path, tmp_path: Path) -> None:
    """--data is needed only to create a lake; another folder later is refused, and a file takes no --data."""
    address = bare.location.address
    refused("ingest", file, "-w", address, words="say where the files are to be: --data")
    refused("check", "-w", address, words="no such warehouse; create it with: runmart ingest PAGES --warehouse")
    refused("ingest", file, "-w", tmp_path / "x.duckdb", "--data", tmp_path / "d", words="--data is for a DuckLake")
    (tmp_path / "taken").write_text("")
    refused("ingest", file, "-w", address, "--data", tmp_path / "taken" / "d", words="(--data) cannot be made")
    assert command("ingest", file, "-w", address, environment={"RUNMART_DATA": bare.data}).returncode == 0
    assert command("ingest", file, "-w", address).returncode == 0
    refused("ingest", file, "-w", address, "--data", tmp_path / "other", words=f"its files are in {bare.data}/, not in")
    assert query(bare.location, "select count(*) from runs") == [(1,)]


def test_a_database_that_is_no_warehouse_is_left_alone(bare: Bare, file: Path) -> None:
    """A DuckLake that is no warehouse is refused and not changed."""
    connection = ducklake.create(bare.location, None)
    connection.execute("create table main.orders (i int)")
    connection.close()
    refused("check", "-w", bare.location.address, words="it is a DuckLake, but no runmart warehouse")
    refused("ingest", file, "-w", bare.location.address, words="tables or views that are not runmart's (main.orders)")
    connection = ducklake.attach(bare.location, read_only=True)
    assert connection is not None
    assert connection.execute("select table_name from duckdb_tables() where not internal").fetchall() == [("orders",)]
    connection.close()


def test_passwords_come_from_where_libpq_has_them(lake: Bare, file: Path, tmp_path: Path) -> None:
    """PGPASSWORD, a password file and a service file work, for the lake and for its write lock."""
    bare = lake.location.catalog.replace(f" password={PASSWORD}", "")
    secrets = tmp_path / "pgpass"
    secrets.write_text(f"127.0.0.1:*:*:*:{PASSWORD}\n")
    secrets.chmod(0o600)
    services = tmp_path / "services"
    services.write_text("[lake]\n" + lake.location.catalog.replace(" ", "\n") + "\n")
    for environment, catalog in (
        ({"PGPASSWORD": PASSWORD}, bare),
        ({"PGPASSFILE": str(secrets)}, bare),
        ({"PGSERVICEFILE": str(services)}, "service=lake"),
        ({"PGSERVICEFILE": str(services), "PGSERVICE": "lake"}, ""),
    ):
        address = ("-w", f"ducklake:postgres:{catalog}", "--data", lake.data)
        assert command("ingest", file, *address, environment=environment).returncode == 0, catalog
        assert command("check", *address, environment=environment).returncode == 0


def test_what_is_missing_is_named(
    lake: Bare, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names a missing extension that cannot be downloaded, or the missing package psycopg."""
    with monkeypatch.context() as patch:
        patch.setattr(ducklake, "_ways", lambda name: [f"load '{tmp_path / name}'"])  # pyright: ignore
        assert app.run(["check", *lake.options]) == 1
        said = capsys.readouterr().err
        for words in ("needs DuckDB's extension postgres_scanner", "pip install", "duckdb-extension-postgres-scanner"):
            assert words in said
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert app.run(["ingest", str(file), *lake.options]) == 1
    assert "pip install 'runmart[ducklake]'" in capsys.readouterr().err


def test_an_extension_comes_from_its_package_where_there_is_no_network(lake: Bare, file: Path, tmp_path: Path) -> None:
    """Without network, extensions are loaded from their Python packages, with an empty home folder."""
    environment = {"HOME": str(tmp_path), "HTTP_PROXY": "http://127.0.0.1:1"}
    assert lake.run("ingest", file, environment=environment).returncode == 0
    assert not list(tmp_path.rglob("*.duckdb_extension"))


def test_two_first_loads_make_one_lake(bare: Bare) -> None:
    """Two concurrent loads into an empty catalog create its tables and views once."""
    first = [bare.start("ingest", REALDATA, "--source", name) for name in "abcd"]
    outcomes = [(one.communicate(timeout=120)[1], one.returncode) for one in first]
    assert [code for _, code in outcomes] == [3] * 4, outcomes
    assert query(bare.location, DOUBLES) == []
    assert query(bare.location, "select count(*), count(distinct version) from runmart.schema_version") == [
        (len(MIGRATIONS),) * 2
    ]
    assert query(bare.location, "select count(*) from runmart.installed_views") == [(1,)]
    assert query(bare.location, "select count(*), count(distinct load_id) from runmart.loads") == [(4, 4)]
    bare.assert_sound()


def test_a_load_that_is_killed_lets_others_go_on(lake: Bare, tmp_path: Path) -> None:
    """The write lock of a killed load is released; its commits stay, and the next load completes it."""
    lines = b"".join(page(run(f"r{number}")) + b"\n" for number in range(BIG))
    file = write(tmp_path / "1.jsonl", lines)  # some blocks
    words = [sys.executable, Path(__file__).with_name("holder.py"), file, lake.location.address, lake.data]
    holder = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holding\n"
        assert lake.run("ingest", file, "--lock-timeout", "0.2").returncode == 5
        assert query(lake.location, "select state from runmart.loads") == [("running",)]
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.communicate()
    assert lake.run("ingest", file, "--lock-timeout", "5").returncode == 0
    assert query(lake.location, "select count(*), count(distinct run_id) from runs") == [(BIG, BIG)]
    assert query(lake.location, "select state from runmart.loads order by load_id") == [("killed",), ("done",)]


@pytest.fixture(name="own")
def _own(tmp_path: Path) -> Generator[Bare]:
    """A lake on a server of its own, which the test can stop."""
    with running() as server:
        server.execute("create database own")
        yield Bare(server, "own", str(tmp_path / "data"))


def test_postgres_may_restart_in_the_middle_of_a_load(
    own: Bare, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If PostgreSQL restarts, the load ends with a sentence, the next one completes it, and readers reconnect."""
    made(own)
    server: Postgres = own.postgres
    commit, left = DuckLakeWriter.commit, [1]

    def late(writer: DuckLakeWriter) -> None:
        if left:
            left.pop()
            server.stop()
            server.start()
        commit(writer)

    with connect(own.location) as warehouse:
        assert warehouse.is_current
        with monkeypatch.context() as patch:
            patch.setattr(DuckLakeWriter, "commit", late)
            assert app.run(["ingest", str(file), *own.options]) == 1
        said = capsys.readouterr().err
        assert "PostgreSQL cannot be used" in said
        assert len(said.splitlines()) == 1
        assert query(own.location, "select count(*) from runs") == [(0,)]
        assert own.run("ingest", file).returncode == 0
        warehouse.refresh()
        assert warehouse.view("run_facts").height == 1
    server.stop()
    refused("check", *own.options, words="Connection refused")
    refused("ingest", file, *own.options, words="Connection refused")
    server.start()
    assert tables(own.location)["runs"]
