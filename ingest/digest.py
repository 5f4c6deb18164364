"""Content digests: texts that are equal exactly when contents are.

They are stored (`runmart.inputs`, `runmart.threads`, manifests of exports), so a digest says by which algorithm it was
made: by a prefix such as `b2:`, or none for SHA-256. Another algorithm is a line here; stored digests stay comparable.
"""

import hashlib
from pathlib import Path

ALGORITHMS = {"": "sha256"}
"""The name that `hashlib` has for the algorithm of each prefix."""

CURRENT = ""
"""The prefix of new digests."""


class Hasher:
    """The digest of content that comes in parts."""

    def __init__(self, prefix: str | None = None) -> None:
        """Begin; `prefix` chooses an algorithm other than the current one."""
        self._prefix = CURRENT if prefix is None else prefix
        self._hash = hashlib.new(ALGORITHMS[self._prefix])

    def update(self, data: bytes) -> None:
        """Add the next part."""
        self._hash.update(data)

    def digest(self) -> str:
        """The digest of all parts so far."""
        return self._prefix + self._hash.hexdigest()


def content_digest(data: bytes) -> str:
    """The digest of some bytes."""
    return CURRENT + hashlib.new(ALGORITHMS[CURRENT], data).hexdigest()


def short_digest(data: bytes, length: int) -> str:
    """The first `length` hexadecimal digits of a digest, without a prefix: for names of files and the like."""
    return hashlib.new(ALGORITHMS[CURRENT], data).hexdigest()[:length]


def file_digest(path: Path, like: str = CURRENT) -> str:
    """The digest of a file, by the algorithm of the digest `like`, to be compared with it.

    Raises:
        OSError: It cannot be read.
    """
    prefix = prefix_of(like)
    with path.open("rb") as file:
        return prefix + hashlib.file_digest(file, ALGORITHMS[prefix]).hexdigest()


def prefix_of(digest: str) -> str:
    """The prefix of a stored digest; the current one if its algorithm is unknown, so that nothing compares equal."""
    prefix = digest[: digest.rfind(":") + 1]
    return prefix if prefix in ALGORITHMS else CURRENT
