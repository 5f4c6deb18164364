"""An additional input format, declared here: three functions and an entry in the list of formats are enough."""

import json
import re
from collections.abc import Iterator

import pytest

from runmart.ingest.decode.decoder import Decoder
from runmart.ingest.errors import InputError
from runmart.ingest.parse import blocks as blocks_module
from runmart.ingest.parse.blocks import Block, blocks
from runmart.ingest.parse.formats import FORMATS, Format, format_of
from tests.support.payloads import ORIGIN, pieces, run

_LINE = re.compile(rb"\[[0-9:]+\] (\w+) ?(.*)")


def _items(text: bytes) -> Iterator[tuple[str, bytes, int]]:
    for number, line in enumerate(text.splitlines()):
        if match := _LINE.match(line):
            yield match[1].decode().replace("run", "thread.run.logged"), match[2], number


LOG = Format("log", lambda start: _LINE.match(start) is not None, lambda text: text.rfind(b"\n") + 1, _items)
ALL = (*FORMATS, LOG)


def _log(count: int) -> bytes:
    lines = [f"[12:00:{number % 60:02}] run {json.dumps(run(number))}" for number in range(count)]
    lines.insert(1, "[12:00:01] ping {}")
    lines.insert(29, "[12:00:29] run")
    return "\n".join([*lines, "[12:01:01] run {"]).encode()


@pytest.mark.parametrize("size", [200, 1000, 1 << 20])
def test_an_input_of_another_format_is_read(size: int) -> None:
    """Items of another format are decoded, skipped and rejected as events are, however the input is cut."""
    decoder, ids, rejects, skipped = Decoder(formats=ALL), list[str](), list[tuple[int, str]](), 0
    for block in blocks(pieces(_log(50), 70), size, ALL):
        assert block.format == "log"
        decoded = decoder.decode([(block, ORIGIN)])
        ids += [name for some in decoded.observations for name in some.columns.values("id")]
        rejects += [(reject.line, reject.reason) for reject in decoded.rejects[0]]
        skipped += decoded.skipped.total()
    assert ids == [f"run_{number}" for number in range(50)]
    assert skipped == 1
    assert rejects == [
        (30, "the event has no data: a truncated stream?"),
        (53, "the text ends in the middle of a value: a truncated download?"),
    ]


def test_an_input_is_cut_behind_whole_items() -> None:
    """An input of any format is cut between items, so that memory does not grow with its size."""
    cut = list(blocks(pieces(_log(200), 1000), 2000, ALL))
    assert len(cut) > 5
    assert b"".join(block.data for block in cut) == _log(200)
    assert all(block.data.endswith(b"\n") for block in cut[:-1])


def test_an_item_larger_than_anything_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size limit of a value holds for items of any format."""
    monkeypatch.setattr(blocks_module, "MAX_VALUE_BYTES", 1 << 20)
    endless = (b"[12:00:00] run " if number == 0 else b"x" * (1 << 16) for number in range(100))
    with pytest.raises(InputError, match=r"line 1 begins a single value of more than 1 MiB"):
        list(blocks(endless, 1 << 16, ALL))


@pytest.mark.parametrize(
    ("start", "name"), [(b"event: done\n", "events"), (b"[12:00:00] run {}", "log"), (b"[1, 2]", None), (b"{}", None)]
)
def test_the_first_bytes_tell_the_format(start: bytes, name: str | None) -> None:
    """An input that no other format recognises by its first bytes is JSON."""
    found = format_of(start, ALL)
    assert (None if found is None else found.name) == name
    assert next(blocks([start], 1 << 20, ALL)).format == (name or "json")


def test_an_unlisted_format_is_json() -> None:
    """An input of a format that is not in the list is read as JSON."""
    assert next(blocks([_log(1)])) == Block(_log(1))
