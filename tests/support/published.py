"""Helpers of the tests of publishing: warehouses to publish, and what readers find."""

from pathlib import Path

from runmart.ingest.warehouse.connection import open_for_writing
from runmart.ingest.warehouse.file_backend import versions_folder
from runmart.queries import connect, install
from tests.support.warehouse import load, page, run, write


def loaded(folder: Path) -> Path:
    """A warehouse of the runs of one page, with views."""
    with open_for_writing(folder / "runs.duckdb", 0) as writer:
        install(writer)
    load(folder / "runs.duckdb", folder / "1.json")
    return folder / "runs.duckdb"


def add(warehouse: Path, run_id: str) -> None:
    """Load another run."""
    load(warehouse, write(warehouse.with_name(f"{run_id}.json"), page(run(run_id))))


def count(path: Path) -> int:
    """The number of runs that a new reader finds."""
    with connect(path) as reader:
        return reader.view("run_facts").height


def versions(published: Path) -> list[Path]:
    """All existing versions."""
    return sorted(versions_folder(published).glob("*.duckdb"))
