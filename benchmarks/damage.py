"""Times damaged input: four times the bytes should take about four times the CPU, however they are damaged."""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from statistics import median

import generate
from measure import machine, table
from results import save

from runmart.ingest.parse.blocks import blocks
from runmart.ingest.transform.convert import Converter
from runmart.models.observations import Origin

CHUNK_BYTES = 1 << 20
RUNS = 2_000
"""Runs of the smaller input; others have about as many bytes."""


def _page(runs: Iterator[str]) -> bytes:
    return ('{"object":"list","data":[' + ",".join(runs) + '],"has_more":false}').encode()


def _nan(count: int) -> bytes:
    return _page(_with(run, "temperature", "NaN") for run in generate.runs(count))


def _half_an_emoji(count: int) -> bytes:
    runs = enumerate(generate.runs(count))
    return _page(_with(run, "model", r'"half \ud83d"') if number % 100 == 0 else run for number, run in runs)


def _unclosed(count: int) -> bytes:
    return _page(run[:-1] for run in generate.runs(count))


def _with(run: str, name: str, value: str) -> str:
    """A run with another value of a field, as it stands."""
    return json.dumps({**json.loads(run), name: "@"}).replace('"@"', value)


KINDS: dict[str, Callable[[int], bytes]] = {
    "`NaN` in every run of a page": _nan,
    "half an emoji in one of 100 runs of a page": _half_an_emoji,
    "no closing brace in any run of a page": _unclosed,
    "lines of `{}`": lambda count: b"{}\n" * (count * 100),
    "quotes only": lambda count: b'"' * (count * 16_000),
    "lines of a log": lambda count: b"2024-09-25 10:15:12,345 INFO nothing of interest was done\n" * (count * 20),
    "objects that nothing closes, a line each": lambda count: b'{"k":{x\n' * (count * 20),
    "runs over several lines in a log": lambda count: b"".join(
        b'INFO run {\n "id": "run_%d",\n "object": "thread.run",\n "status": "completed"\n}\n' % number
        for number in range(count * 3)
    ),
    "opening brackets only": lambda count: b"[" * (count * 1_000),
}


def seconds(text: bytes) -> float:
    """CPU time of reading and converting a text."""
    chunks = (text[at : at + CHUNK_BYTES] for at in range(0, len(text), CHUNK_BYTES))
    converter, origin, start = Converter(), Origin("benchmark", 0, 1), time.process_time()
    for block in blocks(chunks):
        converter.convert([(block, origin)])
    return time.process_time() - start


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", action="store_true", help="put the table into RESULTS.md")
    arguments = parser.parse_args()
    rows: list[list[str]] = []
    for name, make in KINDS.items():
        small, large = make(RUNS), make(4 * RUNS)
        times = [(seconds(small), seconds(large)) for _ in range(arguments.rounds)]
        of_small, of_large = (median(one) for one in zip(*times, strict=True))
        ratio = f"{of_large / of_small:.2f}"
        rows.append([name, f"{len(large) / 1e6:.1f}", f"{of_small:.3f}", f"{of_large:.3f}", ratio])
        print(" ", *rows[-1], flush=True)
    headings = ("input", "MB", "CPU s of a quarter", "CPU s", "ratio")
    text = f"{arguments.rounds} rounds; {machine()}\n\n{table(headings, rows)}"
    print(text)
    if arguments.save:
        save("damage", text)


if __name__ == "__main__":
    main()
