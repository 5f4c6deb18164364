"""Compares the load times of runmart and its peers, each in a process of its own, over the same generated runs.

All end with the same four tables, committed and check-pointed. Machines differ: the ratios count, not the seconds.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import generate
from measure import RUNMART, Timing, machine, table, timed
from results import save

PEERS = Path(__file__).parent / "peers"
DLT_RUNS = 10_000
DUCKDB_LEAVES_OUT = "validation, rejects, unknown fields, merge, bookkeeping"
COLUMNS = ("loader", "wall s", "CPU s", "peak MB", "runs/s", "MB/s", "wall / runmart", "leaves out")


class Loader(NamedTuple):
    """One way to load the runs."""

    name: str
    command: Callable[[Path], list[str | Path]]
    """Given the warehouse."""
    leaves_out: str
    share: float = 1.0
    """Of the runs that it loads; its times are scaled to all of them."""


class Inputs(NamedTuple):
    """The same runs in two formats, and a small sample of them."""

    pages: Path
    lines: Path
    few_pages: Path


def loaders(inputs: Inputs, runs: int, dlt_python: str | None) -> list[Loader]:
    """The loaders to compare; the first is the baseline."""
    pages, lines, few = inputs
    python = sys.executable
    found = [
        Loader("runmart, page files", lambda to: [RUNMART, "ingest", "-w", to, pages], "nothing"),
        Loader("runmart, JSON Lines", lambda to: [RUNMART, "ingest", "-w", to, lines], "nothing"),
        Loader(
            "DuckDB `read_json`, JSON Lines, schema given",
            lambda to: [python, PEERS / "read_json.py", to, "lines", lines],
            DUCKDB_LEAVES_OUT,
        ),
        Loader(
            "DuckDB, page files (`read_text`, `json_transform`)",
            lambda to: [python, PEERS / "read_json.py", to, "pages", pages / "*.json"],
            DUCKDB_LEAVES_OUT,
        ),
        Loader(
            "polars `read_ndjson`, schema given, then DuckDB",
            lambda to: [python, PEERS / "polars_ndjson.py", to, lines],
            f"{DUCKDB_LEAVES_OUT}; of JSON only what the schema names",
        ),
        Loader(
            "Arrow `read_json`, schema given, then DuckDB",
            lambda to: [python, PEERS / "pyarrow_json.py", to, lines],
            f"{DUCKDB_LEAVES_OUT}; of JSON only what the schema names; response_format",
        ),
    ]
    if dlt_python:
        found.append(
            Loader(
                f"dlt, merge by id (scaled from {DLT_RUNS:,} runs)",
                lambda to: [dlt_python, PEERS / "dlt_merge.py", to, few],
                "rejects; makes tables of its own shape",
                DLT_RUNS / runs,
            )
        )
    return found


def measure(found: list[Loader], folder: Path, rounds: int) -> dict[str, Timing]:
    """The medians of `rounds` rounds after a warm-up round; each round runs every loader once."""
    timings: dict[str, list[Timing]] = {loader.name: [] for loader in found}
    for number in range(rounds + 1):
        sums = dict[str, tuple[int, ...]]()
        for loader in found:
            warehouse = folder / "w.duckdb"
            timing = timed(loader.command(warehouse))
            if number:
                timings[loader.name].append(_scaled(timing, loader.share))
            elif loader.share == 1:
                sums[loader.name] = totals(warehouse)
            warehouse.unlink()
        if len(set(sums.values())) > 1:
            sys.exit(f"the loaders do not agree: {sums}")
    return {name: Timing(*map(median, zip(*of, strict=True))) for name, of in timings.items()}


def _scaled(timing: Timing, share: float) -> Timing:
    return Timing(timing.wall_seconds / share, timing.cpu_seconds / share, timing.peak_megabytes)


def totals(warehouse: Path) -> tuple[int, ...]:
    """Numbers that must be equal in the warehouses of all loaders."""
    import duckdb

    tables = ("runs", "usage", "tools", "errors")
    counts = ", ".join(f"(select count(*) from {name})" for name in tables)
    with duckdb.connect(warehouse, read_only=True) as connection:
        query = f"select {counts}, cast((select sum(prompt_tokens + cached_prompt_tokens) from usage) as bigint)"
        return connection.execute(query).fetchall()[0]


def rows(found: list[Loader], timings: dict[str, Timing], runs: int, megabytes: float) -> list[list[str]]:
    """The rows of the result table."""
    base = timings[found[0].name].wall_seconds
    return [
        [
            loader.name,
            f"{timing.wall_seconds:.2f}",
            f"{timing.cpu_seconds:.2f}",
            f"{timing.peak_megabytes:.0f}",
            f"{runs / timing.wall_seconds:,.0f}",
            f"{megabytes / timing.wall_seconds:,.0f}",
            f"{timing.wall_seconds / base:.2f}",
            loader.leaves_out,
        ]
        for loader in found
        for timing in [timings[loader.name]]
    ]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dlt-python", help="the Python of an environment in which `pip install dlt[duckdb]` was done")
    parser.add_argument("--save", action="store_true", help="put the table into RESULTS.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs = Inputs(folder / "pages", folder / "runs.jsonl", folder / "few")
        generate.write_pages(inputs.pages, generate.runs(arguments.runs))
        generate.write_lines(inputs.lines, generate.runs(arguments.runs))
        generate.write_pages(inputs.few_pages, generate.runs(min(DLT_RUNS, arguments.runs)))
        megabytes = inputs.lines.stat().st_size / 1e6
        found = loaders(inputs, arguments.runs, arguments.dlt_python)
        timings = measure(found, folder, arguments.rounds)
    text = table(COLUMNS, rows(found, timings, arguments.runs, megabytes))
    text = f"{arguments.runs:,} runs, {megabytes:,.0f} MB, {arguments.rounds} rounds; {machine()}\n\n{text}"
    print(text)
    if arguments.save:
        save("loaders", text)


if __name__ == "__main__":
    main()
