"""Accounted text: a text of which each byte belongs to something, whatever else it may be."""

import re
from collections.abc import Iterator

from runmart.ingest.decode.context import Context
from runmart.ingest.decode.ledger import Ledger
from runmart.ingest.decode.result import LenientResult
from runmart.ingest.parse import reasons
from runmart.ingest.parse.blocks import Lines
from runmart.ingest.parse.json_scanner import Member, members
from runmart.models.observations import Reject
from runmart.models.record_specs import SPECS
from runmart.models.secrets import without_secrets

_BEGUN = re.compile(
    rb'"id"\s*:\s*"run_|"object"\s*:\s*"(?:%s)"|"call_type"\s*:'
    % b"|".join(re.escape(one.object.encode()) for one in SPECS)
)
"""What a damaged record has."""


class AccountedText:
    """A text, and what is accounted for of it."""

    def __init__(self, context: Context, result: LenientResult, data: bytes, line: int, path: str) -> None:
        """Nothing is accounted for yet.

        Args:
            context: What the text has in common with others.
            result: What it holds is added to it.
            data: The text.
            line: The line on which it begins.
            path: Its JSON path.
        """
        self._context = context
        self._result = result
        self._data = data
        self._lines = Lines(data, line)
        self._path = path
        self._ledger = Ledger(data)

    def _members(self, start: int, end: int) -> Iterator[Member]:
        """The members of a valid object; all but their values is accounted for."""
        at = start
        for member in members(self._data, start):
            self._ledger.claim(at, member.start)
            yield member
            at = member.end
        self._ledger.claim(at, end)

    def reject(self, start: int, end: int, reason: str, path: str | None = None, line: int | None = None) -> None:
        """Reject a part of the text, whole."""
        self._ledger.claim(start, end)
        line = self._lines.line(start) if line is None else line
        self._reject_text(self._data[start:end], reason, self._path if path is None else path, line)

    def _reject_text(self, text: bytes, reason: str, path: str, line: int) -> None:
        self._result.shows_record |= bool(_BEGUN.search(text))
        reason = without_secrets(reason.encode(errors="surrogatepass")).decode(errors="surrogatepass")
        text = without_secrets(text)
        self._result.reject(Reject(self._context.origin, self._result.items, line, reason, path, text))

    def _reject_rest(self) -> None:
        """Reject what is not accounted for."""
        for start, end in list(self._ledger.unexplained()):
            self.reject(start, end, reasons.UNEXPLAINED)
