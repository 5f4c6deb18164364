"""An additional format, declared here: three functions and an entry in the list of formats are enough."""

import json
import re
from collections.abc import Iterator

import pytest

from runmart.ingest.decode.decoder import Decoder
from runmart.ingest.parse.blocks import blocks
from runmart.ingest.parse.formats import FORMATS, Format, format_at
from runmart.ingest.parse.json_scanner import IncompleteError
from tests.support.payloads import ORIGIN, pieces, run

_LINE = re.compile(rb"@(\w+) ?([^\n]*)\n?")


def _end(buffer: bytes, at: int, final: bool) -> int:
    found = _LINE.match(buffer, at)
    assert found
    if found.end() == len(buffer) and not final:
        raise IncompleteError
    return found.end()


def _items(text: bytes) -> Iterator[tuple[bytes, int, str, str]]:
    if match := _LINE.match(text):
        yield match[2], 0, match[1].decode().replace("run", "thread.run.logged"), ""


SIGNED = Format("signed", lambda buffer, at: _LINE.match(buffer, at) is not None, _end, _items)
ALL = (SIGNED, *FORMATS)


def _text(count: int) -> bytes:
    lines = [f"@run {json.dumps(run(number))}" for number in range(count)]
    lines.insert(1, "@ping {}")
    lines.insert(29, "@run")
    lines.insert(30, json.dumps(run(100)))
    return "\n".join([*lines, "@run {"]).encode()


@pytest.mark.parametrize("size", [200, 1000, 1 << 20])
def test_text_of_another_format_is_read(size: int) -> None:
    """Items of another format are decoded, skipped and rejected as events are, amid JSON, however the input is cut."""
    decoder, ids, rejects, skipped = Decoder(formats=ALL), list[str](), list[tuple[int, str]](), 0
    cut = list(blocks(pieces(_text(50), 70), size, ALL))
    assert b"".join(block.data for block in cut) == _text(50)
    for block in cut:
        decoded = decoder.decode([(block, ORIGIN)])
        ids += [name for some in decoded.observations for name in some.columns.values("id")]
        rejects += [(reject.line, reject.reason) for reject in decoded.rejects[0]]
        skipped += decoded.skipped.total()
    numbers = list(range(50))
    numbers.insert(28, 100)
    assert ids == [f"run_{number}" for number in numbers]
    assert skipped == 1
    assert rejects == [
        (30, "the event has no data: a truncated stream?"),
        (54, "the text ends in the middle of a value: a truncated download?"),
    ]


@pytest.mark.parametrize(
    ("start", "name"),
    [(b"event: done\n", "events"), (b"@run {}", "signed"), (b"hello", "log line"), (b": x", "events")],
)
def test_the_first_line_tells_the_format(start: bytes, name: str) -> None:
    """A text is of the first format that matches; what no other matches is a line of a log."""
    assert format_at(b"[]" + start, 2, ALL).name == name
