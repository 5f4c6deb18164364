"""Times pulls from the test server at several concurrencies, and the paging loop of the official client.

The server runs on the same machine, in Python: it takes its share of the cores, the same for all.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx2
from measure import RUNMART, machine, table
from results import save

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))
CONCURRENCIES = (1, 8, 32)


def runmart(url: str, warehouse: Path, concurrency: int) -> tuple[float, int, int]:
    """Seconds, requests and runs of one `runmart pull`."""
    from tests.support.server import KEY

    arguments = ["--base-url", f"{url}/foundry", "--profile", "azure-foundry", "--api-key-env", "KEY", "--json"]
    more = ["--concurrency", str(concurrency), "--warehouse", warehouse]
    started = time.perf_counter()
    done = subprocess.run(
        [RUNMART, "pull", *arguments, *more], env={**os.environ, "KEY": KEY}, check=True, capture_output=True
    )
    seconds = time.perf_counter() - started
    [pull] = json.loads(done.stdout)["pulls"]
    return seconds, pull["requests"], pull["observations"]


def client(url: str, threads: list[str], concurrency: int) -> tuple[float, int, int]:
    """Seconds, requests and runs of a loop over pages, `concurrency` threads at a time; nothing is stored."""
    from openai import AsyncOpenAI

    from tests.support.server import KEY

    async def read() -> int:
        waiting = iter(threads)
        runs = 0
        async with AsyncOpenAI(api_key=KEY, base_url=f"{url}/openai/v1") as asked:

            async def work() -> None:
                nonlocal runs
                for thread in waiting:
                    async for _ in asked.beta.threads.runs.list(thread, limit=100):
                        runs += 1

            await asyncio.gather(*(work() for _ in range(concurrency)))
        return runs

    httpx2.post(f"{url}/_admin/log")
    started = time.perf_counter()
    runs = asyncio.run(read())
    seconds = time.perf_counter() - started
    return seconds, httpx2.post(f"{url}/_admin/log").json()["requests"]["all"], runs


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--save", action="store_true", help="put the table into RESULTS.md")
    arguments = parser.parse_args()
    rows: list[list[str]] = []
    with (
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.server"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        assert server.stdout
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        world = {"threads": arguments.threads, "runs": arguments.runs}
        httpx2.post(f"{url}/_admin/world", json=world, timeout=60)
        threads = [f"thread_{number:06}" for number in range(arguments.threads)]
        for concurrency in CONCURRENCIES:
            warehouse = Path(folder) / f"{concurrency}.duckdb"
            measured = {
                "runmart, first pull": runmart(url, warehouse, concurrency),
                "runmart, nothing new": runmart(url, warehouse, concurrency),
                "openai client, all pages, nothing stored": client(url, threads, concurrency),
            }
            for name, (seconds, requests, runs) in measured.items():
                cells = [f"{seconds:.2f}", f"{requests:,}", f"{requests / seconds:,.0f}", f"{runs / seconds:,.0f}"]
                rows.append([name, str(concurrency), *cells])
        server.terminate()
    headings = ("what", "concurrency", "wall s", "requests", "requests/s", "runs/s")
    text = f"{arguments.threads:,} threads, {arguments.runs:,} runs; {machine()}\n\n{table(headings, rows)}"
    print(text)
    if arguments.save:
        save("pulls", text)


if __name__ == "__main__":
    main()
