"""An engine for tests: runs the stages of a batch one after another in this process."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from runmart.lake.distributed import commit, convert, discover, merge, split
from runmart.lake.distributed.commit import Outcome
from runmart.lake.distributed.job import Job
from runmart.models import arrow
from runmart.models.columns import BIGINT

Stage = Callable[[Job, Iterable[Any]], Iterator[Any]]


def run_on(stage: Stage, job: Job, partitions: Sequence[Sequence[Any]]) -> list[Any]:
    """The output rows of a stage over all partitions, each partition in a task of its own."""
    found: list[Any] = []
    for partition in partitions:
        for rows in stage(job, iter(partition)):
            found += [rows.slice(at, 1) for at in range(rows.num_rows)]
    return found


def spread(rows: Sequence[Any], count: int, random_: random.Random) -> list[list[Any]]:
    """Rows distributed over some partitions, in random order."""
    partitions: list[list[Any]] = [[] for _ in range(count)]
    for row in random_.sample(list(rows), len(rows)):
        random_.choice(partitions).append(row)
    return partitions


def by(rows: Sequence[Any], column: str, count: int) -> list[list[Any]]:
    """Rows partitioned by an integer column."""
    partitions: list[list[Any]] = [[] for _ in range(count)]
    for row in rows:
        partitions[row.column(column)[0].as_py() % count].append(row)
    return partitions


def load(lake: Path, sources: Sequence[Path | str], seed: int = 0, tasks: int = 3, **options: Any) -> Outcome:
    """Load a batch into a lake."""
    random_ = random.Random(seed)
    given: dict[str, Any] = {"source": "default", **options}
    job = commit.begin(str(lake), [str(source) for source in sources], **given)
    numbers = [arrow.rows([(number,)], {"id": BIGINT}) for number in range(len(sources))]
    listed = run_on(discover.listed, job, [numbers])
    assert not [row for row in listed if row.column("problem")[0].as_py()]
    marked = run_on(discover.marked, job, by(listed, "owner", 2)) if not job.reload else listed
    unchanged = sum(row.column("is_known")[0].as_py() for row in marked)
    splits = run_on(split.splits, job, spread(marked, tasks, random_))
    shuffle_blocks = run_on(convert.observed, job, spread(splits, tasks, random_))
    random_.shuffle(shuffle_blocks)
    merged = run_on(merge.merged, job, by(shuffle_blocks, "shard", 2))
    return commit.finish(job, [row.column(0)[0].as_py() for row in merged], unchanged)
