"""Large inputs are split, and the results are those of the whole input."""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runmart.ingest import pipeline
from runmart.ingest.load import packs
from runmart.ingest.parse.blocks import Block, blocks
from runmart.ingest.sources import decompress
from runmart.ingest.workers import tasks
from runmart.lake.distributed import convert, merge, split
from runmart.lake.distributed.shuffle import WHOLE, shuffle_blocks
from tests.support import batch_engine as engine
from tests.support.lake import alone, counts, lake_rows, rows
from tests.support.warehouse import page, query, run, write

RUNS = 60


def _a_run(of: str, number: int) -> dict[str, Any]:
    return run(
        f"{of}_{number % 50}",  # some are there twice: the later place in the input decides
        created_at=1_700_000_000 + number % 2 * 3_000_000,
        metadata={"number": number},
        tools=[{"type": "function", "function": {"name": "f", "parameters": {"n": number % 7}}}],
        usage={"total_tokens": number},
    )


def _items(of: str) -> list[dict[str, Any]]:
    """Runs, some of them damaged, with steps between them."""
    items: list[dict[str, Any]] = []
    for number in range(RUNS):
        items.append(_a_run(of, number))
        if number % 9 == 4:
            items.append(run(f"bad_{of}_{number}", created_at="soon"))
        if number % 11 == 5:
            step = {"id": f"step_{of}_{number}", "object": "thread.run.step", "status": "completed", "created_at": 1}
            items.append({**step, "run_id": f"{of}_{number}"})
    return items


def _lines(of: str) -> bytes:
    return b"\n".join(json.dumps(item).encode() for item in _items(of))


def _events(of: str) -> bytes:
    events = [b"event: thread.run.completed\ndata: %s\n\n" % json.dumps(item).encode() for item in _items(of)]
    return b"".join(events) + b"event: done\ndata: [DONE]\n\n"


def _not_utf8(of: str) -> bytes:
    lines = _lines(of).split(b"\n")
    return b"\n".join([*lines[:30], b'{"id": "\xff\xfe", "status": "completed"}', b"no JSON", *lines[30:]])


def _truncated(of: str) -> bytes:
    whole = page(*_items(of))
    return whole[: whole.index(f'"{of}_40"'.encode())]


def _pages(of: str) -> bytes:
    items = _items(of)
    return b"\n".join(page(*items[start : start + 7]) for start in range(0, len(items), 7))


INPUTS: dict[str, Callable[[str], bytes]] = {
    "lines": _lines,
    "page": lambda of: page(*_items(of)),
    "pages": _pages,
    "events": _events,
    "gzip": lambda of: gzip.compress(_lines(of), mtime=0),
    "truncated_gzip": lambda of: gzip.compress(_lines(of), mtime=0)[:-300],
    "truncated_page": _truncated,
    "not_utf8": _not_utf8,
    "utf_16": lambda of: _lines(of).decode().encode("utf-16"),
    "utf_16_cut": lambda of: _lines(of).decode().encode("utf-16")[:-301],
}
"""What is in large inputs, by the names that begin the ids of their runs."""

HOLD_NOTHING: dict[str, bytes] = {
    "picture": b"\x89PNG" + bytes(9000),
    "space": b"  \n" * 2000,
    "utf_16_unmarked": _lines("utf_16").decode().encode("utf-16-le"),
}


def _small_blocks(chunks: Iterable[bytes], _size: int = 0) -> Iterator[Block]:
    small = (chunk[start : start + 500] for chunk in chunks for start in range(0, len(chunk), 500))
    return blocks(small, 700)


@pytest.fixture(name="is_cut", autouse=True)
def _is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes inputs of more than 100 bytes large, and blocks and splits small."""
    monkeypatch.setattr(split, "UNSPLIT_BYTES", 100)
    monkeypatch.setattr(split, "SPLIT_BYTES", 2000)
    monkeypatch.setattr(pipeline, "GROUP_BYTES", 100)
    monkeypatch.setattr(tasks, "blocks", _small_blocks)
    monkeypatch.setattr(decompress, "CHUNK_BYTES", 1500)


@pytest.fixture(name="sent")
def _sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The addresses and numbers of the splits that are sent to the shards."""
    sent: list[tuple[str, int]] = []
    whole = merge.merged

    def noted(job: Any, batches: Any) -> Any:
        given = list(batches)
        sent.extend(
            (shuffle_block.address, shuffle_block.split)
            for shuffle_block in shuffle_blocks(given)
            if shuffle_block.kind == "observations"
        )
        return whole(job, iter(given))

    monkeypatch.setattr(merge, "merged", noted)
    return sent


