"""`python -m tests.fuzz`: check inputs for some seconds, or some number of them; the seed repeats a run of it."""

import argparse
import sys
import time
from collections import Counter

from tests.fuzz.inputs import Source
from tests.fuzz.law import BrokenLawError, Cut, check_all

TOGETHER = 100
"""Inputs that are checked together."""


def fuzz(seed: int, seconds: float, documents: int) -> Counter[str]:
    """Check inputs until the time or their number is used up; the numbers of what was seen.

    Raises:
        BrokenLawError: An input breaks the law.
    """
    source, counts, end = Source(seed), Counter[str](), time.monotonic() + seconds
    while counts["documents"] < documents and time.monotonic() < end:
        cuts = [
            Cut(source.input(), source.pick(1, 7, 20, 60, 300), source.pick(1, 3, 11, 100)) for _ in range(TOGETHER)
        ]
        for cut, seen in zip(cuts, check_all(cuts), strict=True):
            counts.update(documents=1, bytes=len(cut.text), runs=len(seen.ids), rejects=len(seen.rejects))
            counts["skipped"] += seen.skipped.total()
    return counts


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--documents", type=int, default=sys.maxsize)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    asked = parser.parse_args()
    try:
        counts = fuzz(asked.seed, asked.seconds, asked.documents)
    except BrokenLawError as error:
        print(f"seed {asked.seed}: {error}")  # noqa: T201
        return 1
    print(f"seed {asked.seed}: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
