"""Stores the latest measured tables in RESULTS.md, one section per program."""

import re
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"


def save(section: str, text: str) -> None:
    """Replace the text between the markers of `section`."""
    marked = f"<!-- {section} -->\n{datetime.now(UTC):%Y-%m-%d}; {text}\n<!-- end of {section} -->"
    pattern = re.compile(f"<!-- {section} -->.*?<!-- end of {section} -->", re.DOTALL)
    whole = RESULTS.read_text("utf-8")
    if not pattern.search(whole):
        raise ValueError(f"RESULTS.md has no section {section}")
    RESULTS.write_text(pattern.sub(lambda _: marked, whole), "utf-8")
