"""`runmart views` of warehouses that an older runmart wrote."""

import json
from pathlib import Path

from tests.formats.support import kept
from tests.support.command import command


def test_a_view_of_an_older_version_is_shown_as_it_is(tmp_path: Path) -> None:
    """Columns that the view does not have yet are named, and the others shown."""
    warehouse = kept("warehouse-schema9", tmp_path)
    done = command("views", "data_freshness", "-w", warehouse, "--json")
    assert done.returncode == 0
    assert [row["source"] for row in json.loads(done.stdout)["rows"]] == ["a/b", "acme"]
    assert "an older version wrote this warehouse: the next load adds is_pulled, last_pull_at" in done.stderr
    text = command("views", "data_freshness", "-w", warehouse)
    assert (text.returncode, "acme" in text.stdout) == (0, True)


def test_a_negative_number_of_rows_is_wrong_usage(warehouse: Path) -> None:
    """Exit code 2, and a sentence."""
    done = command("views", "turns", "--rows", "-1", "-w", warehouse)
    assert (done.returncode, done.stderr) == (2, "runmart: --rows must be 0 or more, not -1\n")
