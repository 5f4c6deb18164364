"""Blocks: the results do not depend on how a stream is chunked and cut."""

import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runmart.ingest.decode.decoder import Decoder
from runmart.ingest.parse import blocks as blocks_module
from runmart.ingest.parse.blocks import Lines, blocks
from tests.support.generated import as_page, inputs, others, plain_runs, runs
from tests.support.payloads import ORIGIN, decode, page, pieces, run

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(inputs(st.one_of(runs(), runs(), others())), st.integers(1, 3000), st.integers(1, 2000))
def test_any_chunks_and_any_blocks_give_the_same(data: bytes, block: int, chunk: int) -> None:
    """Observations, rejects, positions, lines and JSON paths do not depend on how an input is cut."""
    assert decode(data, block=block, chunk=chunk) == decode(data)


@QUICK
@given(st.lists(plain_runs(), min_size=2, max_size=5), st.integers(0, 4), st.data(), st.integers(1, 3000))
def test_damage_to_one_run_costs_that_run_only(
    found: list[dict[str, object]], victim: int, data: st.DataObject, block: int
) -> None:
    """Damage to one run of a page makes one reject with its whole text; all other runs are found."""
    for number, item in enumerate(found):
        item["id"] = f"run_{number}"
    texts = [json.dumps(item).encode() for item in found]
    victim %= len(texts)
    text = texts[victim]
    at = data.draw(st.integers(1, len(text) - 1))
    texts[victim] = data.draw(
        st.sampled_from(
            [
                text[:at],
                text[:at] + text[at + 1 :],
                text[:at] + b"\xff" + text[at:],
                text[:at] + b"NaN" + text[at:],
                text[:at] + b"}" + text[at:],
                text[:at] + b"[" + text[at:],
                text[:at] + b"\\ud800" + text[at:],
            ]
        )
    )
    frame, separator = data.draw(
        st.sampled_from([(b"", b"\n"), (b'{"object":"list","data":[', b","), (b"[\n", b",\n"), (b'{"data": [', b", ")])
    )
    end = {b"": b"\n", b"[\n": b"\n]"}.get(frame, b"]}")
    for seen in (decode(frame + separator.join(texts) + end), decode(frame + separator.join(texts) + end, block=block)):
        healthy = {f"run_{number}" for number in range(len(texts)) if number != victim}
        assert healthy <= set(seen.ids)
        if len(seen.ids) + seen.skipped.total() < len(texts):
            assert _letters(texts[victim]) in _letters(b"".join(reject.raw for reject in seen.rejects))


def _letters(text: bytes) -> bytes:
    """A text without whitespace, commas and brackets, which mean nothing between values."""
    return re.sub(rb"[\s,{}\[\]]", b"", text)


@QUICK
@given(inputs(st.one_of(runs(), others())), st.binary(max_size=5), st.data(), st.integers(1, 500))
def test_no_damage_ends_in_a_traceback(data: bytes, inserted: bytes, choice: st.DataObject, block: int) -> None:
    """Any damage to an input gives observations and rejects with reasons, never an exception."""
    start = choice.draw(st.integers(0, len(data)))
    end = choice.draw(st.integers(start, min(len(data), start + 20)))
    seen = decode(data[:start] + inserted + data[end:], block=block)
    assert all(reject.reason and reject.json_path.startswith("$") for reject in seen.rejects)


@pytest.mark.parametrize("block", [60, 1 << 20])
@pytest.mark.parametrize(
    ("cut", "found", "raw"),
    [
        (b'"run_3"', ["run_1", "run_2"], b'{"id":'),
        (b'{"id": "run_3"', ["run_1", "run_2"], b'{"object": "list", "data": ['),
        (b"has_more", ["run_1", "run_2", "run_3"], b'{"object": "list", "data": [], "'),
    ],
)
def test_a_truncated_page_gives_the_runs_before_the_cut(block: int, cut: bytes, found: list[str], raw: bytes) -> None:
    """A truncated download: its whole runs are loaded, its tail is a reject that says so."""
    whole = page(run(1), run(2), run(3))
    seen = decode(whole[: whole.index(cut)], block=block)
    assert seen.ids == found
    assert seen.pages == 1
    [reject] = seen.rejects
    assert reject.reason == "the text ends in the middle of a value: a truncated download?"
    assert reject.raw == raw


@pytest.mark.parametrize("block", [60, 1 << 20])
def test_lines_that_were_cut_cost_themselves_only(block: int) -> None:
    """A bad line does not affect the other lines, even if it ends where a list would continue."""
    lines = [b'{"id": "run_1", "status": "queued",', *(json.dumps(run(number)).encode() for number in (2, 3))]
    seen = decode(b"\n".join([*lines, b'{"id": "run_4", "status": "qu', lines[1]]), block=block)
    assert seen.ids == ["run_2", "run_3", "run_2"]
    assert [(reject.line, reject.raw) for reject in seen.rejects] == [
        (1, lines[0][:-1]),
        (4, b'{"id": "run_4", "status": "qu'),
    ]


