"""The texts of a pack of rejects: joined by newlines, most on one line, each JSON or not."""

import re
from collections.abc import Iterator

import msgspec

_VALUE = msgspec.json.Decoder(msgspec.Raw)
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_LINE = re.compile(rb"[^\n]*\n?")


def documents_or_lines(pack: bytes) -> Iterator[bytes]:
    """The lines of a pack, without blank ones; those of a JSON document that begins with a bracket alone, together."""
    at = 0
    while at < len(pack):
        end = _line_end(pack, at)
        if pack[at:end].strip() in {b"{", b"["}:
            end = _document_end(pack, at) or end
        text = pack[at:end].strip()
        if text:
            yield text
        at = end


def _line_end(pack: bytes, at: int) -> int:
    """Where a line ends, with its newline."""
    match = _LINE.match(pack, at)
    return match.end() if match else len(pack)


def _document_end(pack: bytes, at: int) -> int | None:
    """Where the lines of a document end; None where there is none, or it ends within a line."""
    try:
        _VALUE.decode(memoryview(pack)[at:])
    except (msgspec.DecodeError, RecursionError) as error:
        trailing = _TRAILING.search(str(error))
        if trailing is None:
            return None
        text = pack[at : at + int(trailing[1]) - 1]
        return at + len(text) if b"\n" in text[len(text.rstrip()) :] else None
    return len(pack)
