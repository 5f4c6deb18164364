"""The dashboards in a real browser: all charts are drawn, nothing is fetched from elsewhere, filters work."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from runmart.queries import Selection, connect
from tests.support.command import RUNMART, command
from tests.support.dashboards import CHARTS_OF, CHROMIUM, FLAGS, PATIENCE, WIDTH, served, wait_for_charts, whole
from tests.support.paths import ROOT
from tests.support.warehouse import page as page_of
from tests.support.warehouse import run, write

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default::ResourceWarning")]

GENERATED, SECONDS_BETWEEN = 62_000, 75
PICTURES = ROOT / "build" / "pictures"
"""Where pictures of the dashboards are left, for people to look at."""

BROKEN = ("raised an exception", "Traceback", "Internal error", "ancestor", "Something went wrong")
"""What marimo says when a cell fails."""

LIVELY = """
    delete from runs where created_at is not null
        and hash(run_id) % 100 >= 30 + 55 * (1 + sin(extract('epoch' from created_at) / 13751)) / 2
            + if(dayofweek(created_at) in (0, 6), 0, 15);
    delete from usage where run_id not in (select run_id from runs);
    delete from tools where run_id not in (select run_id from runs);
    delete from errors where run_id not in (select run_id from runs)"""
"""Days and weeks as people have them, for runs that are made at even distances."""


@pytest.fixture(scope="module", name="warehouse")
def _warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 40,000 realistic runs of eight weeks."""
    folder = tmp_path_factory.mktemp("large")
    program = f"import generate; generate.SECONDS_BETWEEN = {SECONDS_BETWEEN}; generate.main()"
    generate = [sys.executable, "-c", program, folder / "pages", str(GENERATED)]
    subprocess.run(generate, check=True, stdout=subprocess.DEVNULL, cwd=ROOT / "benchmarks")
    assert command("ingest", folder / "pages", "-w", folder / "runs.duckdb").returncode == 0
    with duckdb.connect(folder / "runs.duckdb") as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(LIVELY)
        [(count,)] = connection.execute("select count(*) from runs").fetchall()
        [(one,), (other,)] = connection.execute("""
            select assistant_id from runs group by all order by count(*) desc, assistant_id limit 2""").fetchall()
    assert 38_000 < count < 46_000
    rules = folder / "deployments.csv"
    rules.write_text(
        "deployment,side,match_kind,match_value\n"
        f"support-agent,before,assistant_id,{one}\nsupport-agent,after,assistant_id,{other}\n"
    )
    assert command("deployments", "import", rules, "-w", folder / "runs.duckdb").returncode == 0
    return folder / "runs.duckdb"


@pytest.fixture(scope="module", name="browser")
def _browser() -> Generator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(name="opened")
def _opened(browser: Browser) -> Generator[Callable[..., Page]]:
    """Opens pages; at the end asserts that no page has failed or contacted another host."""
    contexts: list[Any] = []
    asked: list[str] = []
    failed: list[str] = []

    def opened(address: str, width: int = 1440, scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 1000},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        found = context.new_page()

        def note(request: Request) -> None:
            asked.append(request.url)

        found.on("request", note)
        found.on("pageerror", lambda error: failed.append(str(error)))
        found.goto(address)
        return found

    yield opened
    for context in contexts:
        context.close()
    local = ("http://127.0.0.1:", "data:", "blob:")
    assert [url for url in asked if not url.startswith(local)] == []
    assert failed == []


def assert_sound(page: Page) -> None:
    """Assert that no cell failed and nothing is wider than the window."""
    text = page.inner_text("body")
    assert [words for words in BROKEN if words in text] == []
    assert page.evaluate(WIDTH) <= page.viewport_size["width"] + 1  # type: ignore[index]


def card(page: Page, label: str) -> str:
    """The number on a card."""
    found = page.locator(".runmart-card", has=page.get_by_text(label, exact=True)).locator(".runmart-value")
    return found.first.inner_text()


@pytest.mark.parametrize("name", CHARTS_OF)
def test_each_dashboard_is_drawn_whole(name: str, warehouse: Path, opened: Callable[..., Page]) -> None:
    """Each dashboard draws all charts; a screenshot is stored in build/pictures."""
    with served(warehouse) as address:
        page = opened(f"{address}/{name}/?since=2024-09-04", 1280)
        wait_for_charts(page, CHARTS_OF[name])
        whole(page)
        assert_sound(page)
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / f"{name}.png")
        expect(page.locator(".runmart-nav a")).to_have_count(len(CHARTS_OF))


