"""An input: one file or response to read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Input:
    """One file or response."""

    address: str
    """Absolute path, URL, or `-`."""
    size: int | None
    """Bytes as stored; None when unknown before reading."""
    modified_at: int
    """Microseconds since 1970: when the file last changed, or the response was received."""
    open: Callable[[], BinaryIO]
    """Opens it for reading. Raises OSError, InputError or, when its server cannot be reached, SourceError."""
    changed_at: int = 0
    """The file system's change time (ctime), which the writer of a file cannot set back; 0 when unknown."""
    path: str | None = None
    """The local path, by which other processes can read it; None when only `open` can."""
