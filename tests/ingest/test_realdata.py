"""Every recorded payload is stored in the tables, or in rejects with a clear reason."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from duckdb import DuckDBPyConnection

from runmart.ingest.load.loader import Load
from runmart.ingest.pipeline import ingest
from runmart.ingest.warehouse.connection import open_for_writing
from tests.support.paths import REALDATA
from tests.support.recorded import ELLIPSIS, FILES, FOLDERS, RECORDED_HTTP, recorded


class Held(NamedTuple):
    """Expected numbers of a folder of payloads, counted with Python's `json`."""

    files: int
    pages: int
    observations: int
    rejects: int
    others: int
    """Objects that are no runs: steps, and what is skipped."""
    runs: int
    usage: int
    tools: int
    errors: int


EXPECTED = {
    "azure-agents-spec": Held(8, 5, 4, 0, 4, 2, 2, 1, 4),
    "azure-openai-spec": Held(4, 2, 5, 0, 0, 4, 3, 3, 0),
    "azure-sdk-python": Held(2, 0, 4, 0, 82, 2, 0, 10, 0),
    "openai-cookbook": Held(20, 0, 20, 0, 0, 10, 1, 14, 0),
    "openai-openapi": Held(82, 10, 139, 20, 218, 9, 3, 8, 0),
    "openllmetry": Held(56, 0, 89, 0, 1491, 26, 26, 26, 0),
    "ruby-openai": Held(82, 11, 77, 0, 59, 54, 2, 7, 2),
    "semantic-kernel": Held(6, 2, 3, 0, 3, 1, 0, 0, 0),
}

EVERYTHING = [str(REALDATA / folder) for folder in FOLDERS]

Loaded = Callable[[Sequence[str]], tuple[Load, DuckDBPyConnection]]


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[Loaded]:
    """Loads sources into a new warehouse."""
    with open_for_writing(tmp_path / "runs.duckdb", 1) as writer:

        def load(sources: Sequence[str]) -> tuple[Load, DuckDBPyConnection]:
            return ingest(writer, sources, source="recorded", observed_at=1), writer.connection

        yield load


def _count(connection: DuckDBPyConnection, table: str) -> int:
    return connection.execute(f"select count(*) from {table}").fetchall()[0][0]


@pytest.mark.parametrize("folder", EXPECTED)
def test_every_payload_ends_in_the_tables_or_in_rejects(folder: str, loaded: Loaded) -> None:
    """Every payload gives the expected numbers of runs, observations and rejects."""
    load, connection = loaded([str(REALDATA / folder)])
    totals = load.totals
    rows = [_count(connection, table) for table in ("runs", "usage", "tools", "errors")]
    others = totals.skipped.total() + totals.steps
    found = (totals.inputs, totals.pages, totals.observations, totals.rejected, others)
    assert Held(*found, *rows) == EXPECTED[folder]
    assert _count(connection, "runmart.rejects") == EXPECTED[folder].rejects


@pytest.mark.parametrize("folder", EXPECTED)
def test_the_count_is_that_of_the_payloads(folder: str) -> None:
    """The expected numbers are those that Python's `json` finds in the files."""
    found = [recorded(file) for file in FILES if file.startswith(f"{folder}/")]
    assert EXPECTED[folder][0] == len(found)
    assert EXPECTED[folder][2:6] == (
        sum(len(payload.runs) for payload in found),
        sum(len(payload.damaged) for payload in found),
        sum(payload.others.total() for payload in found),
        len({run["id"] for payload in found for run in payload.runs}),
    )


def test_every_payload_is_counted() -> None:
    """The manifest names every file, with its origin and its licence."""
    assert sorted(EXPECTED) == FOLDERS
    assert sorted(FILES) == sorted(str(path.relative_to(REALDATA)) for path in REALDATA.glob("*/*"))


def test_no_recorded_response_is_rejected(loaded: Loaded) -> None:
    """No recorded HTTP response gives a reject."""
    load, _ = loaded([str(REALDATA / file) for file in RECORDED_HTTP])
    assert load.totals.inputs == len(RECORDED_HTTP) == 138
    assert load.totals.rejected == 0


def test_the_rejects_are_damaged_as_published(loaded: Loaded) -> None:
    """The rejects are lines of a documentation that stand for what it leaves out; events around them are loaded."""
    _, connection = loaded(EVERYTHING)
    rejects = connection.execute("select input, reason, json_path, raw from runmart.rejects").fetchall()
    damaged = [text for file in FILES for text in recorded(file).damaged]
    assert sorted(raw for _, _, _, raw in rejects) == sorted(damaged)
    for address, reason, json_path, raw in rejects:
        assert Path(address).parent.name == "openai-openapi"
        assert reason == "expected a run or a page, that is a JSON object, got `...`"
        assert (json_path, raw) == ("$", ELLIPSIS)


def test_all_folders_together_are_one_warehouse(loaded: Loaded) -> None:
    """All payloads can be loaded together, and a second load changes nothing."""
    load, connection = loaded(EVERYTHING)
    runs = _count(connection, "main.runs")
    ids = {run["id"] for file in FILES for run in recorded(file).runs}
    assert (load.state, runs) == ("done with rejects", len(ids))
    again, _ = loaded(EVERYTHING)
    assert (again.totals.observations, _count(connection, "main.runs")) == (0, runs)
