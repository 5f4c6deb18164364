"""DuckDB files as warehouses: what is no database is neither written to nor read."""

from pathlib import Path

import pytest

from tests.support.command import command
from tests.support.warehouse import page, run, write


@pytest.mark.parametrize("name", ["page.json", "page.jsonl", "page.csv", "page.parquet", ":memory:"])
@pytest.mark.parametrize("words", [["ingest", "PAGE"], ["status"], ["check"], ["prices", "alias", "a", "b"]])
def test_what_is_no_database_is_refused(
    name: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB would open data files, and `:memory:`, as a database that it keeps nowhere: a load would be lost."""
    monkeypatch.chdir(tmp_path)
    data = page(run("a"))
    source = write(tmp_path / "input.json", data)
    if name != ":memory:":
        write(tmp_path / name, data)
    done = command(*(str(source) if word == "PAGE" else word for word in words), "-w", name)
    assert done.returncode == 1, done.stdout
    is_read = words[0] in {"status", "check"}
    assert ("no such warehouse" if name == ":memory:" and is_read else "not a valid DuckDB database") in done.stderr
    assert name == ":memory:" or (tmp_path / name).read_bytes() == data