@pytest.mark.parametrize("block", [60, 1 << 20])
def test_damage_behind_the_runs_of_a_page_is_reported(block: int) -> None:
    """Damage behind the runs of a page is a reject, and the next document is read."""
    damaged = page(run(1), run(2)).replace(b"false", b"fa\xffse!")
    seen = decode(damaged + b"\n" + page(run(3)), block=block)
    assert seen.ids == ["run_1", "run_2", "run_3"]
    assert [reject.raw for reject in seen.rejects] == [b'{"object": "list", "data": [], "has_more": fa\xffse!}']


@pytest.mark.parametrize("block", [60, 1 << 20])
def test_elements_at_the_start_of_lines_are_no_documents(block: int) -> None:
    """Runs of a damaged page that begin on lines of their own are not read twice."""
    lines = [json.dumps(run(number)).encode() for number in (1, 2, 3)]
    seen = decode(b'{"data":[\n' + b",\n".join(lines)[:-5], block=block)
    assert seen.ids == ["run_1", "run_2"]
    assert [(reject.position, reject.line, reject.json_path) for reject in seen.rejects] == [(2, 4, "$.data[2]")]


@pytest.mark.parametrize("block", [60, 1 << 20])
def test_a_byte_order_mark_is_no_part_of_the_text(block: int) -> None:
    """A byte order mark of UTF-8 is skipped."""
    assert decode(b"\xef\xbb\xbf" + page(run(1)), block=block) == decode(page(run(1)))


@pytest.mark.parametrize("text", [b"", b" \n\t ", b"\n" * 5000])
def test_an_input_without_text_has_nothing_in_it(text: bytes) -> None:
    """An empty input gives neither runs nor rejects."""
    seen = decode(text, block=100)
    assert (seen.ids, seen.rejects, seen.skipped, seen.pages) == ([], [], {}, 0)


def test_memory_does_not_grow_with_a_page() -> None:
    """A page larger than a block is cut between its runs."""
    data = json.dumps(as_page([run(number, model="m" * 100) for number in range(500)])).encode()
    cut = list(blocks(pieces(data, 1000), 4096))
    assert len(cut) > 10
    assert max(len(block.data) for block in cut) < 3 * 4096


def _endless(first: bytes, last: bytes) -> Iterator[bytes]:
    yield first
    for number in range(100):
        yield b"%07d\n" % number * (1 << 13)
    yield last


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (b'{"id":"', b'"}\n'),
        (b'{"a":[', b"]}\n"),
    ],
)
def test_a_value_larger_than_anything_costs_itself_only(
    first: bytes, last: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value beyond the limit is rejected in parts, whole, in bounded memory; what is around it is read."""
    monkeypatch.setattr(blocks_module, "MAX_VALUE_BYTES", 1 << 20)
    monkeypatch.setattr(blocks_module, "BLOCK_BYTES", 1 << 19)
    before, behind = json.dumps(run(1)).encode() + b"\n", json.dumps(run(2)).encode()
    large = b"".join(_endless(first, last)).replace(b"\n", b" ") + b"\n"
    found = list(blocks(pieces(before + large + behind, 1 << 16), 1 << 16))
    assert b"".join(block.data for block in found) == before + large + behind
    assert max(len(block.data) for block in found) <= 1 << 19
    parts = [block for block in found if block.content == "part"]
    assert b"".join(block.data for block in parts) == large.strip()
    assert parts[1].problem == "a single value of more than 1 MiB: its part 2"
    decoded = [Decoder().decode([(block, ORIGIN)]) for block in found]
    assert [name for one in decoded for some in one.observations for name in some.columns.values("id")] == [
        "run_1",
        "run_2",
    ]


@QUICK
@given(inputs(st.one_of(runs(), others())), st.binary(max_size=8), st.integers(1, 300), st.integers(1, 100), st.data())
def test_the_blocks_of_a_stream_are_the_stream(
    data: bytes, inserted: bytes, block: int, chunk: int, choice: st.DataObject
) -> None:
    """No byte of a stream is in no block, or in two."""
    at = choice.draw(st.integers(0, len(data)))
    whole = data[:at] + inserted + data[at:]
    assert b"".join(one.data for one in blocks(pieces(whole, chunk), block)) == whole


def test_lines_may_be_asked_for_in_any_order() -> None:
    """The line of a place does not depend on which was asked for before."""
    lines = Lines(b"a\nb\n\nc", 5)
    assert [lines.line(at) for at in (5, 0, 2, 1, 4)] == [8, 5, 6, 5, 7]
