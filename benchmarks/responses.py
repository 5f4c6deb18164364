"""Compares the load times of responses with DuckDB's own JSON reader over the same lines, in pages and in lines.

All end with the same tables, those of `bench` and the steps. Machines differ: the ratios count, not the seconds.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import bench
import generate
from bench import Loader
from generate_responses import responses
from measure import RUNMART, machine, table
from results import save


def loaders(lines: Path, pages: Path) -> list[Loader]:
    """The loaders to compare; the first is the baseline."""
    return [
        Loader("runmart, JSON Lines", lambda to: [RUNMART, "ingest", "-w", to, lines], "nothing"),
        Loader("runmart, pages of 100", lambda to: [RUNMART, "ingest", "-w", to, pages], "nothing"),
        Loader(
            "DuckDB `read_json`, JSON Lines, schema given",
            lambda to: [sys.executable, bench.PEERS / "read_json_responses.py", to, lines],
            bench.DUCKDB_LEAVES_OUT,
        ),
    ]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--responses", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", action="store_true", help="put the table into RESULTS.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines, pages = folder / "responses.jsonl", folder / "pages"
        generate.write_lines(lines, responses(arguments.responses))
        generate.write_pages(pages, responses(arguments.responses))
        megabytes = lines.stat().st_size / 1e6
        found = loaders(lines, pages)
        timings = bench.measure(found, folder, arguments.rounds)
    text = table(bench.COLUMNS, bench.rows(found, timings, arguments.responses, megabytes))
    text = f"{arguments.responses:,} responses, {megabytes:,.0f} MB, {arguments.rounds} rounds; {machine()}\n\n{text}"
    print(text)
    if arguments.save:
        save("responses", text)


if __name__ == "__main__":
    main()
