"""Helpers of the tests of DuckLakes: loads and queries."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runmart.ingest.warehouse.connection import open_for_reading, open_for_writing
from runmart.ingest.warehouse.ducklake_backend import DuckLake
from runmart.models.tables.all import ALL_TABLES
from runmart.queries import install
from runmart.queries.checks import OF_DATA
from tests.support.command import RUNMART, command
from tests.support.postgres import PASSWORD, Postgres
from tests.support.warehouse import Tables


@dataclass(frozen=True)
class Bare:
    """An empty database for the catalog of a lake, and the folder of its files."""

    postgres: Postgres
    database: str
    data: str

    @property
    def location(self) -> DuckLake:
        """The location of the lake, as the code parses it."""
        return DuckLake(self.postgres.catalog(self.database), self.data)

    @property
    def options(self) -> list[str]:
        """The options of commands for this lake."""
        return ["--warehouse", self.location.address, "--data", self.data]

    def run(
        self, *arguments: str | Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command, and check that its output never holds the password."""
        done = command(*arguments, *self.options, environment=environment)
        assert PASSWORD not in done.stdout + done.stderr
        return done

    def assert_sound(self) -> None:
        """Check the lake; what recorded payloads say themselves, documentation among them, may be implausible."""
        failed = {one["check"] for one in json.loads(self.run("check", "--json").stdout)["failed"]}
        assert failed <= {one.name for one in OF_DATA}

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [RUNMART, *arguments, *self.options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def query(self, text: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return query(self.location, text)


def made(lake: Bare) -> Bare:
    """The lake, created and empty."""
    with open_for_writing(lake.location, 10) as writer:
        install(writer)
    return lake


def query(location: Path | DuckLake, text: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with open_for_reading(location, 10) as connection:
        return connection.sql(text).fetchall()


def tables(location: Path | DuckLake, names: Sequence[str] = tuple(table.name for table in ALL_TABLES)) -> Tables:
    """All rows of tables or views without `load_id`, sorted; instants in microseconds."""
    with open_for_reading(location, 10) as connection:
        found: Tables = {}
        for name in names:
            columns = connection.sql(f"describe {name}").fetchall()
            values = [
                f"epoch_us({column})" if kind.startswith("TIMESTAMP") else f'"{column}"'
                for column, kind, *_ in columns
                if column != "load_id"
            ]
            found[name] = connection.sql(f"select {', '.join(values)} from {name} order by all").fetchall()
        return found
