"""Tests of the worked example in docs/migration.md: by hand, from the archives, and by view."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT
from tests.support.warehouse import query

BIN = Path(sys.executable).parent
TEXT = (ROOT / "docs" / "migration.md").read_text()
ARCHIVES = ROOT / "docs" / "migration"
EXAMPLES = re.findall(r"```sql\n(.+?)\n```\n\n```text\n(.+?)\n```", TEXT, re.DOTALL)


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands of the page make of both archives."""
    folder = tmp_path_factory.mktemp("migration")
    for name in ("before.json", "after.jsonl"):
        shutil.copy(ARCHIVES / name, folder)
    [commands] = re.findall(r"```sh\n(.+?)```", TEXT, re.DOTALL)
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["sh", "-ec", commands], cwd=folder, check=True, capture_output=True, env=environment)
    return folder


def test_what_is_suggested_is_what_is_shown(folder: Path) -> None:
    """The page shows the CSV that `runmart deployments suggest` prints."""
    [shown] = re.findall(r"```csv\n(.+?)```", TEXT, re.DOTALL)
    assert (folder / "deployments.csv").read_text() == shown


@pytest.mark.parametrize(("sql", "output"), EXAMPLES)
def test_each_query_gives_what_is_shown(sql: str, output: str, folder: Path) -> None:
    """Every query of the page prints what it says."""
    command = [BIN / "duckdb", "-readonly", folder / "migration.duckdb", "-c", sql]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.rstrip("\n") == output
    assert len(EXAMPLES) == 2


def compared(folder: Path, columns: str) -> list[tuple[Any, ...]]:
    """Columns of the comparison, before first."""
    path = folder / "migration.duckdb"
    return query(path, f"select {columns} from migration_comparison order by deployment, side desc")


def test_seconds_are_those_by_hand_to_a_tenth(folder: Path) -> None:
    """Medians are the sixth of eleven; p95 lies halfway from the tenth to the eleventh, p99 nine tenths of the way."""
    by_hand = [
        (25.0, (31 + 40) / 2, 31 + 0.9 * 9),
        (18.0, (22 + 30) / 2, 22 + 0.9 * 8),
        (9.0, (12 + 14) / 2, 12 + 0.9 * 2),
        (7.0, (10 + 16) / 2, 10 + 0.9 * 6),
    ]
    found = compared(folder, "turn_seconds_p50, turn_seconds_p95, turn_seconds_p99, resolution_seconds, timed_share")
    assert [tuple(round(value, 1) for value in row[:3]) for row in found] == [
        tuple(round(value, 1) for value in row) for row in by_hand
    ]
    assert {row[3:] for row in found} == {(1.0, 1.0)}
    assert [f"{one[1]:.1f}" for one in by_hand[2:]] == re.findall(r"/ 2 = \*\*(.+?)\*\*", TEXT)


def test_costs_are_those_by_hand_to_the_cent(folder: Path) -> None:
    """Millions of uncached, cached and output tokens at their prices, over twelve turns."""
    by_hand = [
        (36_000 * 2.5 + 24_000 * 1.25 + 11 * 400 * 10) / 12,
        (37_824 * 2 + 24_576 * 0.5 + 12 * 400 * 8) / 12,
        (17_500 * 2.5 + 5_500 * 1.25 + 2_200 * 10) / 12,
        (17_632 * 2.5 + 12_288 * 1.25 + 2_170 * 10) / 12,
    ]
    found = compared(folder, "cost_per_thousand_turns, cost_per_turn, currency, priced_turns")
    assert [round(row[0], 2) for row in found] == [round(cost / 1000, 2) for cost in by_hand]
    assert [row[1] for row in found] == pytest.approx([cost / 1e6 for cost in by_hand])
    assert {row[2:] for row in found} == {("USD", 12)}
    assert [f"{cost / 1000:.2f}" for cost in by_hand[2:]] == re.findall(r"1,000 = \*\*(.+?)\*\*", TEXT)


def test_counts_are_those_by_hand(folder: Path) -> None:
    """Turns and their responses, calls, failures and tokens, of which one turn waits."""
    found = compared(folder, "turns, runs, model_calls_per_turn, waiting_turns, round(12 * tool_calls_per_turn)")
    assert found == [
        (12, 12, None, 0, None),
        (12, 24, 2.0, 0, 12.0),
        (12, 12, None, 0, None),
        (12, 24, 2.0, 1, 13.0),
    ]
    found = compared(folder, "failed_share, expired_share, incomplete_share, failure_rate, unrecorded_failures")
    twelfth = 1 / 12
    assert found == [
        (0.0, twelfth, 0.0, twelfth, None),
        (0.0, 0.0, twelfth, twelfth, None),
        (twelfth, 0.0, 0.0, twelfth, None),
        (0.0, 0.0, 0.0, 0.0, None),
    ]
    found = compared(folder, "prompt_tokens_per_turn * 12, cached_prompt_tokens_per_turn * 12, cached_share")
    assert [row[:2] for row in found] == [(60_000, 24_000), (62_400, 24_576), (23_000, 5_500), (29_920, 12_288)]


def test_no_token_of_the_archives_is_lost(folder: Path) -> None:
    """The sums over turns are those of the archives as they are written."""
    runs = json.loads((ARCHIVES / "before.json").read_text())["data"]
    responses = [json.loads(line) for line in (ARCHIVES / "after.jsonl").read_text().splitlines()]
    sent = sum(one["usage"]["total_tokens"] for one in (*runs, *responses))
    assert query(folder / "migration.duckdb", "select sum(total_tokens)::bigint, sum(runs)::bigint from turns") == [
        (sent, len(runs) + len(responses))
    ]
