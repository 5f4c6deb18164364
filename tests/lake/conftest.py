"""Fixtures: a lake of one batch, and inputs for a second one."""

import shutil
from pathlib import Path

import pytest

from runmart.lake.parquet.manifest import MANIFEST
from tests.support import batch_engine as engine
from tests.support.disturbed_lake import Before
from tests.support.lake import lake_rows
from tests.support.warehouse import page, run, write

NOVEMBER, DECEMBER = 1_700_000_000, 1_703_000_000


@pytest.fixture(name="made", scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Before:
    folder = tmp_path_factory.mktemp("made")
    bad = {"id": "bad", "status": "completed", "created_at": "soon"}
    runs = [
        run(f"run_{n}", "queued", created_at=(NOVEMBER, DECEMBER)[n % 2], tools=[{"type": "mcp"}]) for n in range(8)
    ]
    first = write(folder / "1.json", page(*runs, bad))
    changed = [run(f"run_{n}", created_at=DECEMBER, usage={"total_tokens": n}) for n in range(0, 12, 2)]
    second = write(folder / "2.json", page(*changed, {**bad, "id": "worse"}), 1_800_000_000)
    lake, undisturbed = folder / "lake", folder / "undisturbed"
    engine.load(lake, [first], shards=1)
    shutil.copytree(lake, undisturbed)
    engine.load(undisturbed, [second])
    return Before(lake, second, lake_rows(lake), (lake / MANIFEST).read_bytes(), lake_rows(undisturbed))


@pytest.fixture(name="before")
def _before(made: Before, tmp_path: Path) -> Before:
    """A copy of the lake, for one test."""
    return made._replace(lake=Path(shutil.copytree(made.lake, tmp_path / "lake")))
