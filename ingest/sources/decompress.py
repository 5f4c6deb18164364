"""Decompresses streams of gzip and zstd, such that damage costs no byte that can be decoded before it."""

import io
import zlib
from collections.abc import Callable, Iterator
from typing import Literal

import pyarrow as pa

from runmart.ingest.errors import InputError

Compression = Literal["gzip", "zstd"]
Read = Callable[[int], bytes]
"""The next bytes of a stream, at most as many as given; none at its end."""

CHUNK_BYTES = 1 << 20
_GZIP_BYTES = 1 << 16
_ZSTD_BYTES = 1 << 10
"""Compressed bytes that are given at a time. Arrow loses all that it has decoded of those in which it finds damage, so
there are few of them: a block of text is larger as a rule."""

_MAGIC: dict[bytes, Compression] = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    **{bytes([number]) + b"\x2a\x4d\x18": "zstd" for number in range(0x50, 0x60)},  # frames to skip (RFC 8878)
}

MAGIC_BYTES = max(map(len, _MAGIC))
"""Bytes that tell the compression."""

_UNWRITTEN = b"\xff"
"""Fills a buffer before it is written to: no text ends with this byte."""

_HINTS = {
    "runcated": "a truncated download?",
    "data check": "some of the text is wrong, and nothing tells where; fetch it again",
    "checksum": "some of the text is wrong, and nothing tells where; fetch it again",
}
"""What to make of a message that holds such a word."""


def compression_of(first: bytes) -> Compression | None:
    """The compression of a stream, by its first bytes; None for another kind of stream."""
    return next((compression for magic, compression in _MAGIC.items() if first.startswith(magic)), None)


def decompressed(read: Read, compression: Compression) -> Iterator[bytes]:
    """The decompressed bytes of a stream, at most about a mebibyte at a time.

    Raises:
        InputError: It is damaged or cut short, behind all that could be decoded before.
        OSError: It cannot be read.
    """
    return _gzip(read) if compression == "gzip" else _zstd(read)


def _gzip(read: Read) -> Iterator[bytes]:
    member = zlib.decompressobj(wbits=31)
    while piece := read(_GZIP_BYTES):
        while piece:
            if member.eof:
                piece = piece.lstrip(b"\0")  # padding between members, or behind the last
                if not piece:
                    break
                member = zlib.decompressobj(wbits=31)
            before = member.copy()
            try:
                data = member.decompress(piece, CHUNK_BYTES)
            except zlib.error as error:
                yield _up_to_damage(before.decompress, piece)
                raise _damaged("gzip", str(error).partition(": ")[2] or str(error)) from None
            if data:
                yield data
            piece = member.unused_data if member.eof else member.unconsumed_tail
    yield member.flush()
    if not member.eof:
        raise _damaged("gzip", "truncated")


def _up_to_damage(decompress: Callable[[bytes], bytes], piece: bytes) -> bytes:
    """What is decoded before the byte at which damage is found: zlib forgets all that it decodes in the same call."""
    found = bytearray()
    try:
        for at in range(len(piece)):
            found += decompress(piece[at : at + 1])
    except zlib.error:
        pass
    return bytes(found)


def _zstd(read: Read) -> Iterator[bytes]:
    with pa.CompressedInputStream(pa.PythonFile(_Pieces(read), mode="r"), "zstd") as stream:
        count = 1
        while count:
            data = bytearray(_UNWRITTEN * CHUNK_BYTES)
            try:
                count = stream.readinto(data)
            except (OSError, InputError) as error:
                yield bytes(data.rstrip(_UNWRITTEN))
                if isinstance(error, InputError) or error.errno is not None:
                    raise  # of the stream below
                raise _damaged("zstd", str(error)) from None
            yield bytes(memoryview(data)[:count])


class _Pieces(io.RawIOBase):
    """A stream that gives few bytes at a time."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        return self._read(min(size, _ZSTD_BYTES) if size >= 0 else _ZSTD_BYTES)

    def readable(self) -> bool:
        """Always."""
        return True


def _damaged(compression: Compression, what: str) -> InputError:
    hint = next((hint for word, hint in _HINTS.items() if word in what), "fetch it again")
    return InputError(f"the {compression} data is damaged ({what}): {hint}")
