"""Errors of a pull.

PullError        the pull cannot go on
ThreadError      one thread cannot be read; the pull goes on without it
RefusedError     ... because the server refuses it
GoneError        ... because the server does not know it
CursorError      ... any further, because the server does not know the cursor
IncompleteError  ... to its end, because the server's pages do not lead there
"""

from runmart.ingest.errors import RunmartError


class PullError(RunmartError):
    """The pull cannot go on."""


class ThreadError(Exception):
    """A thread, or a run of it, cannot be read."""


class RefusedError(ThreadError):
    """The server refuses a thread or a run."""

    def __init__(self, message: str, status: int | None = None, words: str = "") -> None:
        """A refusal.

        Args:
            message: The sentence for people.
            status: The HTTP status.
            words: What the server said, or the other server that it redirects to.
        """
        super().__init__(message)
        self.status = status
        self.words = words


class GoneError(RefusedError):
    """The server does not know a thread or a run."""


class CursorError(ThreadError):
    """The server does not know the cursor: the run after which a page was requested."""


class IncompleteError(ThreadError):
    """The pages of a server do not lead to the end of a list."""
