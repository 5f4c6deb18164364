"""What is stored of answers: never the key, and an error with status 200 is no empty list."""

from pathlib import Path

import pyarrow as pa
import pytest

from runmart.cli.durations import positive_seconds
from runmart.ingest.errors import SettingsError
from runmart.ingest.pull.errors import PullError
from tests.support.pull import TestServer, pulled
from tests.support.server import KEY
from tests.support.warehouse import query


def test_a_key_that_an_answer_repeats_is_not_stored(server: TestServer, warehouse: Path, tmp_path: Path) -> None:
    """Neither in the saved responses nor in the warehouse; the thread is incomplete."""
    refusal = '{"data": [], "error": {"message": "Incorrect key GIVEN"}}'
    server.world(threads=1, runs=1, refusal=refusal, refusal_status=200, refuses_list=False)
    outcome = pulled(server, warehouse, save=tmp_path / "saved")
    assert not outcome.is_complete
    assert "an error where a list was expected" in str(outcome.first_failure)
    assert KEY.encode() not in warehouse.read_bytes()
    for path in (tmp_path / "saved").rglob("*.zst"):
        with pa.input_stream(path, compression="zstd") as file:
            assert KEY.encode() not in file.read()
    assert query(warehouse, "select count(*) from runs") == [(0,)]


def test_a_folder_that_cannot_be_written_to_is_said_before_the_first_request(
    server: TestServer, warehouse: Path, tmp_path: Path
) -> None:
    """It is named."""
    (tmp_path / "file").write_text("")
    server.world(threads=1, runs=1)
    with pytest.raises(PullError, match=r"file.*--save"):
        pulled(server, warehouse, save=tmp_path / "file")
    assert server.requests() == 0


def test_a_duration_of_nothing_is_refused() -> None:
    """An interval or a time limit is longer."""
    with pytest.raises(SettingsError, match="--every must be longer than nothing"):
        positive_seconds("0s", "--every")
