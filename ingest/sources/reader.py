"""Reads the bytes of an input, decompressed; the compression is detected from the first bytes, not the file name."""

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO, Literal

import pyarrow as pa

from runmart.ingest.digest import Hasher
from runmart.ingest.errors import InputError
from runmart.ingest.sources.input import Input

CHUNK_BYTES = 1 << 20

Compression = Literal["gzip", "zstd"]

_COMPRESSIONS: dict[bytes, Compression] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_FOREIGN = {
    b"\xff\xfe": "text in UTF-16: convert it to UTF-8 first (iconv -f UTF-16 -t UTF-8)",
    b"\xfe\xff": "text in UTF-16: convert it to UTF-8 first (iconv -f UTF-16 -t UTF-8)",
    b"\x89PNG": "a PNG picture, not JSON: move it out of the folder, or name the files to load",
    b"\xff\xd8\xff": "a JPEG picture, not JSON: move it out of the folder, or name the files to load",
    b"GIF8": "a GIF picture, not JSON: move it out of the folder, or name the files to load",
    b"%PDF": "a PDF document, not JSON: move it out of the folder, or name the files to load",
    b"PK\x03\x04": "a ZIP archive: unpack it first",
    b"BZh": "compressed with bzip2: decompress it first (gzip and zstd are read as they are)",
    b"\xfd7zXZ\x00": "compressed with xz: decompress it first (gzip and zstd are read as they are)",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"PAR1": "a Parquet file, not JSON",
    b"ARROW1": "an Arrow file, not JSON",
    b"SQLite format 3": "an SQLite database, not JSON",
}


class Reader:
    """Reads one input in chunks; `size` and `content_hash` describe the bytes read so far."""

    def __init__(self, file: BinaryIO, prefix: str | None = None) -> None:
        """Read from `file`; `prefix` is that of the digest, see `Hasher`."""
        self._file = file
        self._hasher = Hasher(prefix)
        self.size = 0
        self.closed = False

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """The next bytes as they are stored, at most `size`."""
        data = self._file.read(CHUNK_BYTES if size < 0 else size)
        self._hasher.update(data)
        self.size += len(data)
        return data

    def close(self) -> None:
        """Close the file."""
        self.closed = True
        self._file.close()

    @property
    def content_hash(self) -> str:
        """The content digest of the bytes as they are stored."""
        return self._hasher.digest()

    def chunks(self) -> Iterator[bytes]:
        """The decompressed bytes, about a mebibyte at a time.

        Raises:
            InputError: The input is not text, is damaged, or cannot be read.
        """
        try:
            first = self.read()
            for magic, compression in _COMPRESSIONS.items():
                if first.startswith(magic):
                    yield from self._checked(self._decompressed(first, compression))
                    return
            yield from self._checked(self._plain(first))
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}") from None

    def _plain(self, first: bytes) -> Iterator[bytes]:
        while first:
            yield first
            first = self.read()

    def _decompressed(self, first: bytes, compression: Compression) -> Iterator[bytes]:
        with pa.CompressedInputStream(pa.PythonFile(_Rewound(first, self), mode="r"), compression) as stream:
            while True:
                try:
                    data = stream.read(CHUNK_BYTES)
                except OSError as error:
                    hint = "a truncated download?" if "runcated" in str(error) else "fetch it again"
                    raise InputError(f"the {compression} data is damaged ({error}): {hint}") from None
                if not data:
                    return
                yield data

    @staticmethod
    def _checked(chunks: Iterator[bytes]) -> Iterator[bytes]:
        first = next(chunks, b"")
        if not first:
            raise InputError("the file is empty: a failed download?")
        for magic, what in _FOREIGN.items():
            if first.startswith(magic):
                raise InputError(what)
        if b"\0" in first[:1024]:
            raise InputError("binary data, not JSON: move it out of the folder, or name the files to load")
        yield first
        yield from chunks


class _Rewound(io.RawIOBase):
    """A reader whose first bytes, already read to detect the compression, are returned again."""

    def __init__(self, first: bytes, reader: Reader) -> None:
        self._first = first
        self._reader = reader

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        if self._first:
            data, self._first = (self._first, b"") if size < 0 else (self._first[:size], self._first[size:])
            return data
        return self._reader.read(size)

    def readable(self) -> bool:
        """Always."""
        return True


def content_hash(source: Input, prefix: str | None = None) -> str:
    """The content digest of an input's bytes, read once from end to end; `prefix` as for `Hasher`.

    Raises:
        InputError: It cannot be read.
    """
    reader = open_input(source, prefix)
    try:
        while reader.read():
            pass
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}") from None
    finally:
        reader.close()
    return reader.content_hash


def open_input(source: Input, prefix: str | None = None) -> Reader:
    """Open an input; `prefix` as for `Hasher`.

    Raises:
        InputError: It cannot be opened.
    """
    return _opened(source.open, prefix)


def open_file(path: str) -> Reader:
    """Open a file.

    Raises:
        InputError: It cannot be opened.
    """
    return _opened(lambda: open(path, "rb", buffering=0))  # noqa: PTH123 - quicker


def _opened(opener: Callable[[], BinaryIO], prefix: str | None = None) -> Reader:
    try:
        return Reader(opener(), prefix)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}") from None
