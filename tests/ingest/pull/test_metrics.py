"""The metrics file of pulls."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from runmart.ingest.pull.metrics import Pulled, write
from runmart.ingest.pull.request import Outcome


def values(path: Path, metric: str) -> dict[str, float]:
    """The values of a metric by source."""
    families = text_string_to_metric_families(path.read_text("utf-8"))
    samples = [sample for family in families for sample in family.samples]
    return {sample.labels["source"]: sample.value for sample in samples if sample.name == f"runmart_pull_{metric}"}


def test_the_last_success_of_each_source_is_kept(tmp_path: Path) -> None:
    """A failed pull keeps its source's last success, whatever its label; the file is replaced atomically."""
    path, odd = tmp_path / "pull.prom", 'a"b\\c\nd\\n é'
    write(path, {odd: Pulled(Outcome(), 100.5), "late": Pulled(Outcome(deadline_reached=True), 100.5)})
    assert values(path, "success") == {odd: 1, "late": 0}
    write(path, {odd: Pulled(None, 200.0), "late": Pulled(Outcome(), 200.0)})
    assert values(path, "success") == {odd: 0, "late": 1}
    assert values(path, "last_success_timestamp_seconds") == {odd: 100.5, "late": 200.0}
    assert values(path, "requests") == {"late": 0}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("found", [b"\xff\x00", b"runmart_pull_last_success_timestamp_seconds{", b"a 1\n", b"{}"])
def test_a_file_that_is_not_ours_is_replaced(tmp_path: Path, found: bytes) -> None:
    """A file with any other content is replaced."""
    path = tmp_path / "pull.prom"
    path.write_bytes(found)
    write(path, {"a": Pulled(Outcome(), 1.0)})
    assert values(path, "success") == {"a": 1}


def test_a_file_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    """A file that cannot be written raises OSError, for which the command prints a warning."""
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "missing" / "pull.prom", {"a": Pulled(Outcome(), 1.0)})