def test_a_filter_changes_the_numbers_to_those_of_the_query(warehouse: Path, opened: Callable[..., Page]) -> None:
    """The choice of a model and of a period changes the cards, and the next dashboard keeps both."""
    with served(warehouse) as address:
        page = opened(f"{address}/overview/?since=2024-08-10&until=2024-08-20")
        wait_for_charts(page, CHARTS_OF["overview"])
        before = expected(warehouse, "2024-08-10", "2024-08-21")
        assert card(page, "Runs") == before["runs"]
        assert card(page, "Failure rate") == before["failure_rate"]
        choose_model(page, "gpt-4o")
        after = expected(warehouse, "2024-08-10", "2024-08-21", models=("gpt-4o",))
        assert after != before
        expect(page.locator(".runmart-value").first).to_have_text(after["runs"], timeout=20_000)
        assert card(page, "Failure rate") == after["failure_rate"]
        assert card(page, "Run time p50") == after["median"]
        page.get_by_label("Interval").select_option("week")
        link = page.locator(".runmart-nav a", has_text="Failures")
        expect(link).to_have_attribute("href", re.compile("grain=week.*model=gpt-4o"), timeout=20_000)
        link.click()
        page.wait_for_url("**/failures/**")
        wait_for_charts(page, 3)
        assert card(page, "Failure rate") == after["failure_rate"]


def choose_model(page: Page, model: str) -> None:
    """Choose a model by mouse and keyboard."""
    page.locator("marimo-multiselect").nth(1).get_by_role("button").first.click()
    page.get_by_role("option", name=model, exact=True).click()
    page.keyboard.press("Escape")


def expected(warehouse: Path, since: str, until: str, models: tuple[str, ...] = ()) -> dict[str, str]:
    """The expected numbers of cards, queried from the tables."""
    chosen = f"and model in ({', '.join(map(repr, models))})" if models else ""
    with connect(warehouse) as reader:
        [(runs, rate, median)] = reader.sql(f"""
            select
                count(*),
                count(*) filter (where status in ('failed', 'expired', 'incomplete'))
                    / count(*) filter (where status in ('failed', 'expired', 'incomplete', 'completed', 'cancelled')),
                quantile_cont(epoch(completed_at) - epoch(started_at), 0.5) filter (where status = 'completed')
            from main.runs where created_at >= '{since}' and created_at < '{until}' {chosen}""").rows()
    return {"runs": f"{runs:,}", "failure_rate": f"{rate:.1%}", "median": f"{median:,.1f} s"}


def test_a_new_version_is_shown_without_a_restart(tmp_path: Path, opened: Callable[..., Page]) -> None:
    """A newly published version is shown at once, also when it adds a day."""
    published = tmp_path / "published.duckdb"

    def load(number: int) -> None:
        runs = [run(f"run_{number}_{one}", created_at=1_754_870_400 + number * 86_400 + one) for one in range(10)]
        file = write(tmp_path / f"{number}.json", page_of(*runs))
        done = command("ingest", file, "-w", tmp_path / "runs.duckdb", "--publish", published)
        assert done.returncode == 0, done.stderr

    load(0)
    with served(published) as address:
        page = opened(f"{address}/overview/")
        wait_for_charts(page, 1)
        assert card(page, "Runs") == "10"
        page.locator("marimo-refresh select").first.select_option("5s")
        load(1)
        expect(page.locator(".runmart-value").first).to_have_text("20", timeout=20_000)
        assert_sound(page)


def test_the_warehouse_itself_is_left_to_loads(tmp_path: Path, opened: Callable[..., Page]) -> None:
    """A dashboard that shows a warehouse does not block loads into it."""
    warehouse = tmp_path / "runs.duckdb"
    for number in range(2):
        write(tmp_path / f"{number}.json", page_of(run(f"run_{number}", created_at=1_754_870_400)))
    assert command("ingest", tmp_path / "0.json", "-w", warehouse).returncode == 0
    with served(warehouse) as address:
        shown = opened(f"{address}/overview/")
        wait_for_charts(shown, 1)
        done = command("ingest", tmp_path / "1.json", "-w", warehouse, "--lock-timeout", "1")
        assert done.returncode == 0, done.stderr


T = 1_754_870_400


def _odd(name: str) -> list[dict[str, Any]]:
    """Sets of runs that are hard to draw: none, one, one model, a gap in time, or long names."""
    usage = {"prompt_tokens": 900, "completion_tokens": 100, "total_tokens": 1000}
    common = {"model": "gpt-4o", "assistant_id": "asst_1", "usage": usage, "metadata": {"team": "a"}}

    def one(number: int, created_at: int, **fields: Any) -> dict[str, Any]:
        status = "failed" if number % 9 == 0 and name != "one" else "completed"
        ends = {"started_at": created_at + 1, "completed_at": created_at + 2 + number % 50}
        return run(f"run_{number}", status, created_at=created_at, **{**common, **ends, **fields})

    if name == "empty":
        return []
    if name == "one":
        return [one(1, T)]
    if name == "one model":
        return [one(number, T + number * 1000) for number in range(500)]
    if name == "gap":
        return [one(number, T + number * 900 + (70 * 86_400 if number % 2 else 0)) for number in range(500)]
    long = "_<script>document.title = 'broken'</script> with a name so long that it does not fit anywhere, number"
    return [
        one(
            number,
            T + number * 900,
            assistant_id=f"asst_{number % 200}{long} {number % 200}",
            model=f"ft:gpt-4o-2024-08-06:somebody-with-a-long-name:what-it-is-for-{number % 25}:x{number % 25}",
            metadata={f"a key <i>{number % 20}</i>": "value " * 40},
        )
        for number in range(2000)
    ]


