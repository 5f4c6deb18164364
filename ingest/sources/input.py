"""Inputs: what can be read, one file or response each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Input:
    """One file or response."""

    address: str
    """Absolute path, URL, or `-`."""
    size: int | None
    """Bytes; None where only reading tells."""
    modified_at: int
    """Microseconds since 1970: when the input last changed, or was answered."""
    open: Callable[[], BinaryIO]
    """Opens it for reading. Raises OSError or InputError."""
    changed_at: int = 0
    """As `modified_at`, where the clock of the file system cannot be set back by who writes the file; else 0."""
    path: str | None = None
    """Where any process of this machine can read it; None where only `open` can."""
