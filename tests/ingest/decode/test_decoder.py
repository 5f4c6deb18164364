"""Decoder: whole-block and lenient decoding give the same results, whatever was decoded before."""

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runmart.ingest.decode.decoder import Decoder
from runmart.ingest.decode.result import Decoded
from runmart.ingest.parse.blocks import Block
from runmart.ingest.transform.flatten import flatten
from runmart.models.depth import MAX_DEPTH
from tests.support.generated import WRITERS, Run, Writer, as_page, inputs, others, runs
from tests.support.payloads import ORIGIN, Rejected, Seen, decode, page, rows_of, run, skipped_and_steps

QUICK = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])

KNOWN_FIELDS = dict.fromkeys(["created_at", "thread_id", "assistant_id", "started_at", "failed_at", "model"])


def _seen(decoded: Decoded) -> Seen:
    rejects = [Rejected(*reject[1:6]) for rejects in decoded.rejects for reject in rejects]
    return Seen(rows_of(map(flatten, decoded.observations)), rejects, skipped_and_steps(decoded), decoded.pages)


class _Apart(Decoder):
    """A decoder that decodes every block leniently."""

    def _whole(self, block: Block) -> None:  # noqa: ARG002
        return None


@QUICK
@given(st.lists(runs(), min_size=1, max_size=4), WRITERS, st.booleans(), st.booleans())
def test_whole_blocks_give_what_lenient_decoding_gives(
    found: Sequence[Run], write: Writer, is_page: bool, has_cursor: bool
) -> None:
    """Unknown fields, nulls, unicode, escapes, whitespace: both ways to decode give the same."""
    cursor = {"next_cursor": "a:b"} if has_cursor else {}
    block = Block(write({**as_page(found), **cursor} if is_page else list(found)))
    decoder = Decoder()
    fast = _seen(decoder.decode([(block, ORIGIN)]))
    assert fast == _seen(_Apart().decode([(block, ORIGIN)]))
    assert fast == _seen(decoder.decode([(block, ORIGIN)]))


@QUICK
@given(st.lists(inputs(st.one_of(runs(), runs(), others())), min_size=2, max_size=4), st.randoms())
def test_the_order_of_inputs_does_not_matter(found: list[bytes], random: Random) -> None:
    """Adopted fields make a decoder faster, and never change its results."""
    decoder = Decoder()
    expected = {data: decode(data) for data in found}
    random.shuffle(found)
    for data in found:
        assert decode(data, decoder=decoder) == expected[data]


def test_plain_pages_take_the_fast_way() -> None:
    """Inputs with unknown fields, in runs and beside them, are decoded by one call: their records know the fields."""
    fields: dict[str, Any] = {
        **KNOWN_FIELDS,
        "reasoning_effort": "high",
        "usage": {"prompt_tokens": 1},
        "tools": [],
        "metadata": {},
    }
    for data in (
        page(run(1, **fields), run(2), next_cursor="run_2", took_ms=12),
        json.dumps([run(1, **fields), run(2)]).encode(),
        json.dumps(run(1, **fields)).encode() + b"\n" + json.dumps(run(2)).encode(),
        json.dumps(run(1, **fields), indent=2).encode() + b"\n" + json.dumps(run(2), indent=2).encode(),
    ):
        [found] = Decoder().decode([(Block(data), ORIGIN)]).observations
        assert found.columns.values("id") == ["run_1", "run_2"]
        assert "extra_0" in found.columns


def test_unknown_fields_of_a_page_do_not_matter() -> None:
    """Unknown fields of a page are ignored; its runs are decoded."""
    decoder = Decoder()
    for number in range(100):
        seen = decode(page(run(number), **{f"field {number}": number, 'q": {': {"data": [1]}}), decoder=decoder)
        assert (seen.ids, seen.rejects, seen.pages) == ([f"run_{number}"], [], 1)


def test_a_thousand_unknown_names_are_all_kept() -> None:
    """Field names that are data, with quotes, colons and unicode, are kept in `extra` as any others."""
    names = [f"{kind}{number}" for number in range(250) for kind in ("plain", 'quote"', "colon:", "né\U0001f600")]
    decoder = Decoder()
    for start in range(0, 1000, 100):
        sent = {name: [name] for name in names[start : start + 100]}
        [row] = decode(page(run(1, **sent)), decoder=decoder).rows["runs"]
        assert json.loads(row["extra"]) == sent
    assert decode(page(run(1)), decoder=decoder).rows["runs"][0]["extra"] is None


@pytest.mark.parametrize(
    ("data", "pages"),
    [
        (b'{"object": "list", "data": [], "first_id": null, "last_id": null, "has_more": false}', 1),
        (b'{"data": []}', 1),
        (b'{"data": [{"id": "run_1", "status": "queued"}]}', 1),
        (b'{"object": "list", "data": [{"id": "run_1", "status": "queued"}], "has_more": "yes", "first_id": 7}', 1),
        (b'[{"data": [{"id": "run_1", "status": "queued"}]}, {"data": []}]', 2),
        (b"[]", 0),
    ],
)
def test_a_page_may_lie(data: bytes, pages: int) -> None:
    """Only the runs of a page are used: its other fields may be missing or wrong."""
    seen = decode(data)
    assert (seen.pages, seen.rejects, seen.ids) == (pages, [], ["run_1"] if b"run_1" in data else [])


@pytest.mark.parametrize("number", [b"1.50", b"1e2", b"100000000000000000000001", b"-0.0", b"1e999"])
@pytest.mark.parametrize("text", [rb'"\ud83d\ude00"', rb'"\u00e9\/"', '"é"'.encode()])
def test_unknown_fields_are_kept_byte_for_byte(number: bytes, text: bytes) -> None:
    """Numbers, escapes and whitespace in unknown fields are kept as sent, by both ways of decoding."""
    value = b'{ "b" :%s,\n "a": [%s ] }' % (number, text)
    data = b'{"id": "run_1", "object": "thread.run", "status": "queued", "effort":  ' + value + b" }"
    for sent in (data, data.replace(b"queued", b"queued\\u003a")):
        [row] = decode(sent).rows["runs"]
        assert row["extra"].encode() == b'{"effort":' + value + b"}"


def test_any_depth_of_nesting_is_decoded_or_rejected() -> None:
    """The text alone decides, also near the depth at which the stack ends, and beside a block that is unfit."""
    bad = Block(json.dumps(run(2, x=1, last_error={"code": 5})).encode())
    for depth in (*range(120, 135), *range(700, 1000, 7)):
        deep = Block(json.dumps(run(1))[:-1].encode() + b', "x": ' + b"[" * depth + b"]" * depth + b"}")
        seen = _seen(Decoder().decode([(deep, ORIGIN), (bad, ORIGIN)]))
        assert len(seen.ids) + len(seen.rejects) == 2
        assert len(seen.ids) == (depth < MAX_DEPTH)