@pytest.mark.parametrize("name", ["empty", "one", "one model", "gap", "long names"])
def test_what_is_hard_to_draw_looks_right(name: str, tmp_path: Path, opened: Callable[..., Page]) -> None:
    """Extreme values fit into 900 pixels; screenshots are stored, some in dark mode."""
    file = write(tmp_path / "1.json", page_of(*_odd(name)))
    assert command("ingest", file, "-w", tmp_path / "runs.duckdb").returncode == 0
    asked = "?since=2025-08-11&until=2025-11-30&grain=week" if name == "gap" else ""
    with served(tmp_path / "runs.duckdb") as address:
        for scheme in ("light", "dark") if name == "long names" else ("light",):
            for dashboard, charts in CHARTS_OF.items():
                shown = opened(f"{address}/{dashboard}/{asked}", 900, scheme)
                shown.wait_for_selector(".runmart-cell")
                fewest = 0 if name == "empty" else 3 if dashboard == "failures" or name == "long names" else charts
                wait_for_charts(shown, {"operations": 1, "migration": 0}.get(dashboard, fewest))
                whole(shown)
                assert_sound(shown)
                assert shown.title() != "broken"
                PICTURES.mkdir(parents=True, exist_ok=True)
                shown.screenshot(path=PICTURES / f"{name.replace(' ', '-')}-{dashboard}-{scheme}.png")
                shown.close()


def test_the_migration_page_shows_the_example(tmp_path: Path, opened: Callable[..., Page]) -> None:
    """The deployments of the example in docs/migration.md, with their numbers and what forbids a comparison."""
    example = ROOT / "docs" / "migration"
    warehouse = tmp_path / "runs.duckdb"
    assert command("ingest", example / "before.json", example / "after.jsonl", "-w", warehouse).returncode == 0
    rules = write(tmp_path / "deployments.csv", command("deployments", "suggest", "-w", warehouse).stdout.encode())
    assert command("deployments", "import", rules, "-w", warehouse).returncode == 0
    with served(warehouse) as address:
        page = opened(f"{address}/migration/", 1280)
        wait_for_charts(page, CHARTS_OF["migration"])
        whole(page)
        assert_sound(page)
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / "migration-example.png")
        for cell in (
            "support-agent",
            "calls without a recorded answer",
            "no record of failed requests",
            "model changed",
        ):
            expect(page.get_by_text(cell, exact=True).first).to_be_visible()


def test_the_token_opens_the_page_for_a_browser_too(tmp_path: Path, opened: Callable[..., Page]) -> None:
    """The printed address with its token opens the dashboards, their links and their websockets."""
    file = write(tmp_path / "1.json", page_of(*_odd("one model")))
    assert command("ingest", file, "-w", tmp_path / "runs.duckdb").returncode == 0
    arguments = ["dashboard", "-w", tmp_path / "runs.duckdb", "--host", "0.0.0.0", "--port", "0", "--no-browser"]  # noqa: S104
    environment = {**os.environ, "RUNMART_DASHBOARD_TOKEN": "letmein"}
    server = subprocess.Popen([RUNMART, *arguments], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip().partition(": ")[2].replace("localhost", "127.0.0.1")
        shown = opened(address)
        wait_for_charts(shown, CHARTS_OF["overview"])
        assert "letmein" not in shown.url
        shown.locator(".runmart-nav a", has_text="Latency").click()
        wait_for_charts(shown, CHARTS_OF["latency"])
    finally:
        server.kill()
        server.communicate()


def test_a_selection_in_python_is_what_the_dashboard_shows(warehouse: Path) -> None:
    """A selection in Python gives the numbers that a dashboard shows."""
    asked = Selection(
        datetime(2024, 8, 10, tzinfo=UTC), datetime(2024, 8, 21, tzinfo=UTC), models=("gpt-4o",), grain="all"
    )
    with connect(warehouse) as reader, reader.within(asked) as part:
        runs = part.view("runs_over_time")["runs"].to_list()
    assert f"{runs[0]:,}" == expected(warehouse, "2024-08-10", "2024-08-21", models=("gpt-4o",))["runs"]
