"""Values that servers sent and that cannot be true: stored as sent, named by `check`, and moving no default period."""

import json
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from runmart.ingest.warehouse.location import parse_location
from runmart.notebooks import figures, filters_state, query_cache
from runmart.queries import Selection, read
from tests.support.command import command
from tests.support.warehouse import page, query, run, write

NOW = int(time.time())
DAY = 86_400
SEPTEMBER = 1_725_148_800
"""The 1st of September 2024, 0:00 UTC: when the runs were observed, in the evening."""
OBSERVED = SEPTEMBER + DAY * 3 // 4
YEAR_2015 = 1_420_070_400
USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}


def loaded(folder: Path, *objects: dict[str, Any], observed_at: int = OBSERVED) -> Path:
    """A warehouse of some objects."""
    path = write(folder / "1.json", page(*objects), observed_at)
    assert command("ingest", path, "-w", folder / "runs.duckdb").returncode == 0
    return folder / "runs.duckdb"


def failed(warehouse: Path) -> tuple[int, dict[str, list[tuple[Any, ...]]]]:
    """The exit code of `runmart check`, and the subjects and values of the violations by check."""
    done = command("check", "-w", warehouse, "--json")
    found = json.loads(done.stdout)["failed"]
    return done.returncode, {
        one["check"]: [(offender["subject"], offender["value"]) for offender in one["offenders"]] for one in found
    }


def of_days(number: int, *days: int) -> list[dict[str, Any]]:
    """Completed runs of some days around the 1st of September 2024."""
    return [
        run(
            f"run_{number}_{day}",
            created_at=SEPTEMBER + day * DAY,
            started_at=SEPTEMBER + day * DAY,
            completed_at=SEPTEMBER + day * DAY + 10,
            usage=USAGE,
            model="gpt-4o",
        )
        for day in days
    ]


def test_implausible_times_are_named_with_their_runs(tmp_path: Path) -> None:
    """Times before 2015, or more than a day after the observation, are named; an expiry time may be a year ahead."""
    step = {"object": "thread.run.step", "status": "completed", "created_at": SEPTEMBER, "run_id": "sound"}
    found = loaded(
        tmp_path,
        run("sound", created_at=YEAR_2015, completed_at=OBSERVED + DAY, expires_at=OBSERVED + 365 * DAY),
        run("early", created_at=YEAR_2015 - 1, started_at=SEPTEMBER),
        run("late", created_at=SEPTEMBER, completed_at=OBSERVED + DAY + 1),
        run("never", created_at=SEPTEMBER, expires_at=OBSERVED + 365 * DAY + 1),
        run("unknown"),
        {**step, "id": "step_sound", "expired_at": OBSERVED + DAY},
        {**step, "id": "step_late", "completed_at": OBSERVED + 2 * DAY},
    )
    assert failed(found) == (
        4,
        {
            "plausible_instants": [
                ("early", "created_at 2014-12-31 23:59:59"),
                ("late", "completed_at 2024-09-02 18:00:01"),
                ("never", "expires_at 2025-09-01 18:00:01"),
                ("step_late", "completed_at 2024-09-03 18:00:00"),
            ]
        },
    )


def test_impossible_counts_of_tokens_are_named_with_their_runs(tmp_path: Path) -> None:
    """Negative counts, parts that exceed the whole, and totals that are no sums are named; missing counts are not."""
    usages: dict[str, Any] = {
        "sound": {**USAGE, "prompt_tokens_details": {"cached_tokens": 100}},
        "partial": {"prompt_tokens": 5, "total_tokens": 7},
        "none": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        "sum": {**USAGE, "total_tokens": 111},
        "cached": {**USAGE, "prompt_tokens_details": {"cached_tokens": 101}},
        "reasoning": {**USAGE, "completion_tokens_details": {"reasoning_tokens": 11}},
        "negative": {"prompt_tokens": 1, "completion_tokens": -1, "total_tokens": 0},
        "huge": {"prompt_tokens": 2**63 - 1, "completion_tokens": 2**63 - 1, "total_tokens": 2**63 - 1},
    }
    step = {"id": "step", "object": "thread.run.step", "status": "completed", "usage": {**USAGE, "total_tokens": 1}}
    code, found = failed(loaded(tmp_path, *(run(name, usage=usage) for name, usage in usages.items()), step))
    assert code == 4
    assert sorted(found["possible_tokens"]) == [
        ("cached", "cached_prompt_tokens 101"),
        *(("huge", f"{name} {2**63 - 1}") for name in ("completion_tokens", "prompt_tokens")),
        *[("huge", f"total_tokens {2**63 - 1}")] * 2,
        ("negative", "completion_tokens -1"),
        ("reasoning", "reasoning_tokens 11"),
        ("step", "total_tokens 1"),
        ("sum", "total_tokens 111"),
    ]


