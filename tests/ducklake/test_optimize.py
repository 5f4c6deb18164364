"""Maintenance keeps a lake fast and small, and pruned data are removed from its files and catalog."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from runmart.ingest.warehouse import ducklake_maintenance
from runmart.queries import connect
from tests.support.command import command
from tests.support.ducklake import Bare, query, tables
from tests.support.paths import REALDATA
from tests.support.warehouse import page, run, write

pytestmark = pytest.mark.ducklake

CONTENT = "strictly confidential"


def files(lake: Bare) -> list[Path]:
    """The files of a lake."""
    return sorted(Path(lake.data).rglob("*.parquet"))


def held_in_files(lake: Bare) -> Iterator[str]:
    """All content of the files of a lake, as text."""
    with duckdb.connect() as connection:
        for path in files(lake):
            if "-delete" not in path.name:
                yield str(connection.sql(f"select * from read_parquet('{path}')").to_arrow_table().to_pylist())


def held_in_catalog(lake: Bare) -> str:
    """All content of the catalog, as text."""
    names = lake.postgres.execute(
        "select table_name from information_schema.tables where table_schema = 'public'", lake.database
    )
    return "".join(str(lake.postgres.execute(f'select * from "{name}"', lake.database)) for (name,) in names)


def test_small_files_are_merged_and_old_ones_removed(lake: Bare, tmp_path: Path) -> None:
    """Maintenance keeps all rows; a replaced file, which a query may be reading, stays for an hour."""
    for number in range(6):
        write(tmp_path / "1.json", page(run("a", completed_at=1_700_000_000 + number), run(f"b{number}")))
        assert lake.run("ingest", tmp_path / "1.json").returncode == 0
    before, many = tables(lake.location), files(lake)
    with connect(lake.location) as reader:
        done = json.loads(lake.run("lake", "maintain", "--json").stdout)
        assert done["merged"] > done["created"] > 0
        assert (done["removed"], done["expired"]) == (0, 0)
        assert set(many) < set(files(lake))
        assert reader.view("run_facts").height == 7
    done = json.loads(lake.run("lake", "maintain", "--keep", "0s", "--json").stdout)
    assert (done["merged"], done["removed"], done["expired"] > 6) == (0, 0, True)
    assert tables(lake.location) == before
    [(count,)] = lake.query("select count(*) from runmart.loads")
    assert count == 6
    orphan = Path(lake.data) / "main" / "runs" / "left.parquet"
    orphan.write_bytes(files(lake)[0].read_bytes())
    assert json.loads(lake.run("lake", "maintain", "--json").stdout)["removed"] == 0
    long_ago = time.time() - 2 * ducklake_maintenance.UNKNOWN_SECONDS
    os.utime(orphan, (long_ago, long_ago))
    lake.postgres.execute(
        "update ducklake_files_scheduled_for_deletion set schedule_start = now() - interval '2 hours'", lake.database
    )
    assert json.loads(lake.run("lake", "maintain", "--json").stdout)["removed"] > 10
    assert not orphan.exists()
    assert len(files(lake)) < len(many) / 2
    assert tables(lake.location) == before
    assert lake.run("check").returncode == 0


def test_maintenance_is_for_lakes(tmp_path: Path) -> None:
    """`lake maintain` of a DuckDB file ends with a sentence."""
    done = command("lake", "maintain", "-w", tmp_path / "runs.duckdb")
    assert (done.returncode, "a DuckDB file needs no maintenance" in done.stderr) == (1, True)
    assert not (tmp_path / "runs.duckdb").exists()


@pytest.mark.parametrize("content_only", [True, False])
def test_what_is_pruned_is_gone(content_only: bool, lake: Bare, tmp_path: Path) -> None:
    """Pruned rows are removed from the tables, the files and the catalog, with its statistics and history."""
    private = run(
        "old",
        created_at=1_600_000_000,
        instructions=f"A {CONTENT}",
        metadata={"a": f"z {CONTENT}"},
        last_error={"code": "e", "message": f"0 {CONTENT}"},
        tools=[{"type": "function", "function": {"name": "f", "description": f"~ {CONTENT}"}}],
    )
    inputs = [
        write(tmp_path / "1.json", page(private, run("new", created_at=1_700_000_000, instructions="M"))),
        write(tmp_path / "2.json", page({**private, "id": "alone"})),
    ]
    file = tmp_path / "runs.duckdb"
    for one in inputs:
        assert lake.run("ingest", one).returncode == 0
        assert command("ingest", one, "-w", file).returncode == 0
    assert any(CONTENT in text for text in held_in_files(lake))
    assert CONTENT in held_in_catalog(lake)
    words = ["prune", "--older-than", "2022-01-01", "--yes", *(["--content-only"] if content_only else [])]
    assert lake.run(*words).returncode == 0
    assert command(*words, "-w", file).returncode == 0
    assert tables(lake.location) == tables(file)
    assert not any(CONTENT in text for text in held_in_files(lake))
    assert CONTENT not in held_in_catalog(lake)
    assert lake.run("ingest", *inputs, "--reload").returncode == 0
    assert tables(lake.location)["runs"] == tables(file)["runs"]
    assert CONTENT not in held_in_catalog(lake)
    assert lake.query("select run_id from runs where instructions = 'M'") == [("new",)]
    assert lake.run("check").returncode == 0


def test_prunes_are_shown_and_lifted_as_those_of_a_file(lake: Bare, tmp_path: Path) -> None:
    """--dry-run changes nothing; after --lift the runs can be loaded again."""
    file = tmp_path / "runs.duckdb"
    assert lake.run("ingest", REALDATA).returncode == 3
    assert command("ingest", REALDATA, "-w", file).returncode == 3
    for words in (["--dry-run"], ["--yes"]):
        shown = [
            json.loads(done.stdout)
            for done in (
                lake.run("prune", "--older-than", "2026-01-01", *words, "--json"),
                command("prune", "--older-than", "2026-01-01", *words, "--json", "-w", file),
            )
        ]
        assert shown[0]["rows"] == shown[1]["rows"]
        assert tables(lake.location) == tables(file)
    assert lake.run("prune", "--lift").returncode == 0
    assert lake.run("ingest", REALDATA, "--reload").returncode == 3
    assert query(lake.location, "select count(*) from runs") == [(105,)]


def test_analysts_read_with_no_right_to_write(lake: Bare) -> None:
    """A PostgreSQL role that may only select from the catalog can read the lake, and cannot load."""
    assert lake.run("ingest", REALDATA).returncode == 3
    for statement in (
        f"drop role if exists analyst_{lake.database}",
        f"create role analyst_{lake.database} login password 'lesen'",
        f"grant select on all tables in schema public to analyst_{lake.database}",
    ):
        lake.postgres.execute(statement, lake.database)
    analyst = {"user": f"analyst_{lake.database}", "password": "lesen"}
    address = f"ducklake:postgres:{lake.postgres.catalog(lake.database, **analyst)}"
    with connect(address) as warehouse:
        assert warehouse.view("run_facts").height == 105
    assert command("check", "-w", address).returncode == 4  # documentation among them says what cannot be
    done = command("ingest", REALDATA, "--reload", "-w", address)
    assert (done.returncode, "permission denied" in done.stderr) == (1, True)
    assert len(done.stderr.splitlines()) == 1
