"""Times the dashboards in a real browser: the first view, and the update after a filter is changed."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import generate
from measure import RUNMART, machine, table
from playwright.sync_api import Browser, sync_playwright
from results import save
from warehouses import BASE_RUNS, multiply

sys.path.append(str(Path(__file__).parents[1]))

from tests.support.dashboards import CHARTS_OF, CHROMIUM, FLAGS, served, wait_for_charts

CHANGING = ("overview", "failures", "costs")
"""Dashboards of which the first number is another one for each model."""

_WATCH = """
() => {
    const before = document.querySelector('.runmart-value').innerText
    document.addEventListener('click', () => { window.clicked ??= performance.now() }, {capture: true})
    window.changed = new Promise(done => {
        const look = () => {
            const now = document.querySelector('.runmart-value')
            const is_new = window.clicked && now && now.innerText !== before
            requestAnimationFrame(is_new ? () => done(performance.now() - window.clicked) : look)
        }
        look()
    })
}"""
"""Waits for a click, and then for another number."""


def first_view(browser: Browser, address: str, charts: int) -> float:
    """Seconds until all charts are drawn, in a browser without a cache."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.goto(address, wait_until="commit")
    found = wait_for_charts(page, charts)
    context.close()
    return found


def filter_change(browser: Browser, address: str, charts: int) -> float:
    """Seconds from the choice of a model until its numbers are shown."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page: Any = context.new_page()
    page.goto(address)
    wait_for_charts(page, charts)
    page.wait_for_timeout(1500)
    page.get_by_text("Select...").nth(1).click()
    option = page.get_by_role("option", name="gpt-4o", exact=True)
    option.wait_for()
    page.evaluate(_WATCH)
    option.click()
    milliseconds = page.evaluate("() => window.changed")
    context.close()
    return milliseconds / 1000


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10, help="size of the warehouse, in 100,000 runs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", action="store_true", help="put the table into RESULTS.md")
    arguments = parser.parse_args()
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        pages, warehouse = Path(name) / "pages", Path(name) / "w.duckdb"
        generate.write_pages(pages, generate.runs(BASE_RUNS))
        subprocess.run([RUNMART, "ingest", "-w", warehouse, pages], check=True, stdout=subprocess.DEVNULL)
        multiply(warehouse, arguments.times)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        whole = "?since=2000-01-01&grain=week"
        for dashboard, charts in CHARTS_OF.items():
            views: list[float] = []
            changes: dict[str, list[float]] = {"": [], whole: []}
            for _ in range(arguments.rounds):
                with served(warehouse) as address:  # a new server: nothing is remembered
                    views.append(first_view(browser, f"{address}/{dashboard}/", charts))
                if dashboard not in CHANGING:
                    continue
                for query, found in changes.items():
                    with served(warehouse) as address:
                        found.append(filter_change(browser, f"{address}/{dashboard}/{query}", charts))
            shown = [f"{median(found):.2f}" if found else "" for found in (views, *changes.values())]
            rows.append([dashboard, *shown])
    headings = ("dashboard", "first view, s", "a model chosen, of 30 days, s", "of all days, s")
    text = f"{arguments.times * BASE_RUNS:,} runs; {machine()}\n\n{table(headings, rows)}"
    print(text)
    if arguments.save:
        save("dashboards", text)


if __name__ == "__main__":
    main()