def test_counts_of_tokens_beyond_all_reason_end_no_view(tmp_path: Path) -> None:
    """A sum that no column holds is null, and `check` names the runs; reports are written."""
    usage = {"prompt_tokens": 2**63 - 1, "completion_tokens": 0, "total_tokens": 2**63 - 1}
    warehouse = loaded(tmp_path, run("a", usage=usage), run("b", usage=usage), run("c", usage=USAGE, model="o3"))
    sums = query(warehouse, "select total_tokens from token_usage_by_model order by all")
    assert sums == [(110,), (None,)]
    assert {subject for subject, _ in failed(warehouse)[1]["possible_tokens"]} == {"a", "b"}
    assert command("report", "-w", warehouse, "--to", tmp_path / "1.html").returncode == 0
    with duckdb.connect(warehouse, read_only=True) as connection:
        for (view,) in connection.sql("select view_name from duckdb_views() where not internal").fetchall():
            connection.sql(f"from {view}").fetchall()


@pytest.mark.parametrize(
    "created_at",
    [
        5,
        *(
            pytest.param(one, marks=pytest.mark.slow)
            for one in (SEPTEMBER - 30 * 365 * DAY, SEPTEMBER + 900 * DAY, 4_102_444_800)
        ),
    ],
)
def test_implausible_times_move_no_default_period(tmp_path: Path, created_at: int) -> None:
    """Reports, dashboards, `status` and comparisons are about runs of plausible times; all are stored as sent."""
    odd = run("odd", created_at=created_at, started_at=created_at, completed_at=created_at + 9, usage=USAGE)
    warehouse = loaded(tmp_path, *of_days(1, -9, -8, -1, 0), odd)
    assert query(warehouse, "select epoch(created_at)::bigint from runs where run_id = 'odd'") == [(created_at,)]
    done = command("status", "-w", warehouse, "--json")
    status = json.loads(done.stdout)
    assert (status["runs"], status["implausible_runs"]) == (5, 1)
    assert (status["oldest_run_at"], status["newest_run_at"]) == ("2024-08-23 00:00:00", "2024-09-01 00:00:00")
    assert "implausible      1 creation times, left out above" in command("status", "-w", warehouse).stdout
    report = json.loads(command("report", "-w", warehouse, "--to", tmp_path / "1.html", "--json").stdout)
    assert (report["since"], report["until"], report["grain"]) == ("2024-08-23", "2024-09-01", "day")
    found = {row["measure"]: row for row in read(str(warehouse), "period_comparison").to_dicts()}["runs"]
    assert (found["this_week"], found["last_week"]) == (2, 2)
    [fresh] = read(str(warehouse), "data_freshness").to_dicts()
    assert (fresh["runs"], fresh["last_created_at"]) == (5, datetime(2024, 9, 1, tzinfo=UTC))
    location = parse_location(str(warehouse))
    choices = filters_state.known(location)
    assert (choices.first, choices.last) == (date(2024, 8, 23), date(2024, 9, 1))
    selection = filters_state.parse_filters({}, choices).selection(date(2024, 9, 1))
    for name in ("overview", "latency", "failures", "costs"):
        shown = query_cache.read(location, name, selection)
        frame = shown.usage if name == "costs" else shown.runs
        assert (frame["runs"].sum(), frame.height) == (4, 10)


