"""Dashboards in a browser."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RUNMART = Path(sys.executable).parent / "runmart"

CHROMIUM = "/usr/bin/chromium"
PATIENCE = 90_000
"""Milliseconds to wait for what a busy machine shows late."""

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

CHARTS = """
() => {
    let found = 0
    const count = root => {
        found += root.querySelectorAll('canvas').length
        root.querySelectorAll('*').forEach(one => one.shadowRoot && count(one.shadowRoot))
    }
    count(document)
    return found
}"""
"""How many charts are drawn; they live in shadow roots."""

HEIGHT = "() => Math.max(...[...document.querySelectorAll('*')].map(one => one.scrollHeight))"
WIDTH = "() => Math.max(...[...document.querySelectorAll('*')].map(one => one.getBoundingClientRect().right))"

CHARTS_OF = {"overview": 5, "latency": 6, "failures": 4, "costs": 6, "migration": 4, "operations": 1}
"""How many charts each dashboard has, when there is something to draw in all of them."""


@contextmanager
def served(warehouse: Path, *arguments: str) -> Generator[str]:
    """The address of the dashboards of a warehouse, without the name of a dashboard."""
    command = [RUNMART, "dashboard", "-w", warehouse, "--port", "0", "--no-browser", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            line = server.stdout.readline()
            assert line, server.communicate()
            yield line.strip().partition(": ")[2].partition("/overview/")[0]
        finally:
            server.terminate()
            _, error = server.communicate(timeout=30)
    assert "Traceback" not in error, error


def wait_for_charts(page: Any, count: int) -> float:
    """Seconds from the loading of the page until `count` charts are drawn."""
    found = page.wait_for_function(f"() => ({CHARTS})() >= {count} && performance.now()", polling=50, timeout=PATIENCE)
    return found.json_value() / 1000


def whole(page: Any) -> None:
    """Make the browser window as high as the page, which marimo scrolls in an element of its own."""
    width = page.viewport_size["width"]
    page.set_viewport_size({"width": width, "height": min(page.evaluate(HEIGHT) + 20, 5000)})
    page.wait_for_timeout(800)
