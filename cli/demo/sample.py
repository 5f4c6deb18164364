"""A sample of real pages, recorded from the API by three public projects; `LICENSES.md` tells their origin."""

from pathlib import Path

PAGES = Path(__file__).parent / "pages"
"""The folder of the pages: runs, ListRuns pages and assistant streams."""