def test_a_run_of_the_last_day_ends_no_report(tmp_path: Path) -> None:
    """A report of a run on the last day that Python knows is written, and holds no period of thousands of years."""
    warehouse = tmp_path / "w.duckdb"
    line = tmp_path / "last.jsonl"
    line.write_text('{"id":"run_1","object":"thread.run","status":"completed","created_at":"9999-12-31T23:59:59Z"}')
    assert command("ingest", line, "-w", warehouse).returncode == 0
    for since in ([], ["--since", "2020-01-01"]):
        assert command("report", "-w", warehouse, "--to", tmp_path / "report.html", *since).returncode == 0
    assert (tmp_path / "report.html").stat().st_size < 1 << 20


def test_without_a_plausible_time_all_are_shown(tmp_path: Path) -> None:
    """Where files are older than all of their runs, the period is that of all runs, rather than none."""
    warehouse = loaded(tmp_path, *of_days(1, -1, 0), observed_at=86_400)
    done = command("report", "-w", warehouse, "--to", tmp_path / "1.html", "--json")
    assert (done.returncode, json.loads(done.stdout)["since"]) == (0, "2024-08-31")
    assert json.loads(command("status", "-w", warehouse, "--json").stdout)["newest_run_at"] == "2024-09-01 00:00:00"
    assert read(str(warehouse), "period_comparison").height > 0


def test_the_period_before_ends_where_the_default_period_begins(tmp_path: Path) -> None:
    """Cards compare with the previous period of equal length, whatever implausible times there are."""
    odd = run("odd", created_at=SEPTEMBER + 900 * DAY)
    warehouse = loaded(tmp_path, *of_days(1, *range(-60, 1)), odd)
    location = parse_location(str(warehouse))
    selection = filters_state.parse_filters({}, filters_state.known(location)).selection(date(2024, 9, 1))
    [card, *_] = query_cache.read(location, "overview", selection).cards
    assert (card.value, card.before) == (30, 30)


def test_dates_that_python_does_not_have_end_no_report(tmp_path: Path) -> None:
    """A warehouse that holds a run before year 1, from an earlier version, can be reported on, with any days."""
    warehouse = loaded(tmp_path, *of_days(1, -1, 0), run("old", "queued", expires_at=SEPTEMBER), run("none"))
    with duckdb.connect(warehouse) as connection:
        old = "timestamptz '0002-06-01 (BC) 00:00:00+00'"
        connection.execute(f"update runs set created_at = {old}, expires_at = {old} where run_id = 'old'")
    for days in ((), ("--since", "2024-08-31"), ("--until", "2024-08-31")):
        done = command("report", "-w", warehouse, "--to", tmp_path / "1.html", "--json", *days)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["since"] == "2024-08-31"
    assert [one for one, _ in failed(warehouse)[1]["plausible_instants"]] == ["old", "old"]
    assert command("status", "-w", warehouse).returncode == 0
    with duckdb.connect(warehouse) as connection:
        connection.execute("delete from runs where run_id <> 'old'")
    assert command("report", "-w", warehouse, "--to", tmp_path / "1.html").returncode == 0


def test_thresholds_are_about_runs_of_now(tmp_path: Path) -> None:
    """A run of a far year is none of the last seven days: it neither fails nor saves a threshold."""
    runs = [
        run(f"run_{number}", created_at=NOW + 900 * DAY, started_at=NOW, failed_at=NOW, status="failed")
        for number in range(20)
    ]
    warehouse = loaded(tmp_path, *runs, observed_at=NOW)
    (tmp_path / "runmart.toml").write_text("[checks]\nmax_failure_rate = 0.1\n")
    done = command("check", "-w", warehouse, "--json", "--config", tmp_path / "runmart.toml")
    assert [one["check"] for one in json.loads(done.stdout)["failed"]] == ["plausible_instants"]


def test_a_horizon_ends_no_period(tmp_path: Path) -> None:
    """A selection with a horizon leaves out later runs and their tokens, and stays open."""
    warehouse = loaded(tmp_path, *of_days(1, -1, 0))
    selection = Selection(horizon=datetime(2024, 9, 1, tzinfo=UTC))
    with figures.Warehouse(str(warehouse)) as opened, opened.within(selection) as chosen:
        assert chosen.sql("select count(*) from runs").item() == chosen.sql("select count(*) from usage").item() == 1
