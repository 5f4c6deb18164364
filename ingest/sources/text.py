"""The text of an input: UTF-16 and UTF-32 with a byte order mark become UTF-8, and what is no text is named."""

import codecs
import re
from collections.abc import Iterator
from itertools import chain

from runmart.ingest.errors import InputError

_ENCODINGS = {
    b"\xff\xfe\0\0": "utf-32-le",
    b"\0\0\xfe\xff": "utf-32-be",
    b"\xff\xfe": "utf-16-le",
    b"\xfe\xff": "utf-16-be",
}
"""By byte order mark; the longer ones come first, since one of them begins with a shorter one."""

_UNMARKED = {
    rb"[\t\n\r -~]\0\0\0": "UTF-32LE",
    rb"\0\0\0[\t\n\r -~]": "UTF-32BE",
    rb"[\t\n\r -~]\0[\t\n\r -~]\0": "UTF-16LE",
    rb"\0[\t\n\r -~]\0[\t\n\r -~]": "UTF-16BE",
}
"""The first four bytes of JSON, whose first characters are ASCII, in encodings without a byte order mark."""

_MOVE = "move it out of the folder, or name the files to load"
_FOREIGN = {
    b"\x89PNG": f"a PNG picture, not JSON: {_MOVE}",
    b"\xff\xd8\xff": f"a JPEG picture, not JSON: {_MOVE}",
    b"GIF8": f"a GIF picture, not JSON: {_MOVE}",
    b"%PDF": f"a PDF document, not JSON: {_MOVE}",
    b"PK\x03\x04": "a ZIP archive: unpack it first",
    b"BZh": "compressed with bzip2: decompress it first (gzip and zstd are read as they are)",
    b"\xfd7zXZ\x00": "compressed with xz: decompress it first (gzip and zstd are read as they are)",
    b"\x1f\x8b": "compressed twice: decompress it once first",
    b"\x28\xb5\x2f\xfd": "compressed twice: decompress it once first",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"PAR1": "a Parquet file, not JSON",
    b"ARROW1": "an Arrow file, not JSON",
    b"SQLite format 3": "an SQLite database, not JSON",
    b"\x80\x04\x95": "a Python pickle: write what is in it as JSON first",
    b"\x80\x05\x95": "a Python pickle: write what is in it as JSON first",
    b"\xd0\xcf\x11\xe0": "an Excel workbook or another Office document, not JSON",
}
"""What a file is that begins so."""

_TAR_AT, _TAR_MAGIC = 257, b"ustar"
_LOOKED_AT = 1024
_SHOWN = 8
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\f\r"))
_MOST_CONTROLS = 0.1
"""The share of control characters from which on a beginning with NULs is no text. NULs alone say little: a crash leaves
many of them amid a text."""


def text(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same text in UTF-8.

    A lone half of a pair of UTF-16 becomes what no UTF-8 is, so that it costs no more than the run that it is in.

    Raises:
        InputError: It is no text, or is damaged, behind all that could be decoded before.
    """
    head, failure = _head(chunks)
    rest = chunks if failure is None else _failing(failure)
    if not head and failure is None:
        raise InputError("the file is empty: a failed download?")
    for mark, encoding in _ENCODINGS.items():
        if head.startswith(mark):
            yield from _decoded(chain([head[len(mark) :]], rest), encoding, len(mark))
            return
    if problem := _problem(head):
        raise InputError(problem)
    yield head
    yield from rest


def _head(chunks: Iterator[bytes]) -> tuple[bytes, InputError | None]:
    """The first bytes, enough to be looked at, and what went wrong behind them, if anything did."""
    head = b""
    try:
        for chunk in chunks:
            head += chunk
            if len(head) >= _LOOKED_AT:
                break
    except InputError as error:
        return head, error
    return head, None


def _failing(error: InputError) -> Iterator[bytes]:
    raise error
    yield


def _problem(head: bytes) -> str | None:
    """What the file is instead of text."""
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            return what
    if head.startswith(_TAR_MAGIC, _TAR_AT) and b"\0" in head[:_TAR_AT]:
        return "a tar archive: unpack it first"
    for pattern, encoding in _UNMARKED.items():
        if re.match(pattern, head):
            return (
                f"text in {encoding} without a byte order mark: convert it to UTF-8 first "
                f"(iconv -f {encoding} -t UTF-8)"
            )
    others = head.replace(b"\0", b"")[:_LOOKED_AT]
    controls = len(others) - len(others.translate(None, _CONTROLS))
    if b"\0" in head[:_LOOKED_AT] and controls >= _MOST_CONTROLS * len(others):
        return f"binary data, not JSON (it begins with the bytes {head[:_SHOWN].hex(' ')}): {_MOVE}"
    return None


def _decoded(chunks: Iterator[bytes], encoding: str, place: int) -> Iterator[bytes]:
    """A text in UTF-8; `place` is the number of bytes before the first one."""
    name = encoding.upper().replace("F-", "F").replace("UTF", "UTF-").rsplit("-", 1)[0]
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    try:
        for chunk in chunks:
            place += len(chunk)
            yield _utf8(decoder.decode(chunk))
        yield _utf8(decoder.decode(b"", final=True))
    except UnicodeDecodeError as error:
        yield _utf8(error.object[: error.start].decode(encoding, "surrogatepass"))
        at = place - len(error.object) + error.start
        what = "ends within a character" if error.reason == "truncated data" else f"is damaged ({error.reason})"
        hint = "a truncated download?" if error.reason == "truncated data" else "convert it again"
        raise InputError(f"the {name} text {what} at its byte {at}: {hint}") from None


def _utf8(decoded: str) -> bytes:
    return decoded.encode("utf-8", "surrogatepass")
