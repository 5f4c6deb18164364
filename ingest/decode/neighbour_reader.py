"""Neighbour reader: what a text says beside runs, which goes into tables of its own (`models.tables.neighbours`)."""

import msgspec

from runmart.ingest.decode import organization
from runmart.ingest.decode.accounted_text import AccountedText
from runmart.ingest.decode.context import Event
from runmart.ingest.decode.error_events import error_event
from runmart.ingest.decode.failures import failure, is_failed
from runmart.ingest.decode.webhooks import is_webhook, webhook
from runmart.ingest.parse import reasons
from runmart.ingest.parse.classify import API_ERROR, UNKNOWN
from runmart.ingest.parse.json_object import Members, UnfitError
from runmart.ingest.parse.json_scanner import elements

WEBHOOK = "webhook"
"""What an event is called that refers to a record by its id and is not stored."""

ERROR = "error"
"""What a stream calls the event that reports an error."""

_EVENT = "event"


class NeighbourReader(AccountedText):
    """Takes objects without a run in them that are rows of the tables beside runs."""

    def _take_neighbour(self, start: int, end: int, path: str, kind: str, found: Members, *, event: Event) -> bool:
        """Take an object; False where it is for none of these tables.

        Raises:
            UnfitError: It is, and cannot be stored.
        """
        if organization.is_bucket(kind, found):
            self._bucket(start, end, path, organization.bucket(found))
        elif kind in {_EVENT, UNKNOWN} and is_webhook(found):
            self._reference(start, end, found)
        elif kind in {API_ERROR, UNKNOWN} and self._is_failure(found, event):
            self._ledger.claim(start, end)
        else:
            return False
        return True

    def _reference(self, start: int, end: int, found: Members) -> None:
        """An event that refers to a response by its id; one that does not tell its end is skipped."""
        if is_webhook(found):
            self._result.neighbours.append(webhook(found, self._context.origin, self._result.items))
        else:
            self._result.skip(WEBHOOK)
        self._ledger.claim(start, end)

    def _is_failure(self, found: Members, event: Event) -> bool:
        """Take a failed request, or an event of an error, which may turn out to be none: see `error_events`."""
        origin, position = self._context.origin, self._result.items
        if (row := failure(found, origin, position)) is not None:
            self._result.neighbours.append(row)
        elif (error := error_event(event.name, found, origin, position)) is not None:
            self._result.error_events.append(error)
        elif is_failed(found):
            self._result.skip(API_ERROR)
        else:
            return False
        return True

    def _bucket(self, start: int, end: int, path: str, within: organization.Bucket) -> None:
        """The results of a bucket of usage or costs; one without any is skipped."""
        seen = set[object]()
        count = 0
        for member in self._members(start, end):
            if member.name == "results":
                for index, (begin, stop) in enumerate(elements(self._data, member.start, member.end)):
                    count += 1
                    self._usage(begin, stop, f"{path}.results[{index}]", within, seen)
            self._ledger.claim(member.start, member.end)
        if not count:
            self._result.skip(organization.BUCKET)

    def _usage(self, start: int, end: int, path: str, within: organization.Bucket, seen: set[object]) -> None:
        """A result of a bucket; `seen` has the groups of those before it."""
        text = self._data[start:end]
        try:
            kind = organization.kind_of_result(text)
            if kind and not organization.is_stored(kind):
                self._result.skip(kind)
                return
            row = organization.result(text, within, self._context.origin, self._result.items)
            if row.key in seen:
                raise UnfitError("a result of the same bucket and group as one before it: only one could be kept")
            seen.add(row.key)
            self._result.neighbours.append(row)
        except UnfitError as error:
            self.reject(start, end, error.reason, path + error.json_path.removeprefix("$"))
        except msgspec.DecodeError as error:
            self.reject(start, end, reasons.explain(str(error), text), path)
