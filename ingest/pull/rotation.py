"""Rotation: how far a pull has got in the order of its threads, so that the next one goes on there. No I/O."""


class Rotation:
    """Threads that are asked in order, several at a time, and answer in any order."""

    def __init__(self, asked_until: str | None) -> None:
        """A rotation that the last pull has left behind `asked_until`; at the beginning for None."""
        self._asked_until = asked_until
        self._waiting: dict[str, bool] = {}
        """The threads that were asked, in order, behind the last of which all have answered; whether each has."""
        self._has_moved = False

    @property
    def asked_until(self) -> str | None:
        """The thread behind which the next pull begins.

        All before it have answered; where not one has, the first that was asked has had its turn nevertheless, so that
        one that takes longer than a pull may take does not keep the others waiting.
        """
        if not self._has_moved and self._waiting:
            return next(iter(self._waiting))
        return self._asked_until

    def ask(self, thread_id: str) -> None:
        """Note that a thread is asked."""
        self._waiting[thread_id] = False

    def answer(self, thread_id: str) -> None:
        """Note that a thread was read, or cannot be."""
        self._waiting[thread_id] = True
        while self._waiting and self._waiting[first := next(iter(self._waiting))]:
            del self._waiting[first]
            self._asked_until, self._has_moved = first, True
