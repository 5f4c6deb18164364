"""Reads the bytes of an input, decompressed and in UTF-8; its first bytes tell what it is, not the file name."""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from runmart.ingest.digest import Hasher
from runmart.ingest.errors import InputError
from runmart.ingest.sources.decompress import MAGIC_BYTES, compression_of, decompressed
from runmart.ingest.sources.input import Input
from runmart.ingest.sources.text import text

CHUNK_BYTES = 1 << 20


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
        """The text in UTF-8, about a mebibyte at a time.

        Raises:
            InputError: The input is not text, is damaged, or cannot be read: behind all that could be read before.
        """
        return text(self._decompressed())

    def _decompressed(self) -> Iterator[bytes]:
        try:
            first = self.read()
            while 0 < len(first) < MAGIC_BYTES and (more := self.read()):  # a pipe may give less
                first += more
            compression = compression_of(first)
            if compression is None:
                while first:
                    yield first
                    first = self.read()
            else:
                yield from decompressed(_Rewound(first, self.read).read, compression)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}") from None


class _Rewound:
    """A stream whose first bytes, already read to detect the compression, are read again."""

    def __init__(self, first: bytes, read: Callable[[int], bytes]) -> None:
        self._first = first
        self._at = 0
        self._read = read

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`."""
        if self._at == len(self._first):
            return self._read(size)
        data = self._first[self._at : self._at + size]
        self._at += len(data)
        return data


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
