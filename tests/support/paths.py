"""Folders of the repository that tests read."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
REALDATA = ROOT / "tests" / "data" / "realdata"
"""The recorded payloads of the threads/runs API."""
RESPONSES = ROOT / "tests" / "data" / "responses"
"""Those of the Responses API."""
FORMS = ROOT / "tests" / "data" / "forms"
"""Runs as other clients and programs write them, made up."""