def test_large_inputs_give_what_they_give_whole(tmp_path: Path, sent: list[tuple[str, int]]) -> None:
    """A split input gives the same tables, bookkeeping, positions of rejects and counts as an unsplit one."""
    texts = {**{name: text(name) for name, text in INPUTS.items()}, **HOLD_NOTHING}
    paths = {name: write(tmp_path / name, text) for name, text in texts.items()}
    outcome = engine.load(tmp_path / "lake", list(paths.values()), tasks=4, shards=2)
    load = alone(tmp_path / "alone.duckdb", *paths.values())
    expected = rows(tmp_path / "alone.duckdb")
    assert lake_rows(tmp_path / "lake") == expected
    assert counts(outcome.load) == counts(load)
    assert WHOLE not in {piece for _, piece in sent}
    for name, path in paths.items():
        pieces = {piece for address, piece in sent if address == str(path)}
        assert (len(pieces) > 2) is (name in INPUTS), name
        assert [row for row in expected["runmart.rejects"] if row[1] == str(path)], name
    unread = {"truncated_gzip", "utf_16_cut", *HOLD_NOTHING}
    assert {Path(row[1]).name for row in expected["runmart.inputs"]} == texts.keys() - unread


@pytest.mark.parametrize("unsplit", [100, 1 << 20])
def test_very_many_rejects_are_packed_as_in_a_warehouse(
    unsplit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first rejects of an input and its packs are the same, however it is split and its parts come."""
    monkeypatch.setattr(split, "UNSPLIT_BYTES", unsplit)
    monkeypatch.setattr(convert, "_BYTES", 1500)
    monkeypatch.setattr(packs, "MAX_REJECTS", 5)
    monkeypatch.setattr(packs, "PACK_BYTES", 4000)
    kinds = (
        '{"id": "bad_%d", "status": "queued", "created_at": "soon"}',
        '{"id": "%d", "object": "thread.run"}',
        "line %d",
    )
    items = [json.dumps(_a_run("run", n)) if n % 5 == 4 else kinds[n % len(kinds)] % n for n in range(600)]
    paths = [write(tmp_path / name, "\n".join(items[at:]).encode()) for at, name in enumerate("ab")]
    outcome = engine.load(tmp_path / "lake", paths, seed=1, tasks=3, shards=2)
    load = alone(tmp_path / "alone.duckdb", *paths)
    assert lake_rows(tmp_path / "lake") == rows(tmp_path / "alone.duckdb")
    assert counts(outcome.load) == counts(load)
    sums = """
        select parse_filename(input), cast(sum(items) as bigint), count(*) < 50, count(*) filter (items = 1) >= 5
        from runmart.rejects group by input order by 1"""
    assert query(tmp_path / "alone.duckdb", sums) == [("a", 480, True, True), ("b", 479, True, True)]


def test_large_inputs_are_put_together_each_by_itself(tmp_path: Path, sent: list[tuple[str, int]]) -> None:
    """Two large inputs and small ones in one batch are recorded as one input each."""
    items = _items("run")
    paths = [
        write(tmp_path / "1.json", page(*items[:40])),
        write(tmp_path / "2.json", page(*items[20:]), 1_800_000_000),
        *(write(tmp_path / f"small_{n}.json", json.dumps({"id": f"s{n}", "status": "queued"}).encode()) for n in "ab"),
    ]
    outcome = engine.load(tmp_path / "lake", paths, seed=1, tasks=3, shards=3)
    load = alone(tmp_path / "alone.duckdb", *paths)
    assert lake_rows(tmp_path / "lake") == rows(tmp_path / "alone.duckdb")
    assert counts(outcome.load) == counts(load)
    assert {address for address, piece in sent if piece != WHOLE} == {str(path) for path in paths[:2]}
    assert WHOLE in {piece for _, piece in sent}
    again = engine.load(tmp_path / "lake", paths, shards=3)
    assert (again.load["inputs"], again.load["inputs_unchanged"], again.files_written) == (0, 4, 0)


def test_many_observations_of_small_inputs_are_sent_in_several_shuffle_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: list[tuple[str, int]]
) -> None:
    """No machine holds more than some of them at a time."""
    monkeypatch.setattr(split, "UNSPLIT_BYTES", 1 << 20)
    monkeypatch.setattr(convert, "_OBSERVATIONS", 10)
    monkeypatch.setattr(pipeline, "GROUP_BYTES", 2000)
    items = _items("run")
    paths = [write(tmp_path / f"{start}.json", page(*items[start : start + 9])) for start in range(0, len(items), 9)]
    engine.load(tmp_path / "lake", paths, tasks=1, shards=1)
    alone(tmp_path / "alone.duckdb", *paths)
    assert lake_rows(tmp_path / "lake") == rows(tmp_path / "alone.duckdb")
    assert len(sent) > 3
    assert {piece for _, piece in sent} == {WHOLE}
