"""`runmart check`: each invariant can be violated and each threshold exceeded, and the output names the violations."""

import json
import time
from pathlib import Path
from xml.etree import ElementTree as Xml

import duckdb
import pytest

from runmart.queries.checks import INVARIANTS, OF_DATA
from tests.support.command import command
from tests.support.pull import KEY, TestServer, given
from tests.support.warehouse import page, run, write

NOW = int(time.time())


@pytest.fixture(name="loaded")
def _loaded(pages: Path, warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty runs of today, of two models; a quarter of the runs of one model failed."""
    monkeypatch.chdir(pages.parent)
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 0, "total_tokens": 1_000_000}
    tools = [{"type": "function", "function": {"name": "f"}}]
    runs = [
        run(
            f"run_{place}",
            "failed" if place % 8 == 0 else "completed",
            model=("gpt-4o", "gpt-4o-mini")[place % 2],
            created_at=NOW - 100,
            started_at=NOW - 90,
            completed_at=NOW - 90 + place if place % 8 else None,
            last_error={"code": "server_error", "message": "no"} if place % 8 == 0 else None,
            usage=usage,
            tools=tools,
        )
        for place in range(40)
    ]
    write(pages / "1.json", page(*runs), NOW)
    assert command("ingest", pages, "-w", warehouse).returncode == 0
    return warehouse


def test_a_sound_warehouse_passes(loaded: Path) -> None:
    """A warehouse without violations gives exit code 0, an empty one as well."""
    done = command("check", "-w", loaded)
    assert (done.returncode, done.stdout) == (0, f"{loaded}: all {len(INVARIANTS) + len(OF_DATA)} checks passed\n")
    empty = loaded.with_name("empty.duckdb")
    folder = loaded.with_name("nothing")
    folder.mkdir()
    command("ingest", folder, "-w", empty)
    assert command("check", "-w", empty).returncode == 0


@pytest.mark.parametrize(
    ("damage", "failed"),
    [
        ("insert into runs from (from runs where run_id = 'run_1')", "unique_runs"),
        ("insert into usage from (from usage where run_id = 'run_1')", "unique_usage"),
        ("insert into tools from (from tools where run_id = 'run_1')", "unique_tools"),
        ("insert into errors from (from errors where run_id = 'run_0')", "unique_errors"),
        ("insert into steps (step_id) values ('a'), ('a')", "unique_steps"),
        ("insert into request_failures (failure_id) values ('a'), ('a')", "unique_request_failures"),
        ("insert into webhook_events (event_id) values ('a'), ('a')", "unique_webhook_events"),
        ("insert into organization_usage (bucket_id) values ('a'), ('a')", "unique_organization_usage"),
        ("insert into usage (run_id) values ('nobody')", "orphans_usage"),
        ("update tools set run_created_at = null where run_id = 'run_1'", "orphans_tools"),
        ("delete from runs where run_id = 'run_0'", "orphans_errors"),
        ("update runs set tool_count = 3 where run_id = 'run_1'", "tools_of_runs"),
        ("update runs set load_id = 99 where run_id = 'run_1'", "known_loads"),
        ("create or replace view failure_rates_by_model as select 1 as runs", "totals_of_runs"),
        ("create or replace view runs_daily as select 1 as runs", "totals_of_days"),
        ("create or replace view token_usage_by_model as select 1 as total_tokens", "totals_of_tokens"),
        ("create or replace view cost_by_model as select 1 as runs", "totals_of_costs"),
        ("create or replace view latency_by_model as select 1 as run_seconds_missing", "durations"),
    ],
)
def test_each_invariant_can_fail(loaded: Path, damage: str, failed: str) -> None:
    """A violated invariant gives exit code 4, and the output names the rows."""
    with duckdb.connect(loaded) as connection:
        connection.execute(damage)
    done = command("check", "-w", loaded, "--json")
    assert done.returncode == 4
    assert failed in [one["check"] for one in json.loads(done.stdout)["failed"]]
    assert all(one["offenders"] for one in json.loads(done.stdout)["failed"])


def test_every_invariant_is_violated_above() -> None:
    """The cases of the test before violate every invariant."""
    [mark] = [mark for mark in test_each_invariant_can_fail.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
    assert {failed for _, failed in mark.args[1]} == {one.name for one in INVARIANTS}


def test_negative_durations_are_counted(pages: Path, warehouse: Path) -> None:
    """A negative duration violates no invariant: the views exclude it, and count it as missing."""
    first, second = run("a", started_at=NOW, completed_at=NOW - 5), run("b", started_at=NOW, failed_at=NOW + 1)
    write(pages / "1.json", page(first, second, run("c")), NOW)
    command("ingest", pages, "-w", warehouse)
    assert command("check", "-w", warehouse).returncode == 0


def test_durations_of_responses_violate_nothing(pages: Path, warehouse: Path) -> None:
    """Timed by whom ever, or not at all, responses have no start: what lacks a duration is counted as missing."""
    sent = {"object": "response", "status": "completed", "created_at": NOW}
    bodies = [{**sent, "id": "a", "completed_at": NOW + 2}, {**sent, "id": "b"}, {**sent, "id": "c"}]
    lines = [
        bodies[0],
        bodies[1],
        {"duration_ms": 1500, "body": bodies[2]},
        {**sent, "id": "d", "completed_at": NOW - 9},
    ]
    write(pages / "1.jsonl", "\n".join(map(json.dumps, lines)).encode(), NOW)
    command("ingest", pages, "-w", warehouse)
    assert command("check", "-w", warehouse).returncode == 0
    with duckdb.connect(warehouse) as connection:
        found = connection.sql("select run_id, run_seconds from run_times order by run_id").fetchall()
    assert found == [("a", 2.0), ("b", None), ("c", 1.5), ("d", None)]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ("max_failure_rate = 0.2", []),
        ("max_failure_rate = 0.1", [("failure_rate_overall", "all runs", 0.125)]),
        ("max_failure_rate = 0.2\nper = ['model']", [("failure_rate_model", "model gpt-4o", 0.25)]),
        ("max_failure_rate = 0.2\nper = ['model']\nminimum_runs = 21", []),
        ("max_run_seconds_p95 = 37.2", [("run_seconds_p95_overall", "all runs", pytest.approx(37.3))]),
        ("max_run_seconds_p95 = 37.4", []),
        ("max_cost_per_day = 53", []),
        ("max_rejects = 0", []),
        ("max_age = '1h'", []),
    ],
)
def test_limits_are_those_of_the_settings(loaded: Path, limits: str, expected: list[tuple[str, str, float]]) -> None:
    """Thresholds are read from the settings, and checked per scope with enough runs."""
    Path("runmart.toml").write_text(f"[checks]\n{limits}\n")
    done = command("check", "-w", loaded, "--json")
    printed = json.loads(done.stdout)["failed"]
    found = [(one["check"], offender["subject"], offender["value"]) for one in printed for offender in one["offenders"]]
    assert found == expected
    assert done.returncode == (4 if expected else 0)


def test_costs_rejects_and_age_have_limits(loaded: Path, pages: Path) -> None:
    """Costs of a day (20 x 2.5 + 20 x 0.15 dollars), rejects, and the age of a source have thresholds."""
    write(pages / "2.json", b"{broken", NOW - 9000)
    write(pages / "3.json", page(run("old")), NOW - 9000)
    command("ingest", pages / "2.json", pages / "3.json", "-w", loaded, "--source", "other")
    Path("runmart.toml").write_text("[checks]\nmax_cost_per_day = 52.9\nmax_rejects = 0\nmax_age = '2h'\n")
    done = command("check", "-w", loaded, "--junit", "out.xml")
    assert done.returncode == 4
    assert "3 of" in done.stdout
    suite = Xml.parse("out.xml").getroot()  # noqa: S314 - our own
    failures = {case.get("name"): case.findtext("failure") for case in suite if case.find("failure") is not None}
    assert set(failures) == {"cost_per_day_overall", "rejects", "freshness"}
    assert "all runs, USD: 53.000, limit 52.900" in (failures["cost_per_day_overall"] or "")
    assert (failures["freshness"] or "").startswith("other, by its latest observation: ")
    assert suite.get("failures") == "3"


@pytest.mark.parametrize(
    ("text", "words"),
    [("max_failure_rate = 5", "max_failure_rate"), ("max_fail = 1", "unknown field"), ("max_age = 'soon'", "max_age")],
)
def test_wrong_limits_are_2(loaded: Path, text: str, words: str) -> None:
    """An invalid threshold gives exit code 2 and a message with the name of the setting."""
    Path("runmart.toml").write_text(f"[checks]\n{text}\n")
    done = command("check", "-w", loaded)
    assert (done.returncode, words in done.stderr) == (2, True)


def test_a_source_that_is_pulled_is_as_old_as_its_last_complete_pull(
    server: TestServer, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quiet source is no alarm while its pulls are complete; a source whose pulls fail or stall is one."""
    monkeypatch.chdir(warehouse.parent)
    monkeypatch.setenv("TEST_KEY", KEY)
    server.world(threads=2, runs=4)
    Path("runmart.toml").write_text("[checks]\nmax_age = '1h'\n")
    assert command(*given(server, "-w", warehouse)).returncode == 0
    with duckdb.connect(warehouse) as connection:
        connection.execute("update runs set observed_at = observed_at - interval 3 day")
    assert _stale(warehouse) == []
    with duckdb.connect(warehouse) as connection:
        connection.execute("update runmart.sources set pulled_at = pulled_at - interval 2 hour")
    server.steer("settings", forbidden=["thread_000000"])
    assert command(*given(server, "-w", warehouse)).returncode == 3
    assert _stale(warehouse) == ["default, by its last complete pull"]
    with duckdb.connect(warehouse) as connection:
        connection.execute("update runmart.sources set pulled_at = null")
    assert _stale(warehouse) == ["default, by its last complete pull"]


def _stale(warehouse: Path) -> list[str]:
    failed = json.loads(command("check", "-w", warehouse, "--json").stdout)["failed"]
    return [offender["subject"] for one in failed if one["check"] == "freshness" for offender in one["offenders"]]
