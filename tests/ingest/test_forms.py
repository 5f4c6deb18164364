"""Inputs as other programs write, wrap, cut and damage them, loaded as users do: what is right for each."""

import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.command import command
from tests.support.paths import FORMS
from tests.support.warehouse import query


class Right(NamedTuple):
    """What is right for an input."""

    runs: list[str]
    """The ids of the runs, without their common prefix `run_`."""
    rejects: int = 0
    reason: str = ""
    """Words of the reason of each reject."""
    said: str = ""
    """Words on the screen."""


TWO = ["f001", "f002"]
GOOD = sorted([f"good_{page}_{number}" for page in (1, 2) for number in range(100)])
FOUND = {
    "batch_line.json": Right(TWO),
    "deep.json": Right([], 1, "nested too deep, more than 128 levels"),
    "docker.log": Right(TWO),
    "elasticsearch_hits.json": Right(TWO),
    "events.jsonl": Right(["f001"], said="1 step event"),
    "joined_pages_damaged.json": Right(GOOD, 1, "half of a surrogate pair"),
    "list_named_runs.json": Right(TWO),
    "list_named_value.json": Right(TWO),
    "logfmt.log": Right(TWO),
    "marks_inside.json": Right(["f001", "f002", "f003"]),
    "nan.json": Right([], 2, "NaN at byte .*pandas"),
    "nested_arrays.json": Right(TWO),
    "no_blank_lines.sse": Right(["1"]),
    "other_container.json": Right([], said="1 container"),
    "other_conv_items.json": Right([], said="3 conversation items"),
    "other_eval_run.json": Right([], said="1 evaluation"),
    "other_langsmith.json": Right([], said="1 object that does not say what it is"),
    "other_step_noobj.json": Right([], said="1 step"),
    "page_named_thread_run.json": Right(["q10"]),
    "pages.tar.gz": Right([], 1, "^a tar archive: unpack it first"),
    "piece_of_a_page.json": Right(["r11", "r12"], 2, "expected a run or a page"),
    "python.log": Right(TWO),
    "python_events.jsonl": Right(["oa0000", "oa0001"]),
    "run_in_quotes.json": Right(["f001"]),
    "run_that_closes_its_list.json": Right(["b", "c"], 1, "invalid character"),
    "runs_by_id.json": Right(TWO),
    "session.har": Right(TWO),
    "threads_with_runs.json": Right(TWO, said="2 threads"),
    "tools_object.json": Right([], 1, "Expected `array`"),
    "utf16_be.json": Right(TWO),
    "utf16_le.json": Right(TWO),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_is_right_for_an_input(name: str, warehouse: Path) -> None:
    """The runs of the input are stored, all else is rejected with its reason, or skipped, which the screen says."""
    right = FOUND[name]
    done = command("ingest", FORMS / name, "--warehouse", warehouse)
    assert done.returncode == (3 if right.rejects else 0), done
    ids = [run.removeprefix("run_") for (run,) in query(warehouse, "select run_id from runs order by run_id")]
    assert ids == right.runs
    reasons = [reason for (reason,) in query(warehouse, "select reason from runmart.rejects")]
    assert len(reasons) == right.rejects
    assert all(query(warehouse, f"select regexp_matches(reason, '{right.reason}') from runmart.rejects"))
    assert right.said in done.stdout + done.stderr
    assert query(warehouse, "select sum(rejected) from runmart.loads") == [(right.rejects,)]


def test_two_sound_files_end_as_they_do_alone(warehouse: Path) -> None:
    """A load of a run nested far too deep, and one of a bad run, ends, without workers, too."""
    done = command("ingest", FORMS / "deep.json", FORMS / "tools_object.json", "-w", warehouse, "--workers", "0")
    assert done.returncode == 3
    assert query(warehouse, "select count(*) from runmart.rejects") == [(2,)]


FACTS = """
    select run_id, prompt_tokens, cached_prompt_tokens, total_tokens, error_code, tool_count,
        strftime(created_at at time zone 'UTC', '%H:%M')
    from run_facts where run_id in ('run_f001', 'run_f002') order by run_id"""
FULL: list[tuple[Any, ...]] = [
    ("run_f001", 1000, 400, 1100, None, 1, "10:15"),
    ("run_f002", None, None, None, "rate_limit_exceeded", 1, "10:25"),
]


@pytest.mark.parametrize("name", ["camel_case.json", "flattened_columns.json", "full.json"])
def test_values_are_the_same_in_each_spelling(name: str, warehouse: Path) -> None:
    """Tokens, errors, tools and times do not depend on how names are spelled."""
    assert command("ingest", FORMS / name, "-w", warehouse).returncode == 0
    assert query(warehouse, FACTS) == FULL


@pytest.mark.parametrize("first", ["full.json", "thin.jsonl"])
def test_a_thinner_record_takes_nothing_away(first: str, warehouse: Path, pages: Path) -> None:
    """A later record with fewer fields leaves tokens, tools and errors as they are, in either order of loads."""
    for name, modified in (("full.json", 1_727_300_000), ("thin.jsonl", 1_727_400_000)):
        os.utime(shutil.copy(FORMS / name, pages / name), (modified, modified))
    for path in sorted(pages.iterdir(), key=lambda path: path.name != first):
        assert command("ingest", path, "-w", warehouse).returncode == 0
    assert query(warehouse, FACTS) == FULL


def test_a_check_names_token_counts_that_cannot_be(warehouse: Path) -> None:
    """`runmart check` names the runs whose counts contradict each other."""
    assert command("ingest", FORMS / "impossible_usage.json", "-w", warehouse).returncode == 0
    done = command("check", "-w", warehouse, "--json")
    assert done.returncode == 4
    for number in (101, 102, 105, 110, 111):
        assert f"run_f{number}" in done.stdout
